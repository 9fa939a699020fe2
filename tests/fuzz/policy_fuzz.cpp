// SPDX-License-Identifier: Apache-2.0
// Any manifests as a cluster that changes: its objects come one after the other, as the file has
// them, and go again. After every single write each verdict is the old or the new one, each
// revision agrees with the naive evaluator, and in the end nothing is left. Unlike the property
// test's, the objects are what the decoders make of any text.
#include <netinet/in.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "agent/kube/decode.h"
#include "tests/policy/replica.h"

namespace weir {
namespace {

constexpr std::size_t kMaxObjects = 24;
constexpr std::size_t kMaxSlots = 4;
constexpr std::size_t kMaxPeers = 10;
constexpr std::size_t kMaxProbes = 5;
// Rules that peers, ports and values multiply cost time and find nothing.
constexpr std::size_t kMaxBytes = 16'384;

// What the objects say about addresses and ports: where verdicts change.
class Interests {
public:
    explicit Interests(const std::vector<Object>& objects) {
        for (const Object& object : objects)
            std::visit([&](const auto& typed) { note(typed); }, object);
    }

    std::vector<Address> peers() const {
        std::vector<Address> all(addresses_.begin(), addresses_.end());
        all.resize(std::min(all.size(), kMaxPeers));
        all.push_back(*Address::parse("203.0.113.1"));
        all.push_back(*Address::parse("2001:db8::1"));
        return all;
    }

    std::vector<test::Probe> probes() const {
        std::vector<test::Probe> all = {{IPPROTO_TCP, 80}, {IPPROTO_ICMP, 0}};
        for (const auto& [protocol, port] : ports_) {
            if (all.size() < kMaxProbes) all.push_back({protocol, port});
        }
        return all;
    }

private:
    void note(const Namespace&) {}
    void note(const Service&) {}
    void note(const EndpointSlice&) {}
    void note(const TrafficRoute&) {}
    void note(const DestinationRule&) {}
    void note(const ReferenceGrant&) {}
    void note(const Node& node) { addresses_.insert(node.addresses.begin(), node.addresses.end()); }
    void note(const Pod& pod) {
        addresses_.insert(pod.addresses.begin(), pod.addresses.end());
        for (const ContainerPort& port : pod.ports)
            ports_.insert({port.protocol, port.port});
    }
    void note(const NetworkPolicy& policy) {
        for (const auto* rules : {&policy.ingress, &policy.egress}) {
            for (const Rule& rule : *rules) {
                note(rule.ports);
                for (const Peer& peer : rule.peers) {
                    if (peer.block) addresses_.insert(peer.block->cidr.network);
                }
            }
        }
    }
    void note(const TierPolicy& policy) {
        for (const auto* rules : {&policy.ingress, &policy.egress}) {
            for (const TierRule& rule : *rules) {
                note(rule.ports);
                for (const TierRule::Peer& peer : rule.peers) {
                    if (const auto* block = std::get_if<Cidr>(&peer)) {
                        addresses_.insert(block->network);
                    }
                }
            }
        }
    }
    void note(const AuthorizationPolicy& policy) {
        for (const AuthorizationRule& rule : policy.rules) {
            for (const auto& source : rule.sources) {
                for (const SourceMatch& match : source) {
                    for (const Cidr& block : match.blocks)
                        addresses_.insert(block.network);
                }
            }
            for (const auto& operation : rule.operations) {
                for (const DestinationMatch& match : operation) {
                    for (const std::uint16_t port : match.ports)
                        ports_.insert({IPPROTO_TCP, port});
                }
            }
        }
    }
    void note(const std::vector<Port>& ports) {
        for (const Port& port : ports) {
            if (const auto* range = std::get_if<PortRange>(&port.number)) {
                ports_.insert({port.protocol, range->last});
            }
        }
    }

    std::set<Address> addresses_;
    std::set<std::pair<std::uint8_t, std::uint16_t>> ports_;
};

std::vector<Object> decode(std::string_view text) {
    std::vector<Object> objects;
    for (DecodedObject& decoded : decode_file("fuzz.yaml", text).objects) {
        if (decoded.object && objects.size() < kMaxObjects) {
            objects.push_back(std::move(*decoded.object));
        }
    }
    return objects;
}

void require_nothing(const std::string& wrong, const char* when) {
    if (wrong.empty()) return;
    std::cerr << when << ": " << wrong << "\n";
    std::abort();
}

// Endpoints of the first pods, known before and after their objects.
class Locals {
public:
    void see(const Object& object, test::Replica& replica) {
        const Pod* pod = std::get_if<Pod>(&object);
        if (pod == nullptr || pod->is_host_network || names_.size() >= kMaxSlots) return;
        if (std::ranges::find(names_, pod->name) != names_.end()) return;
        replica.set_local({static_cast<std::uint32_t>(names_.size()), pod->name, pod->addresses});
        names_.push_back(pod->name);
    }

private:
    std::vector<ObjectName> names_;
};

void erase(const std::vector<Object>& objects, std::size_t parity, bool every_write,
           test::Replica& replica) {
    Change change;
    for (std::size_t i = parity; i < objects.size(); i += 2)
        change.erasures.push_back(key_of(objects[i]));
    replica.apply(change);
    require_nothing(replica.revise(every_write), "revision without some of the objects");
    require_nothing(replica.collect(0), "collection");
}

void live(const std::vector<Object>& objects, std::size_t objects_per_revision, bool every_write) {
    const Interests interests(objects);
    test::Replica replica({}, {0, 1, 2, 3}, interests.peers(), interests.probes());
    Locals locals;
    for (std::size_t i = 0; i < objects.size(); i += objects_per_revision) {
        Change change;
        const std::size_t end = std::min(i + objects_per_revision, objects.size());
        for (std::size_t k = i; k < end; ++k) {
            locals.see(objects[k], replica);
            change.upserts.emplace_back(objects[k]);
        }
        replica.apply(change);
        require_nothing(replica.revise(every_write), "revision");
    }
    require_nothing(replica.collect(0), "collection");
    erase(objects, 0, every_write, replica);
    erase(objects, 1, every_write, replica);
    for (std::uint32_t slot = 0; slot < kMaxSlots; ++slot)
        replica.erase_local(slot);
    require_nothing(replica.revise(every_write), "last revision");
    require_nothing(replica.collect(0), "last collection");
    const Usage usage = replica.compiler().usage();
    if (usage.peers + usage.prefixes + usage.tables + usage.rules + usage.intervals != 0) {
        require_nothing("entries are left when everything is gone", "end");
    }
}

} // namespace
} // namespace weir

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size > weir::kMaxBytes) return 0;
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const std::vector<weir::Object> objects = weir::decode(text);
    // Looking after every write costs most of the time: one input in eight.
    if (!objects.empty()) weir::live(objects, 1 + size % 4, size / 4 % 8 == 0);
    return 0;
}
