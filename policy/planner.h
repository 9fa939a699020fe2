// SPDX-License-Identifier: Apache-2.0
// From what is desired and what is committed to the writes between them, in an order in which every
// packet sees the old or the new revision of the pod that judges it (design, section 4).
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "policy/plan.h"
#include "policy/rule_difference.h"

namespace weir {

class Planner {
public:
    Planner(Desired& desired, Mirror& mirror) : desired_(desired), mirror_(mirror) {}

    // Looks only at what settle() found changed.
    Plan plan();

private:
    // Addresses that go from one class to another.
    struct Move {
        std::uint32_t from = 0;
        std::uint32_t to = 0;
        std::uint32_t via = 0; // the transition class; 0: straight to `to`
    };

    static std::uint64_t pair_of(std::uint32_t a, std::uint32_t b) {
        return std::uint64_t{a} << 32 | b;
    }
    // Whose row a class has that has none of its own.
    static std::uint32_t above(std::uint32_t class_id) {
        const auto parent = WEIR_CLASS_PARENT(class_id);
        return parent == class_id ? static_cast<std::uint32_t>(WEIR_CLASS_NONE) : parent;
    }

    std::uint32_t class_of(const SignaturePtr& signature);
    const Signature* signature_of(std::uint32_t class_id) const; // null: an earlier agent's class
    RowStore::Id row_of(const RuleList& list, const Signature& signature);
    RowStore::Id planned_row(std::uint32_t table, std::uint32_t class_id) const;
    RowStore::Id inherited_row(std::uint32_t table, std::uint32_t class_id) const;
    void add_row(std::uint32_t table, std::uint32_t class_id, RowStore::Id row);
    bool is_kept(std::uint32_t table) const;
    std::vector<std::uint32_t> asking_tables(const Holders& predicates) const;

    void plan_prefixes();
    void plan_peers();
    template <typename Node>
    void plan_entry(Node& node, bool is_needed, std::uint32_t from,
                    std::vector<Plan::Entry<Node>>& entries, std::uint32_t& new_entries);

    void count_uses();
    template <typename Node>
    void count_uses(const std::vector<Plan::Entry<Node>>& entries);
    bool is_ending(std::uint32_t class_id) const;

    void make_tables();
    void make_renewed_tables();
    std::uint32_t target(std::uint32_t slot, weir_direction direction) const;
    void make_table(const RuleListPtr& list, std::uint32_t predecessor);
    // Sorted, so that parents come before the classes below them.
    using ClassList = std::vector<std::uint32_t>;
    ClassList classes_with(const Holders& predicates) const;
    const ClassList& classes_touched_by(const RuleDifference& difference);
    void fill(Plan::NewTable& table, const KernelTable* predecessor);
    void fill(Plan::NewTable& table, const KernelTable* predecessor, const ClassList* touched);
    void refill(Plan::NewTable& table, const KernelTable& predecessor, const ClassList& touched);
    static void add_row(Plan::NewTable& table, std::uint32_t class_id, RowStore::Id row);
    bool says_the_same(const Plan::NewTable& table, const KernelTable& predecessor) const;

    void find_left_tables();
    void renew_split_tables();
    bool tells_moves_apart(std::uint32_t table);
    std::unordered_map<std::uint32_t, std::uint32_t> origins() const;
    void add_fresh_classes_to_kept_tables();

    void route_moves();
    bool goes_straight(const Move& move);
    void add_transition(Move& move);
    template <typename Node>
    void pass_by_transitions(std::vector<Plan::Entry<Node>>& entries);

    void flip_slots();
    void flip(std::uint32_t slot, weir_direction direction, std::uint32_t table);

    Desired& desired_;
    Mirror& mirror_;
    Plan plan_;

    std::unordered_map<const Signature*, std::uint32_t> fresh_ids_;
    std::unordered_map<std::uint32_t, const Signature*> fresh_;
    std::unordered_map<const Predicate*, std::vector<std::uint32_t>> fresh_by_predicate_;
    std::unordered_map<std::uint32_t, std::int64_t> use_changes_; // by class
    std::vector<Move> moves_;
    std::unordered_map<std::uint64_t, std::size_t> move_places_; // from << 32 | to
    std::unordered_map<std::uint32_t, std::uint32_t> model_of_;  // fresh class -> its first `from`

    std::map<std::vector<std::uint32_t>, ClassList> touched_; // by the ids of the peers

    std::set<std::uint32_t> left_;    // committed tables that a slot leaves
    std::set<std::uint32_t> renewed_; // left by some slots and kept by others, which move as well
    std::vector<std::uint32_t> dead_; // left by all their slots, or an earlier agent's
    std::unordered_map<const RuleList*, std::uint32_t> new_tables_;
    // In committed tables, which get them: table << 32 | fresh class.
    std::unordered_map<std::uint64_t, RowStore::Id> added_rows_;
    std::set<std::pair<std::uint32_t, weir_direction>> flipped_;

    // Rows made on the way; the references are given back at the end.
    using RowsBySelection = std::unordered_map<RuleList::Selection, RowStore::Id, WordsHash>;
    std::unordered_map<const RuleList*, RowsBySelection> made_rows_;
};

} // namespace weir
