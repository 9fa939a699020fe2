// SPDX-License-Identifier: Apache-2.0
#include "agent/control/suggest.h"

#include <fmt/format.h>
#include <netinet/in.h>

#include <algorithm>
#include <cctype>
#include <optional>
#include <unordered_map>

#include "agent/control/messages.h"
#include "agent/control/suggestion.h"
#include "agent/control/world.h"
#include "agent/kube/decode.h"

namespace weir {
namespace {

constexpr std::size_t kMaxNotes = 50; // denied flows listed

bool has_ports(std::uint8_t protocol) {
    return protocol == IPPROTO_TCP || protocol == IPPROTO_UDP || protocol == IPPROTO_SCTP;
}

std::string end_name(const FlowEnd& end) {
    if (!end.pod.name.get().empty()) return end.pod.ns.get() + "/" + end.pod.name.get();
    if (!end.node.get().empty()) return "node/" + end.node.get();
    return end.address.to_string();
}

std::string flow_text(const SeenFlow& flow) {
    const std::string port =
        has_ports(flow.protocol) ? fmt::format(" {}", flow.destination.port) : "";
    return fmt::format("{} -> {} {}{}", end_name(flow.source), end_name(flow.destination),
                       protocol_name(flow.protocol), port);
}

// A name that Kubernetes takes.
std::string policy_name(const std::string& workload) {
    std::string name = "suggested-" + workload;
    for (auto& c : name) {
        const auto byte = static_cast<unsigned char>(c);
        c = std::isalnum(byte) != 0 ? static_cast<char>(std::tolower(byte)) : '-';
    }
    name.resize(std::min<std::size_t>(name.size(), 200));
    while (name.back() == '-')
        name.pop_back();
    return name;
}

// Rules of one policy and direction while flows are added.
class RuleDrafts {
public:
    // peer: null for an address that is no pod's.
    void add(const SeenFlow& flow, const FlowEnd& peer_end, const Workload* peer) {
        SuggestedRule& rule = peer != nullptr ? pods_[peer] : addresses_[peer_end.address];
        rule.pods = peer;
        if (peer == nullptr) rule.addresses.insert(peer_end.address);
        if (has_ports(flow.protocol)) {
            rule.ports.emplace(flow.protocol, flow.destination.port);
        } else {
            rule.needs_all = true;
            rule.portless.insert(protocol_name(flow.protocol));
        }
        rule.evidence.add(flow, end_name(peer_end));
    }

    // Pods by name; then addresses, those with the same ports together.
    std::vector<SuggestedRule> take() {
        std::vector<SuggestedRule> rules;
        for (auto& [peer, rule] : pods_)
            rules.push_back(std::move(rule));
        std::ranges::sort(rules, {}, [](const SuggestedRule& rule) {
            return std::pair(rule.pods->ns, rule.pods->name);
        });
        std::map<std::pair<bool, std::set<SuggestedPort>>, SuggestedRule> by_ports;
        for (auto& [address, rule] : addresses_) {
            const auto key =
                std::pair(rule.needs_all, rule.needs_all ? std::set<SuggestedPort>() : rule.ports);
            auto& joined = by_ports[key];
            joined.addresses.insert(address);
            joined.ports.insert(rule.ports.begin(), rule.ports.end());
            joined.portless.insert(rule.portless.begin(), rule.portless.end());
            joined.needs_all = rule.needs_all;
            joined.evidence.add(rule.evidence);
        }
        for (auto& [key, rule] : by_ports)
            rules.push_back(std::move(rule));
        return rules;
    }

private:
    std::map<const Workload*, SuggestedRule> pods_;
    std::map<Address, SuggestedRule> addresses_;
};

struct Draft {
    RuleDrafts rules[WEIR_DIRECTIONS];
    Evidence from_own_node;
    bool is_seen = false;
};

class Suggester {
public:
    Suggester(const std::vector<SharedObject>& objects, const SuggestOptions& options)
        : objects_(objects), options_(options), now_(objects, options.mesh) {
        std::vector<const Pod*> pods;
        for (const auto& [name, object] : now_.inventory().pods())
            pods.push_back(&std::get<Pod>(*object));
        suggestion_.ns = options.ns;
        suggestion_.workloads = workloads_of(pods);
        for (const auto& workload : suggestion_.workloads) {
            for (const auto* pod : workload.pods)
                by_pod_.emplace(pod->name, &workload);
        }
    }

