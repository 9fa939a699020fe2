// SPDX-License-Identifier: Apache-2.0
// Planner: the tables of rule lists that have none. What a list has in common with the one that it
// follows is taken from that one's table; where that is everything, so is the table.
#include <algorithm>
#include <iterator>

#include "policy/planner.h"
#include "policy/sort_unique.h"

namespace weir {
void Planner::count_uses() {
    count_uses(plan_.peers);
    count_uses(plan_.prefixes);
    for (const auto& fresh : plan_.classes) {
        ++use_changes_[above(fresh.id)];
    }
}

template <typename Node>
void Planner::count_uses(const std::vector<Plan::Entry<Node>>& entries) {
    for (const auto& entry : entries) {
        if (entry.is_written) {
            if (entry.node->second.in_kernel) {
                --use_changes_[entry.from];
            }
            ++use_changes_[entry.to];
        }
    }
}

// Whether the class's last address leaves it with this plan.
bool Planner::is_ending(std::uint32_t class_id) const {
    const auto change = use_changes_.find(class_id);
    if (change == use_changes_.end()) {
        return false;
    }
    const auto known = mirror_.classes.find(class_id);
    return known != mirror_.classes.end() && known->second.uses + change->second == 0;
}

void Planner::make_tables() {
    for (const auto number : desired_.dirty_slots()) {
        const auto& slot = desired_.slots()[number];
        for (const auto direction : {WEIR_EGRESS, WEIR_INGRESS}) {
            const auto& list = slot.lists[direction];
            if (list && list->table == WEIR_TABLE_NONE) {
                make_table(list, WEIR_RULES_TABLE(slot.kernel_words[direction]));
            }
        }
    }
}

void Planner::make_renewed_tables() {
    for (const auto table : renewed_) {
        make_table(mirror_.tables.at(table).list, table);
    }
}

// The predecessor is the table that the list's slot names now, if any.
void Planner::make_table(const RuleListPtr& list, std::uint32_t predecessor) {
    if (new_tables_.contains(list.get())) {
        return;
    }
    const auto known = mirror_.tables.find(predecessor);
    const auto* before =
        known != mirror_.tables.end() && known->second.list ? &known->second : nullptr;
    Plan::NewTable table{WEIR_TABLE_NONE, list, row_of(*list, *desired_.no_predicate()), {}};
    fill(table, before);
    if (before != nullptr && before->list->uses == 0 && says_the_same(table, *before)) {
        plan_.takeovers.push_back(Plan::Takeover{predecessor, before->list});
        mirror_.give_table(predecessor, list);
        return;
    }
    // Only now: the fresh ones that its addresses go to are told from the class that ends.
    table.rows.erase(std::remove_if(table.rows.begin(), table.rows.end(),
                                    [this](const auto& row) { return is_ending(row.first); }),
                     table.rows.end());
    mirror_.rows.acquire(table.default_row);
    for (const auto& [class_id, row] : table.rows) {
        mirror_.rows.acquire(row);
    }
    table.id = mirror_.table_ids.take();
    new_tables_[list.get()] = table.id;
    plan_.tables.push_back(std::move(table));
}

// The table that the slot shall name.
std::uint32_t Planner::target(std::uint32_t slot, weir_direction direction) const {
    const auto& list = desired_.slots()[slot].lists[direction];
    if (!list) {
        return WEIR_TABLE_NONE;
    }
    const auto made = new_tables_.find(list.get());
    return made == new_tables_.end() ? list->table : made->second;
}

Planner::ClassList Planner::classes_with(const Holders& predicates) const {
    ClassList classes;
    for (const auto* predicate : predicates) {
        classes.insert(classes.end(), predicate->classes.begin(), predicate->classes.end());
        if (const auto fresh = fresh_by_predicate_.find(predicate);
            fresh != fresh_by_predicate_.end()) {
            classes.insert(classes.end(), fresh->second.begin(), fresh->second.end());
        }
    }
    sort_unique(classes);
    return classes;
}

// Those for which a peer of the rules holds, and all below them: a rule that matches the parent and
// not the class changes what the class must have a row for.
const Planner::ClassList& Planner::classes_touched_by(const RuleDifference& difference) {
    Holders peers;
    for (const auto* rule : difference.rules()) {
        for (const auto& peer : rule->peers) {
            peers.push_back(peer.get());
        }
    }
    std::vector<std::uint32_t> ids;
    std::transform(peers.begin(), peers.end(), std::back_inserter(ids),
                   [](const Predicate* peer) { return peer->id; });
    const auto [place, is_new] = touched_.try_emplace(std::move(ids));
    auto& classes = place->second;
    if (!is_new) {
        return classes;
    }
    classes = classes_with(peers);
    for (std::size_t i = 0, count = classes.size(); i < count; ++i) {
        const auto parent = classes[i];
        if (parent != WEIR_CLASS_PARENT(parent)) {
            continue;
        }
        for (auto id = parent + 1; id < mirror_.class_ids.end_below(parent); ++id) {
            if (signature_of(id) != nullptr) {
                classes.push_back(id);
            }
        }
    }
    sort_unique(classes);
    return classes;
}

void Planner::add_row(Plan::NewTable& table, std::uint32_t class_id, RowStore::Id row) {
    if (row != find_row(table.rows, above(class_id)).value_or(table.default_row)) {
        table.rows.emplace(class_id, row);
    }
}

// The row that a class has in a table, its own or not, is what the table's list says of it, so the
// predecessor knows the rows of all classes but those that are fresh or touched.
void Planner::fill(Plan::NewTable& table, const KernelTable* predecessor) {
    if (predecessor == nullptr) {
        return fill(table, nullptr, nullptr);
    }
    const RuleDifference difference(*predecessor->list, *table.list);
    if (difference.is_of_all()) {
        return fill(table, nullptr, nullptr);
    }
    const auto& touched = classes_touched_by(difference);
    if (touched.size() > predecessor->rows.size()) {
        return fill(table, predecessor, &touched);
    }
    refill(table, *predecessor, touched);
}

// Class by class.
void Planner::fill(Plan::NewTable& table, const KernelTable* predecessor,
                   const ClassList* touched) {
    for (const auto class_id : classes_with(table.list->predicates())) {
        const bool is_known = touched != nullptr && !fresh_.contains(class_id) &&
                              !std::binary_search(touched->begin(), touched->end(), class_id);
        add_row(
            table, class_id,
            is_known ? predecessor->row(class_id) : row_of(*table.list, *signature_of(class_id)));
    }
}

// The predecessor's rows with other ones for the touched classes and those that are fresh.
void Planner::refill(Plan::NewTable& table, const KernelTable& predecessor,
                     const ClassList& touched) {
    const auto& asked = table.list->predicates();
    const auto is_asked = [&](const Predicate* predicate) {
        return std::binary_search(asked.begin(), asked.end(), predicate, is_before_by_id);
    };
    table.rows = predecessor.rows;
    for (const auto class_id : touched) {
        table.rows.erase(class_id);
    }
    auto classes = touched;
    for (const auto& fresh : plan_.classes) {
        classes.push_back(fresh.id);
    }
    sort_unique(classes);
    for (const auto class_id : classes) {
        const auto& signature = *signature_of(class_id);
        if (std::any_of(signature.own.begin(), signature.own.end(), is_asked)) {
            add_row(table, class_id, row_of(*table.list, signature));
        }
    }
}

// Fresh classes aside: they have no address yet, so that the predecessor may get their rows.
bool Planner::says_the_same(const Plan::NewTable& table, const KernelTable& predecessor) const {
    auto made = table.rows.begin();
    for (const auto& known : predecessor.rows) {
        made = std::find_if(made, table.rows.end(),
                            [this](const auto& row) { return !fresh_.contains(row.first); });
        if (made == table.rows.end() || *made != known) {
            return false;
        }
        ++made;
    }
    return table.default_row == predecessor.default_row &&
           std::all_of(made, table.rows.end(),
                       [this](const auto& row) { return fresh_.contains(row.first); });
}

} // namespace weir
