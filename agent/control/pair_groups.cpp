// SPDX-License-Identifier: Apache-2.0
#include "agent/control/pair_groups.h"

#include <fmt/format.h>
#include <netinet/in.h>

#include <algorithm>

#include "agent/control/subjects.h"
#include "agent/control/workload.h"

namespace weir {
namespace {

// Tried in turn for an address that no block holds.
constexpr std::array kOutside4{"192.0.2.1", "198.51.100.1", "203.0.113.1", "100.64.0.1",
                               "9.9.9.9",   "172.31.255.1", "10.255.255.1"};
constexpr std::array kOutside6{"2001:db8::1", "2001:db8:ffff::1", "3fff::1", "fdff:ffff::1"};

// Addresses of a block tried for one that no narrower block and no pod has.
constexpr int kTries = 64;

Address next(Address address) {
    for (auto byte = address.bytes.rbegin(); byte != address.bytes.rend(); ++byte) {
        if (++*byte != 0) break;
    }
    return address;
}

PairEnd::Ends everywhere(const WorldEnd& before, const WorldEnd& after) {
    PairEnd::Ends ends;
    const std::size_t family = before.address.is_v4() ? 0 : 1;
    ends[0][family] = before;
    ends[1][family] = after;
    return ends;
}

std::string home_of(const Object& policy, const Symbol& root_namespace) {
    if (const auto* network = std::get_if<NetworkPolicy>(&policy)) return network->name.ns.get();
    const auto* authorization = std::get_if<AuthorizationPolicy>(&policy);
    if (authorization == nullptr || authorization->name.ns == root_namespace) return "";
    return authorization->name.ns.get();
}

} // namespace

PairGroups::PairGroups(const World& before, const World& after) : worlds_{&before, &after} {
    collect(before);
    collect(after);
    group_pods();
    add_nodes();
}

void PairGroups::collect(const World& world) {
    for (const auto& [key, policy] : world.inventory().policies()) {
        if (!known_.insert(&*policy).second) continue; // the same object in both worlds
        policies_[home_of(policy, world.mesh().root_namespace)].push_back(&*policy);
        add_label_keys(policy, keys_);
        add_blocks(policy, blocks_);
    }
    for (const auto& [name, object] : world.inventory().pods()) {
        for (const auto& port : std::get<Pod>(*object).ports) {
            if (port.name.get().empty()) continue;
            names_[port.name.get()].insert(WEIR_PORT_KEY(port.protocol, port.port));
        }
    }
}

std::string PairGroups::signature_of(const Pod& pod) const {
    std::string text = pod.service_account.get() + "|";
    for (const auto& label : pod.labels) {
        if (!keys_.contains(label.key.get())) continue;
        text += label.key.get() + "=" + label.value.get() + ",";
    }
    for (const auto& port : pod.ports)
        text += fmt::format("|{}:{}/{}", port.name.get(), port.port, port.protocol);
    for (const auto& address : pod.addresses) {
        text += address.is_v4() ? "|4" : "|6";
        for (const auto& block : blocks_) {
            if (block.contains(address)) text += " " + block.to_string();
        }
    }
    return text;
}

// Pods that are in both worlds: what a new one may do is no difference.
void PairGroups::group_pods() {
    std::map<std::string, std::vector<const Pod*>> groups;
    for (const auto& [name, object] : worlds_[0]->inventory().pods()) {
        const auto& pod = std::get<Pod>(*object);
        const auto* later = worlds_[1]->inventory().pod(name);
        const auto counts = [](const Pod& one) {
            return !one.is_host_network && !one.is_terminated && !one.addresses.empty();
        };
        if (later == nullptr || !counts(pod) || !counts(*later)) continue;
        const std::string key =
            fmt::format("{}/{}|{}|{}", pod.name.ns.get(), workload_name(pod), signature_of(pod),
                        later == &pod ? "" : signature_of(*later));
        groups[key].push_back(&pod);
    }
    const auto ends_of = [this](const ObjectName& name) {
        PairEnd::Ends ends;
        for (std::size_t world = 0; world < 2; ++world) {
            for (std::size_t family = 0; family < 2; ++family)
                ends[world][family] = worlds_[world]->end_of(name, family == 0);
        }
        return ends;
    };
    for (auto& [key, pods] : groups) {
        std::ranges::sort(pods, {}, [](const Pod* pod) { return pod->name.name.get(); });
        PairEnd end;
        end.shown.name = pods.front()->name.ns.get() + "/" + workload_name(*pods.front());
        for (const auto* pod : pods)
            end.shown.pods.push_back(pod->name);
        end.ends = ends_of(pods.front()->name);
        if (pods.size() > 1) end.companion = ends_of(pods[1]->name);
        ends_.push_back(std::move(end));
    }
}

void PairGroups::add_nodes() {
    for (const auto& [name, object] : worlds_[0]->inventory().nodes()) {
        PairEnd end{.kind = PairEnd::Kind::kNode, .shown = {"node/" + name.get()}};
        for (std::size_t world = 0; world < 2; ++world) {
            const auto* addresses = worlds_[world]->inventory().node_addresses(name);
            if (addresses == nullptr) continue;
            for (const auto& address : *addresses) {
                auto& slot = end.ends[world][address.is_v4() ? 0 : 1];
                if (!slot) slot = worlds_[world]->end_of(address);
            }
        }
        ends_.push_back(std::move(end));
    }
}

bool PairGroups::is_owned(const Address& address) const {
    return worlds_[0]->inventory().owner_of(address) != nullptr ||
           worlds_[1]->inventory().owner_of(address) != nullptr;
}

std::optional<PairEnd> PairGroups::sample(const Cidr& block, const std::set<Cidr>& blocks) const {
    const auto is_in_narrower = [&](const Address& address) {
        return std::ranges::any_of(blocks, [&](const Cidr& other) {
            return other != block && block.contains(other) && other.contains(address);
        });
    };
    Address address = block.network;
    for (int i = 0; i < kTries && block.contains(address); ++i, address = next(address)) {
        if (is_owned(address) || is_in_narrower(address)) continue;
        PairEnd end{.kind = PairEnd::Kind::kBlock, .shown = {block.to_string()}};
        end.ends = everywhere(worlds_[0]->end_of(address), worlds_[1]->end_of(address));
        return end;
    }
    return {};
}

// An address of each family that no block holds.
PairEnd PairGroups::other() const {
    PairEnd end{.kind = PairEnd::Kind::kOther, .shown = {kOtherName}};
    const auto try_each = [&](const auto& texts) {
        for (const char* text : texts) {
            const Address address = *Address::parse(text);
            const bool is_in_block = std::ranges::any_of(
                blocks_, [&](const Cidr& block) { return block.contains(address); });
            if (is_in_block || is_owned(address)) continue;
            for (std::size_t world = 0; world < 2; ++world)
                end.ends[world][address.is_v4() ? 0 : 1] = worlds_[world]->end_of(address);
            return;
        }
    };
    try_each(kOutside4);
    try_each(kOutside6);
    return end;
}

std::vector<PairEnd> PairGroups::samples(const std::set<const Object*>& policies) const {
    std::set<Cidr> blocks;
    for (const auto* policy : policies)
        add_blocks(*policy, blocks);
    std::vector<PairEnd> ends;
    for (const auto& block : blocks) {
        if (auto end = sample(block, blocks)) ends.push_back(std::move(*end));
    }
    ends.push_back(other());
    return ends;
}

std::set<const Object*> PairGroups::policies_of(const PairEnd& group) const {
    std::set<const Object*> found;
    if (group.shown.pods.empty()) return found;
    const ObjectName& name = group.shown.pods.front();
    for (const std::string& home : {std::string(), name.ns.get()}) {
        const auto listed = policies_.find(home);
        if (listed == policies_.end()) continue;
        for (const auto* policy : listed->second) {
            const SubjectTest test(*policy, worlds_[0]->mesh().root_namespace);
            for (const auto* world : worlds_) {
                const auto* pod = world->inventory().pod(name);
                if (pod != nullptr && test.selects(*pod, world->inventory().ns(name.ns))) {
                    found.insert(policy);
                }
            }
        }
    }
    return found;
}

std::set<std::uint32_t> PairGroups::cuts_of(const std::set<const Object*>& policies) const {
    std::set<std::uint32_t> cuts{WEIR_PORT_KEY_OTHER};
    for (const auto protocol : {IPPROTO_TCP, IPPROTO_UDP, IPPROTO_SCTP})
        cuts.insert(WEIR_PORT_KEY(protocol, 1));
    for (const auto* policy : policies)
        add_port_cuts(*policy, names_, cuts);
    // Nobody listens on port 0.
    for (const auto protocol : {IPPROTO_TCP, IPPROTO_UDP, IPPROTO_SCTP})
        cuts.erase(WEIR_PORT_KEY(protocol, 0));
    return cuts;
}

} // namespace weir