    Result<v1::SuggestResponse> suggest(const std::vector<SeenFlow>& flows) {
        const bool has_pods = std::ranges::any_of(
            suggestion_.workloads, [this](const Workload& one) { return one.ns == options_.ns; });
        if (!has_pods) {
            return failure(
                fmt::format("no pods with an address of their own in namespace {}: is "
                            "the name right, and are its Pod objects known here?",
                            options_.ns));
        }
        for (const auto& flow : flows)
            take(flow);
        finish();
        v1::SuggestResponse response;
        response.set_policies(static_cast<std::uint32_t>(suggestion_.policies.size()));
        response.set_flows(used_count_);
        response.set_denied_flows(denied_count_);
        std::string yaml = to_yaml(suggestion_);
        if (auto verified = verify(yaml, response); !verified) {
            return std::unexpected(std::move(verified.error()));
        }
        for (const auto& flow : still_denied_)
            yaml += "# Still denied, by what is in force: " + flow + "\n";
        response.set_yaml(std::move(yaml));
        return response;
    }

private:
    bool is_ours(const FlowEnd& end) const { return end.pod.ns.get() == options_.ns; }

    // The workload of the end; nothing when its pod is gone. Null inside: no pod.
    std::optional<const Workload*> workload_of(const FlowEnd& end) const {
        if (end.pod.name.get().empty()) return nullptr;
        const auto found = by_pod_.find(end.pod);
        if (found == by_pod_.end()) return {};
        return found->second;
    }

    void take(const SeenFlow& flow) {
        if (!is_ours(flow.source) && !is_ours(flow.destination)) return;
        if (flow.is_denied) denied_count_ += flow.count;
        if (flow.is_denied && !options_.include_denied) {
            denied_.push_back(
                fmt::format("{} ({} times, by {})", flow_text(flow), flow.count,
                            direction_word(static_cast<std::uint8_t>(flow.denied_by))));
            return;
        }
        const auto source = workload_of(flow.source);
        const auto destination = workload_of(flow.destination);
        if (!source || !destination) {
            gone_.push_back(flow_text(flow));
            return;
        }
        if (flow.source.address == flow.destination.address) return; // itself: needs no rule
        used_.push_back(flow);
        used_count_ += flow.count;
        if (is_ours(flow.source)) {
            add(**source, WEIR_EGRESS, flow, flow.destination, *destination);
        }
        if (is_ours(flow.destination)) {
            add(**destination, WEIR_INGRESS, flow, flow.source, *source);
        }
    }

    void add(const Workload& subject, weir_direction direction, const SeenFlow& flow,
             const FlowEnd& peer_end, const Workload* peer) {
        Draft& draft = drafts_[&subject];
        draft.is_seen = true;
        const FlowEnd& own_end = direction == WEIR_EGRESS ? flow.source : flow.destination;
        const Pod* pod = now_.inventory().pod(own_end.pod);
        const bool is_own_node = direction == WEIR_INGRESS && peer == nullptr &&
                                 !peer_end.node.get().empty() && pod != nullptr &&
                                 pod->node == peer_end.node;
        if (is_own_node) {
            draft.from_own_node.add(flow, end_name(peer_end));
        } else {
            draft.rules[direction].add(flow, peer_end, peer);
        }
    }

    // Whether a pod of it runs where the flows were seen.
    bool is_here(const Workload& workload) const {
        return std::ranges::any_of(workload.pods, [this](const Pod* pod) {
            return pod->node.get().empty() || pod->node.get() == options_.node;
        });
    }

    bool is_elsewhere_too(const Workload& workload) const {
        return std::ranges::any_of(workload.pods, [this](const Pod* pod) {
            return !pod->node.get().empty() && pod->node.get() != options_.node;
        });
    }

    void finish() {
        note(fmt::format("NetworkPolicies for namespace {}, from {} flows that node {} saw.",
                         options_.ns, used_count_, options_.node));
        for (const auto& workload : suggestion_.workloads) {
            if (workload.ns == options_.ns) finish(workload);
        }
        list("Denied now, and not allowed by these policies:", denied_);
        list("Left out, because one end is a pod that is gone:", gone_);
    }

    void finish(const Workload& workload) {
        const std::string what = fmt::format("No policy for {}: ", workload.name);
        if (!is_here(workload)) {
            return note(what + "it runs on other nodes; ask the agents there.");
        }
        const auto draft = drafts_.find(&workload);
        if (draft == drafts_.end()) return note(what + "no flow of its was seen.");
        if (workload.labels.empty()) {
            return note(what + "its pods have no labels to select them by; give them some.");
        }
        if (is_elsewhere_too(workload)) {
            note(
                fmt::format("{} runs on other nodes too, whose flows are not known here: compare "
                            "with what the agents there suggest.",
                            workload.name));
        }
        suggestion_.policies.push_back({.subject = &workload,
                                        .name = policy_name(workload.name),
                                        .ingress = draft->second.rules[WEIR_INGRESS].take(),
                                        .egress = draft->second.rules[WEIR_EGRESS].take(),
                                        .from_own_node = draft->second.from_own_node});
    }

