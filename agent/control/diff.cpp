// SPDX-License-Identifier: Apache-2.0
#include "agent/control/diff.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>

#include "agent/control/messages.h"
#include "agent/control/pair_diff.h"
#include "agent/control/world.h"
#include "agent/kube/decode.h"

namespace weir {
namespace {

constexpr std::uint32_t kDefaultLimit = 100;
constexpr std::size_t kMembersShown = 5;
constexpr std::size_t kGroupsShown = 3;

Object without_origin(Object object) {
    std::visit([](auto& typed) { typed.origin = {}; }, object);
    const auto forget_lines = [](auto& rules) {
        for (auto& rule : rules)
            rule.line = 0;
    };
    if (auto* network = std::get_if<NetworkPolicy>(&object)) {
        forget_lines(network->ingress);
        forget_lines(network->egress);
    } else if (auto* tier = std::get_if<TierPolicy>(&object)) {
        forget_lines(tier->ingress);
        forget_lines(tier->egress);
    } else if (auto* authorization = std::get_if<AuthorizationPolicy>(&object)) {
        forget_lines(authorization->rules);
    }
    return object;
}

void add_problem(v1::DiffResponse& response, const Problem& problem) {
    auto* message = response.add_problems();
    message->set_severity(to_string(problem.severity));
    message->set_message(sentence_of(problem));
    message->set_file(problem.file);
    message->set_line(problem.line);
    message->set_object(problem.object);
    if (problem.severity == Severity::kError) response.set_refused(true);
}

void refuse(v1::DiffResponse& response, const std::string& object, const std::string& what) {
    Problem problem;
    problem.object = object;
    problem.what = what;
    add_problem(response, problem);
}

void set_name(v1::ObjectName& message, const ObjectKey& key) {
    message.set_kind(to_string(key.kind));
    message.set_namespace_(key.name.ns.get());
    message.set_name(key.name.name.get());
}

std::optional<ObjectKey> named_key(const v1::ObjectName& message) {
    for (const Kind kind : kKinds) {
        if (message.kind() != to_string(kind)) continue;
        return ObjectKey{kind, {Symbol(message.namespace_()), Symbol(message.name())}};
    }
    return {};
}

// Turns the request into the change that it stands for, and tells of its objects.
class ChangeReader {
public:
    ChangeReader(const std::vector<SharedObject>& objects, v1::DiffResponse& response)
        : response_(response) {
        for (const auto& object : objects)
            in_force_.emplace(key_of(*object), object);
    }

    Change read(const v1::DiffRequest& request) {
        for (const auto& manifest : request.manifests())
            decode(manifest);
        for (const auto& removal : request.removals())
            remove(removal);
        if (request.replace()) remove_rest();
        Change change;
        for (auto& [key, object] : wanted_) {
            const auto found = in_force_.find(key);
            if (found != in_force_.end() && is_same_but_origin(*found->second, *object)) continue;
            tell(key, found == in_force_.end() ? "added" : "changed");
            change.upserts.push_back(std::move(object));
        }
        for (const auto& key : removed_) {
            tell(key, "removed");
            change.erasures.push_back(key);
        }
        return change;
    }

private:
    void decode(const v1::Manifest& manifest) {
        DecodedFile decoded = decode_file(manifest.file(), manifest.text());
        for (const auto& problem : decoded.problems)
            add_problem(response_, problem);
        for (auto& object : decoded.objects) {
            if (!object.object || is_service_kind(object.key.kind)) continue;
            const bool is_new = wanted_.emplace(object.key, *std::move(object.object)).second;
            if (is_new) continue;
            refuse(response_, to_string(object.key),
                   fmt::format("stands twice, again in {}:{}; remove one of the two",
                               object.origin.file.get(), object.origin.line));
        }
    }

    void remove(const v1::ObjectName& name) {
        const auto key = named_key(name);
        const std::string text = fmt::format("{} {}{}{}", name.kind(), name.namespace_(),
                                             name.namespace_().empty() ? "" : "/", name.name());
        if (!key || !in_force_.contains(*key)) {
            return refuse(response_, text,
                          "is not in force, so it cannot be deleted; `weir policy list` shows "
                          "the policies that are");
        }
        if (wanted_.contains(*key)) {
            return refuse(response_, text, "is to be deleted, but the manifests have it");
        }
        removed_.insert(*key);
    }

    void remove_rest() {
        for (const auto& [key, object] : in_force_) {
            if (is_policy_kind(key.kind) && !wanted_.contains(key)) removed_.insert(key);
        }
    }

    void tell(const ObjectKey& key, const char* change) {
        auto* message = response_.add_objects();
        set_name(*message->mutable_object(), key);
        message->set_change(change);
    }

    v1::DiffResponse& response_;
    std::map<ObjectKey, SharedObject, ObjectKeyOrder> in_force_;
    std::map<ObjectKey, SharedObject, ObjectKeyOrder> wanted_;
    std::set<ObjectKey, ObjectKeyOrder> removed_;
};

void set_decision(v1::Decision& message, const WorldVerdict& verdict, const World& world) {
    message.set_verdict(verdict_word(verdict.verdict));
    message.set_direction(direction_word(static_cast<std::uint8_t>(verdict.direction)));
    *message.mutable_rule() = rule_message(verdict.rule, world.rules().find(verdict.rule));
}

struct Worlds {
    World before;
    World after;
};

// The end of a flow as it is in the world; nothing when its pod is not there any more.
std::optional<WorldEnd> end_in(const World& world, const FlowEnd& end) {
    if (end.pod.name.get().empty()) return world.end_of(end.address);
    return world.end_of(end.pod, end.address.is_v4());
}

class FlowComparer {
public:
    FlowComparer(Worlds& worlds, v1::DiffResponse& response)
        : worlds_(worlds), response_(response) {}

