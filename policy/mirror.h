// SPDX-License-Identifier: Apache-2.0
// What is committed to the kernel's tables, classes and rows, and what waits there to be erased.
// The committed class of an address or prefix is with the address or region itself
// (kernel_entry.h).
#pragma once

#include <boost/container/flat_map.hpp>
#include <cstdint>
#include <deque>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

#include "policy/class_ids.h"
#include "policy/desired.h"
#include "policy/id_pool.h"
#include "policy/row_store.h"
#include "policy/rule_list.h"
#include "policy/signature.h"
#include "policy/transaction.h"

namespace weir {

// The rows of a table that differ from what the class has without one: its parent's row, or the
// table's default.
using ClassRows = boost::container::flat_map<std::uint32_t, RowStore::Id>; // by class

inline std::optional<RowStore::Id> find_row(const ClassRows& rows, std::uint32_t class_id) {
    for (const auto id : {class_id, WEIR_CLASS_PARENT(class_id)}) {
        if (const auto found = rows.find(id); found != rows.end()) {
            return found->second;
        }
    }
    return std::nullopt;
}

struct KernelTable {
    RuleListPtr list; // null: an earlier agent's, whose rules are not known
    RowStore::Id default_row = 0;
    ClassRows rows;
    std::vector<std::pair<std::uint32_t, weir_direction>> slots;

    RowStore::Id row(std::uint32_t class_id) const {
        return find_row(rows, class_id).value_or(default_row);
    }
};

struct KernelClass {
    SignaturePtr signature; // null: an earlier agent's
    std::uint32_t uses = 0; // by entries of weir_peers and weir_prefixes, and classes below it
};

// What one commit leaves behind.
struct Leavings {
    std::uint64_t commit = 0;
    std::vector<std::pair<weir_rule_key, RowStore::Id>> rules;
    std::vector<RowStore::Id> default_rows;
    std::vector<std::uint32_t> tables;
    std::vector<std::uint32_t> classes;
    std::vector<AddressNode*> peers;
    std::vector<RegionNode*> prefixes;
};

struct Mirror {
    std::unordered_map<std::uint32_t, KernelTable> tables;
    std::unordered_map<std::uint32_t, KernelClass> classes;
    IdPool table_ids{WEIR_TABLE_FIRST};
    ClassIds class_ids;
    RowStore rows;
    std::uint32_t generation = 0;
    std::uint32_t last_rule = 0; // id, when last committed
    std::uint64_t commits = 0;
    std::uint32_t peers = 0;
    std::uint32_t prefixes = 0;
    std::uint32_t rules = 0; // leavings included
    std::deque<Leavings> leavings;
    std::vector<Leavings> taken;

    // An earlier agent's that were not erased yet, and that may be at the next commit.
    std::vector<std::uint32_t> adopted_tables;
    std::vector<std::uint32_t> adopted_classes;

    // Takes over the maps of an earlier agent.
    void adopt(const KernelState& kernel, Desired& desired);

    // The table has been one list's and is the other's, which says the same of every class.
    void give_table(std::uint32_t id, const RuleListPtr& list);

    // The class's last entry may be gone: then so are its rows.
    void drop_class_if_unused(std::uint32_t class_id, Leavings& leavings);
    // The table's last slot may be gone.
    void drop_table_if_unused(std::uint32_t table, Leavings& leavings);

    Garbage take_garbage(std::uint64_t up_to_commit);
    void reclaim(Desired& desired);

private:
    RowStore::Id adopt_row(weir_row row);
    void adopt_tables(const KernelState& kernel);
    void adopt_entries(const KernelState& kernel, Desired& desired);
    void adopt_slots(const KernelState& kernel, Desired& desired);

    // Only while adopting: equal places are one row.
    std::unordered_map<std::uint64_t, RowStore::Id> adopted_rows_;
    // Class ids of an earlier agent stay set aside while a slot names a table of its.
    std::vector<std::uint32_t> late_classes_;
};

} // namespace weir
