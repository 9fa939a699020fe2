// SPDX-License-Identifier: Apache-2.0
// One state of the cluster to ask what-if questions of: its objects and a compiler of its own, in
// which any pod may be judged, whatever node it runs on. Slow and large beside the agent's own: for
// previews, on a thread of their own.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "agent/flow/flow_record.h"
#include "agent/inventory.h"
#include "loader/result.h"
#include "policy/compiler.h"
#include "policy/mesh_names.h"

namespace weir {

// One end of a flow: a pod with an address of its own, or an address (of a node, or of nobody).
struct WorldEnd {
    ObjectName pod; // empty names when it is none
    Symbol node;    // of the node it is, or that the pod runs on
    Address address;

    bool is_pod() const { return !pod.name.get().empty(); }
};

struct WorldVerdict {
    FlowVerdict verdict = FlowVerdict::kAllow;
    weir_direction direction = WEIR_EGRESS; // of the side that the rule belongs to
    std::uint32_t rule = WEIR_RULE_NONE;    // of the world's rule book

    bool operator==(const WorldVerdict&) const = default;
};

// What one side's verdicts depend on besides protocol and port.
struct WorldPlace {
    std::uint32_t table = WEIR_TABLE_NONE;
    std::uint32_t class_id = WEIR_CLASS_NONE;

    auto operator<=>(const WorldPlace&) const = default;
};

class World {
public:
    World(const std::vector<SharedObject>& objects, const MeshNames& mesh);

    const Inventory& inventory() const { return inventory_; }
    const MeshNames& mesh() const { return mesh_; }
    const RuleBook& rules() const { return compiler_.rules(); }

    // The end that has the address in this world. Family of the address.
    WorldEnd end_of(const Address& address) const;
    // The pod with its address of the family; nothing when it has none or is none of its own.
    std::optional<WorldEnd> end_of(const ObjectName& pod, bool is_v4) const;

    // Has to be called with every pod that is judged, before. Fails when their policies fit no map.
    Result<> prepare(std::span<const ObjectName> pods);
    // A new connection, both sides. A side whose pod was not prepared passes.
    WorldVerdict judge(const WorldEnd& source, const WorldEnd& destination, std::uint8_t protocol,
                       std::uint16_t port) const;
    // One side alone.
    WorldVerdict judge_side(const WorldEnd& source, const WorldEnd& destination,
                            weir_direction direction, std::uint8_t protocol,
                            std::uint16_t port) const;

    // Where the side's verdicts stand: the same for all peers, and pods, that are judged alike.
    // Nothing where the tables are not all that counts.
    std::optional<WorldPlace> place_of(const WorldEnd& source, const WorldEnd& destination,
                                       weir_direction direction) const;

private:
    Inventory inventory_{""};
    MeshNames mesh_;
    Compiler compiler_;
    std::unordered_map<ObjectName, std::uint32_t, ObjectNameHash> slots_;
};

// The objects with those of the change put in and taken away.
std::vector<SharedObject> changed(const std::vector<SharedObject>& objects, const Change& change);

} // namespace weir