    void note(std::string text) { suggestion_.notes.push_back(std::move(text)); }

    void list(const char* title, const std::vector<std::string>& lines) {
        if (lines.empty()) return;
        note(title);
        const std::size_t shown = std::min(lines.size(), kMaxNotes);
        for (std::size_t i = 0; i < shown; ++i)
            note("  " + lines[i]);
        if (lines.size() > shown) note(fmt::format("  and {} more", lines.size() - shown));
    }

    // What is given out must be valid, and deny none of the flows it was made from.
    Result<> verify(const std::string& yaml, v1::SuggestResponse& response) {
        DecodedFile decoded = decode_file("suggestion", yaml);
        for (const auto& problem : decoded.problems)
            response.add_failures("invalid: " + sentence_of(problem));
        Change change;
        for (auto& object : decoded.objects) {
            if (object.object) change.upserts.emplace_back(*std::move(object.object));
        }
        World then(changed(objects_, change), options_.mesh);
        std::vector<ObjectName> pods;
        for (const auto& flow : used_) {
            pods.push_back(flow.source.pod);
            pods.push_back(flow.destination.pod);
        }
        for (auto* world : {&now_, &then}) {
            if (auto prepared = world->prepare(pods); !prepared) return prepared;
        }
        for (const auto& flow : used_)
            verify(flow, then, response);
        return {};
    }

    void verify(const SeenFlow& flow, const World& then, v1::SuggestResponse& response) {
        const auto end = [&flow](const World& world, const FlowEnd& one) {
            return one.pod.name.get().empty() ? std::optional(world.end_of(one.address))
                                              : world.end_of(one.pod, one.address.is_v4());
        };
        const auto judge = [&](const World& world) -> std::optional<WorldVerdict> {
            const auto source = end(world, flow.source);
            const auto destination = end(world, flow.destination);
            if (!source || !destination) return {};
            return world.judge(*source, *destination, flow.protocol, flow.destination.port);
        };
        const auto was = judge(now_);
        const auto is = judge(then);
        if (!was || !is || is->verdict != FlowVerdict::kDeny) return;
        const auto* rule = then.rules().find(is->rule);
        const std::string why =
            rule == nullptr ? std::string("no rule")
                            : fmt::format("{} {}", rule->kind.get(), rule->policy.name.get());
        std::string text =
            fmt::format("{} at {} by {}", flow_text(flow),
                        direction_word(static_cast<std::uint8_t>(is->direction)), why);
        // What is denied already is not these policies' doing.
        if (was->verdict == FlowVerdict::kDeny) {
            still_denied_.push_back(std::move(text));
        } else {
            response.add_failures("would be denied: " + text);
        }
    }

    const std::vector<SharedObject>& objects_;
    const SuggestOptions& options_;
    World now_;
    Suggestion suggestion_;
    std::unordered_map<ObjectName, const Workload*, ObjectNameHash> by_pod_;
    std::map<const Workload*, Draft> drafts_;
    std::vector<SeenFlow> used_;
    std::vector<std::string> denied_;
    std::vector<std::string> gone_;
    std::vector<std::string> still_denied_;
    std::uint64_t used_count_ = 0;
    std::uint64_t denied_count_ = 0;
};

} // namespace

void Evidence::add(const SeenFlow& flow, const std::string& peer) {
    first_seen = count == 0 ? flow.first_seen : std::min(first_seen, flow.first_seen);
    last_seen = std::max(last_seen, flow.last_seen);
    count += flow.count;
    peers[peer] += flow.count;
    has_denied = has_denied || flow.is_denied;
}

void Evidence::add(const Evidence& other) {
    first_seen = count == 0 ? other.first_seen : std::min(first_seen, other.first_seen);
    last_seen = std::max(last_seen, other.last_seen);
    count += other.count;
    for (const auto& [peer, flows] : other.peers)
        peers[peer] += flows;
    has_denied = has_denied || other.has_denied;
}

Result<v1::SuggestResponse> suggest(const std::vector<SharedObject>& objects,
                                    const std::vector<SeenFlow>& flows,
                                    const SuggestOptions& options) {
    return Suggester(objects, options).suggest(flows);
}

} // namespace weir
