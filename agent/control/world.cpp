// SPDX-License-Identifier: Apache-2.0
#include "agent/control/world.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <set>

namespace weir {
namespace {

// Nothing is written to a map: only the width of an id bounds a preview.
Limits no_limits() {
    constexpr std::uint32_t most = std::numeric_limits<std::uint32_t>::max() / 2;
    Limits limits;
    limits.peers = limits.prefixes = limits.tables = limits.rules = limits.intervals = most;
    return limits;
}

CompilerOptions options(const MeshNames& mesh) {
    CompilerOptions options;
    options.root_namespace = mesh.root_namespace;
    options.trust_domain = mesh.trust_domain;
    options.limits = no_limits();
    return options;
}

} // namespace

World::World(const std::vector<SharedObject>& objects, const MeshNames& mesh)
    : mesh_(mesh), compiler_(options(mesh)) {
    const Change change{.upserts = objects, .erasures = {}};
    inventory_.apply(change);
    compiler_.apply(change);
}

WorldEnd World::end_of(const Address& address) const {
    WorldEnd end{.pod = {}, .node = {}, .address = address};
    const auto* owner = inventory_.owner_of(address);
    if (owner == nullptr) return end;
    end.pod = owner->pod;
    end.node = owner->node;
    if (const auto* pod = inventory_.pod(owner->pod)) end.node = pod->node;
    return end;
}

std::optional<WorldEnd> World::end_of(const ObjectName& name, bool is_v4) const {
    const auto* pod = inventory_.pod(name);
    if (pod == nullptr || pod->is_host_network || pod->is_terminated) return {};
    const auto address = std::ranges::find(pod->addresses, is_v4, &Address::is_v4);
    if (address == pod->addresses.end()) return {};
    return WorldEnd{.pod = name, .node = pod->node, .address = *address};
}

Result<> World::prepare(std::span<const ObjectName> pods) {
    bool is_changed = false;
    for (const auto& name : pods) {
        const auto* pod = inventory_.pod(name);
        if (pod == nullptr || pod->is_host_network || pod->is_terminated) continue;
        const auto slot = static_cast<std::uint32_t>(slots_.size());
        if (!slots_.try_emplace(name, slot).second) continue;
        compiler_.set_local({.slot = slot, .pod = name, .addresses = pod->addresses});
        is_changed = true;
    }
    if (!is_changed) return {};
    const auto compiled = compiler_.compile();
    if (const auto* misfit = std::get_if<DoesNotFit>(&compiled)) {
        return failure(fmt::format("the policies do not fit: {} needs {} entries and has {}",
                                   misfit->map, misfit->needed, misfit->limit));
    }
    compiler_.commit();
    return {};
}

WorldVerdict World::judge_side(const WorldEnd& source, const WorldEnd& destination,
                               weir_direction direction, std::uint8_t protocol,
                               std::uint16_t port) const {
    const bool is_egress = direction == WEIR_EGRESS;
    const WorldEnd& subject = is_egress ? source : destination;
    WorldVerdict verdict{.verdict = FlowVerdict::kAllow, .direction = direction};
    const auto slot = slots_.find(subject.pod);
    if (!subject.is_pod() || slot == slots_.end()) return verdict;
    if (source.address == destination.address) {
        verdict.rule = WEIR_RULE_OWN_ADDRESS;
        return verdict;
    }
    const auto judgement = compiler_.judge(
        slot->second, direction, is_egress ? destination.address : source.address, protocol, port);
    const bool is_own_node =
        !source.is_pod() && !source.node.get().empty() && source.node == destination.node;
    if (!is_egress && is_own_node && !judgement.is_own_node_denied) {
        verdict.rule = WEIR_RULE_OWN_NODE;
        return verdict;
    }
    verdict.rule = judgement.rule;
    if (judgement.is_audited) verdict.verdict = FlowVerdict::kAudit;
    if (!judgement.is_allowed) verdict.verdict = FlowVerdict::kDeny;
    return verdict;
}

std::optional<WorldPlace> World::place_of(const WorldEnd& source, const WorldEnd& destination,
                                          weir_direction direction) const {
    const bool is_egress = direction == WEIR_EGRESS;
    const WorldEnd& subject = is_egress ? source : destination;
    const WorldEnd& peer = is_egress ? destination : source;
    const bool is_node = !peer.is_pod() && !peer.node.get().empty();
    if (is_node || source.address == destination.address) return {};
    const auto slot = slots_.find(subject.pod);
    if (!subject.is_pod() || slot == slots_.end()) return WorldPlace{};
    const auto judgement = compiler_.judge(slot->second, direction, peer.address, 0, 0);
    return WorldPlace{judgement.table, judgement.class_id};
}

WorldVerdict World::judge(const WorldEnd& source, const WorldEnd& destination,
                          std::uint8_t protocol, std::uint16_t port) const {
    const auto egress = judge_side(source, destination, WEIR_EGRESS, protocol, port);
    if (egress.verdict == FlowVerdict::kDeny) return egress;
    const auto ingress = judge_side(source, destination, WEIR_INGRESS, protocol, port);
    if (ingress.verdict != FlowVerdict::kAllow) return ingress;
    if (egress.verdict == FlowVerdict::kAudit) return egress;
    // Both allow: the destination's rule says more, where one was needed.
    return ingress.rule == WEIR_RULE_NONE ? egress : ingress;
}

std::vector<SharedObject> changed(const std::vector<SharedObject>& objects, const Change& change) {
    std::set<ObjectKey, ObjectKeyOrder> gone(change.erasures.begin(), change.erasures.end());
    for (const auto& object : change.upserts)
        gone.insert(key_of(object));
    std::vector<SharedObject> result;
    for (const auto& object : objects) {
        if (!gone.contains(key_of(object))) result.push_back(object);
    }
    result.insert(result.end(), change.upserts.begin(), change.upserts.end());
    return result;
}

} // namespace weir