    Result<> compare(const std::vector<SeenFlow>& flows, std::uint32_t limit) {
        std::vector<ObjectName> pods;
        for (const auto& flow : flows) {
            for (const auto* end : {&flow.source, &flow.destination})
                if (!end->pod.name.get().empty()) pods.push_back(end->pod);
        }
        for (auto* world : {&worlds_.before, &worlds_.after}) {
            if (auto prepared = world->prepare(pods); !prepared) return prepared;
        }
        for (const auto& flow : flows)
            compare(flow);
        std::ranges::stable_sort(changes_, std::ranges::greater(), &v1::FlowChange::count);
        for (auto& change : changes_) {
            if (static_cast<std::uint32_t>(response_.flows_size()) == limit) break;
            *response_.add_flows() = std::move(change);
        }
        response_.set_more_flows(static_cast<std::uint32_t>(changes_.size()) -
                                 static_cast<std::uint32_t>(response_.flows_size()));
        return {};
    }

private:
    void compare(const SeenFlow& flow) {
        const auto was = judge(worlds_.before, flow);
        const auto is = judge(worlds_.after, flow);
        if (!was || !is) return;
        response_.set_flows_compared(response_.flows_compared() + flow.count);
        if (was->verdict == is->verdict) return;
        v1::FlowChange change;
        fill_end(*change.mutable_source(), flow.source);
        fill_end(*change.mutable_destination(), flow.destination);
        change.set_protocol(protocol_name(flow.protocol));
        change.set_count(flow.count);
        *change.mutable_last_seen() = timestamp_of(flow.last_seen);
        set_decision(*change.mutable_before(), *was, worlds_.before);
        set_decision(*change.mutable_after(), *is, worlds_.after);
        changes_.push_back(std::move(change));
    }

    static std::optional<WorldVerdict> judge(const World& world, const SeenFlow& flow) {
        const auto source = end_in(world, flow.source);
        const auto destination = end_in(world, flow.destination);
        if (!source || !destination) return {};
        return world.judge(*source, *destination, flow.protocol, flow.destination.port);
    }

    Worlds& worlds_;
    v1::DiffResponse& response_;
    std::vector<v1::FlowChange> changes_;
};

std::string group_name(const PairGroup& group) {
    std::string name = group.name;
    const std::size_t shown = std::min(group.also.size(), kGroupsShown - 1);
    for (std::size_t i = 0; i < shown; ++i)
        name += ", " + group.also[i];
    if (group.also.size() == shown) return name;
    return fmt::format("{} and {} more", name, group.also.size() - shown);
}

void fill_group(v1::PeerGroup& message, const PairGroup& group) {
    message.set_name(group_name(group));
    message.set_pods(static_cast<std::uint32_t>(group.pods.size()));
    for (const auto& pod : group.pods) {
        if (static_cast<std::size_t>(message.members_size()) == kMembersShown) return;
        message.add_members(pod.ns.get() + "/" + pod.name.get());
    }
}

Result<> add_pairs(Worlds& worlds, const std::vector<ObjectKey>& keys, std::uint32_t limit,
                   v1::DiffResponse& response) {
    const auto report = compare_pairs(worlds.before, worlds.after, keys);
    if (!report) return std::unexpected(report.error());
    response.set_incomplete(report->incomplete);
    for (const auto& difference : report->differences) {
        if (static_cast<std::uint32_t>(response.pairs_size()) == limit) {
            response.set_more_pairs(response.more_pairs() + 1);
            continue;
        }
        auto* pair = response.add_pairs();
        fill_group(*pair->mutable_source(), difference.source);
        fill_group(*pair->mutable_destination(), difference.destination);
        for (auto& text : port_texts(difference.ports))
            pair->add_ports(std::move(text));
        if (!difference.is_both_families) pair->set_family(difference.is_v4 ? "IPv4" : "IPv6");
        set_decision(*pair->mutable_before(), difference.before, worlds.before);
        set_decision(*pair->mutable_after(), difference.after, worlds.after);
    }
    return {};
}

} // namespace

bool is_same_but_origin(const Object& a, const Object& b) {
    return without_origin(a) == without_origin(b);
}

Result<v1::DiffResponse> diff(const std::vector<SharedObject>& objects,
                              const std::vector<SeenFlow>& flows, const v1::DiffRequest& request,
                              const MeshNames& mesh) {
    v1::DiffResponse response;
    const Change change = ChangeReader(objects, response).read(request);
    if (response.refused() || change.is_empty()) return response;
    const std::uint32_t limit = request.limit() == 0 ? kDefaultLimit : request.limit();
    Worlds worlds{World(objects, mesh), World(changed(objects, change), mesh)};
    if (auto compared = FlowComparer(worlds, response).compare(flows, limit); !compared) {
        return std::unexpected(std::move(compared.error()));
    }
    std::vector<ObjectKey> keys = change.erasures;
    for (const auto& object : change.upserts)
        keys.push_back(key_of(*object));
    if (auto added = add_pairs(worlds, keys, limit, response); !added) {
        return std::unexpected(std::move(added.error()));
    }
    return response;
}

} // namespace weir
