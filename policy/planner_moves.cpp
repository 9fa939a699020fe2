// SPDX-License-Identifier: Apache-2.0
// Planner: addresses that go to another class, and the slots that flip.
#include <algorithm>

#include "policy/planner.h"

namespace weir {
void Planner::route_moves() {
    // A class below another may inherit what is added for that one.
    for (const bool is_parent : {true, false}) {
        for (auto& move : moves_) {
            if ((move.to == WEIR_CLASS_PARENT(move.to)) == is_parent && !goes_straight(move)) {
                add_transition(move);
            }
        }
    }
    pass_by_transitions(plan_.peers);
    pass_by_transitions(plan_.prefixes);
}

template <typename Node>
void Planner::pass_by_transitions(std::vector<Plan::Entry<Node>>& entries) {
    for (auto& entry : entries) {
        if (entry.from != entry.to) {
            entry.via = moves_[move_places_.at(pair_of(entry.from, entry.to))].via;
        }
    }
}

// Whether the tables that are left may see the new class at once.
bool Planner::goes_straight(const Move& move) {
    auto model = move.to;
    if (fresh_.contains(move.to)) {
        // Nobody is in the class yet, so it gets in the old tables what its first member had there.
        const auto [place, is_first] = model_of_.try_emplace(move.to, move.from);
        model = place->second;
        if (is_first) {
            for (const auto id : dead_) {
                add_row(id, move.to, planned_row(id, move.from));
            }
            return true;
        }
    }
    return std::all_of(dead_.begin(), dead_.end(), [&](std::uint32_t table) {
        return planned_row(table, move.from) == planned_row(table, model);
    });
}

// The transition class is below the new class's parent, so that only tables that tell the new class
// from its parent need a row for it, and those that are left.
void Planner::add_transition(Move& move) {
    move.via = mirror_.class_ids.take_below(WEIR_CLASS_PARENT(move.to));
    if (move.via == WEIR_CLASS_NONE) {
        plan_.is_out_of_classes = true;
        return;
    }
    plan_.transitions.push_back(move.via);
    const auto pass = [&](std::uint32_t table, RowStore::Id row) {
        mirror_.rows.acquire(row);
        plan_.passing.push_back(Plan::Insert{table, move.via, row});
    };
    const auto pass_if_told = [&](std::uint32_t table, std::uint32_t class_id) {
        if (const auto row = planned_row(table, class_id); row != inherited_row(table, move.via)) {
            pass(table, row);
        }
    };
    for (const auto id : dead_) {
        pass_if_told(id, move.from);
    }
    if (move.to == WEIR_CLASS_PARENT(move.to)) {
        return;
    }
    for (const auto id : asking_tables(signature_of(move.to)->own)) {
        pass_if_told(id, move.to);
    }
    for (const auto& table : plan_.tables) {
        if (const auto row = table.rows.find(move.to); row != table.rows.end()) {
            pass(table.id, row->second);
        }
    }
}

void Planner::flip(std::uint32_t slot, weir_direction direction, std::uint32_t table) {
    if (!flipped_.emplace(slot, direction).second) {
        return;
    }
    const auto generation = ++plan_.transaction.generation;
    const auto word = table == WEIR_TABLE_NONE ? 0 : WEIR_RULES_WORD(generation, table);
    plan_.transaction.flips.push_back(Flip{slot, direction, word});
}

void Planner::flip_slots() {
    plan_.transaction.generation = mirror_.generation;
    for (const auto number : desired_.dirty_slots()) {
        for (const auto direction : {WEIR_EGRESS, WEIR_INGRESS}) {
            const auto table = target(number, direction);
            if (WEIR_RULES_TABLE(desired_.slots()[number].kernel_words[direction]) != table) {
                flip(number, direction, table);
            }
        }
    }
    for (const auto id : renewed_) {
        const auto& table = mirror_.tables.at(id);
        for (const auto& [slot, direction] : table.slots) {
            flip(slot, direction, new_tables_.at(table.list.get()));
        }
    }
    // Connections are judged again where the table tells an address's old and new class apart.
    std::unordered_set<std::uint32_t> told_apart;
    for (const auto& move : moves_) {
        for (const auto id :
             asking_tables(difference(signature_of(move.from), signature_of(move.to)))) {
            if (!told_apart.contains(id) &&
                planned_row(id, move.from) != planned_row(id, move.to)) {
                told_apart.insert(id);
            }
        }
    }
    for (const auto id : told_apart) {
        for (const auto& [slot, direction] : mirror_.tables.at(id).slots) {
            flip(slot, direction, id);
        }
    }
    // Used up even if the plan is given back: a write that failed after its flips was seen by
    // packets, and their verdicts are cached under these generations.
    mirror_.generation = plan_.transaction.generation;
}

} // namespace weir
