// SPDX-License-Identifier: Apache-2.0
#include "policy/planner.h"

#include <algorithm>

namespace weir {
Plan Planner::plan() {
    plan_prefixes();
    plan_peers();
    count_uses();
    make_tables();
    find_left_tables();
    renew_split_tables();
    add_fresh_classes_to_kept_tables();
    make_renewed_tables();
    route_moves();
    flip_slots();
    for (const auto& [list, rows] : made_rows_) {
        for (const auto& [selection, row] : rows) {
            mirror_.rows.release(row);
        }
    }
    plan_.transaction.rule = desired_.rules().last();
    plan_.write(mirror_);
    return std::move(plan_);
}

std::uint32_t Planner::class_of(const SignaturePtr& signature) {
    if (signature->is_empty()) {
        return WEIR_CLASS_NONE;
    }
    if (signature->class_id != 0) {
        return signature->class_id;
    }
    if (const auto known = fresh_ids_.find(signature.get()); known != fresh_ids_.end()) {
        return known->second;
    }
    auto& ids = mirror_.class_ids;
    const auto id =
        signature->parent ? ids.take_below(class_of(signature->parent)) : ids.take_parent();
    if (id == WEIR_CLASS_NONE) {
        plan_.is_out_of_classes = true;
        return WEIR_CLASS_NONE;
    }
    fresh_ids_[signature.get()] = id;
    fresh_[id] = signature.get();
    for (const auto* predicate : signature->own) {
        fresh_by_predicate_[predicate].push_back(id);
    }
    plan_.classes.push_back(Plan::NewClass{id, signature});
    return id;
}

const Signature* Planner::signature_of(std::uint32_t class_id) const {
    if (class_id == WEIR_CLASS_NONE) {
        return desired_.no_predicate().get();
    }
    if (const auto found = fresh_.find(class_id); found != fresh_.end()) {
        return found->second;
    }
    const auto found = mirror_.classes.find(class_id);
    return found == mirror_.classes.end() ? nullptr : found->second.signature.get();
}

RowStore::Id Planner::row_of(const RuleList& list, const Signature& signature) {
    const auto [place, is_new] =
        made_rows_[&list].try_emplace(list.select(signature), RowStore::Id{});
    if (is_new) {
        place->second = mirror_.rows.intern(list.row(place->first));
    }
    return place->second;
}

// Of a committed table, after what the plan adds to it.
RowStore::Id Planner::planned_row(std::uint32_t table, std::uint32_t class_id) const {
    const auto& known = mirror_.tables.at(table);
    for (const auto id : {class_id, WEIR_CLASS_PARENT(class_id)}) {
        if (const auto added = added_rows_.find(pair_of(table, id)); added != added_rows_.end()) {
            return added->second;
        }
        if (const auto found = known.rows.find(id); found != known.rows.end()) {
            return found->second;
        }
    }
    return known.default_row;
}

RowStore::Id Planner::inherited_row(std::uint32_t table, std::uint32_t class_id) const {
    return planned_row(table, above(class_id));
}

// For a class without address yet: the one change that a live table may see.
void Planner::add_row(std::uint32_t table, std::uint32_t class_id, RowStore::Id row) {
    if (row == inherited_row(table, class_id)) {
        return;
    }
    added_rows_[pair_of(table, class_id)] = row;
    mirror_.rows.acquire(row);
    plan_.inserts.push_back(Plan::Insert{table, class_id, row});
}

bool Planner::is_kept(std::uint32_t table) const {
    const auto& list = mirror_.tables.at(table).list;
    return list && list->uses != 0 && !renewed_.contains(table);
}

std::vector<std::uint32_t> Planner::asking_tables(const Holders& predicates) const {
    std::vector<std::uint32_t> tables;
    for (const auto* predicate : predicates) {
        const auto& asking = predicate->asking_tables();
        tables.insert(tables.end(), asking.begin(), asking.end());
    }
    std::sort(tables.begin(), tables.end());
    tables.erase(std::unique(tables.begin(), tables.end()), tables.end());
    std::erase_if(tables, [this](std::uint32_t table) { return !is_kept(table); });
    return tables;
}

template <typename Node>
void Planner::plan_entry(Node& node, bool is_needed, std::uint32_t from,
                         std::vector<Plan::Entry<Node>>& entries, std::uint32_t& new_entries) {
    const auto& record = node.second;
    if (!is_needed && !record.in_kernel) {
        return;
    }
    Plan::Entry<Node> entry{&node, from, class_of(record.desired), 0, false, is_needed};
    entry.is_written = !record.in_kernel || entry.from != entry.to;
    entries.push_back(entry);
    if (!record.in_kernel) {
        ++new_entries;
    }
    if (entry.from != entry.to &&
        move_places_.try_emplace(pair_of(entry.from, entry.to), moves_.size()).second) {
        moves_.push_back(Move{entry.from, entry.to, 0});
    }
}

void Planner::plan_prefixes() {
    auto& regions = desired_.regions();
    for (auto* node : desired_.dirty_regions()) {
        const auto* parent = regions.parent(node->first);
        const auto& outer = parent == nullptr ? desired_.no_predicate() : parent->second.desired;
        plan_entry(*node, node->second.desired != outer, regions.kernel_class(*node),
                   plan_.prefixes, plan_.new_prefixes);
    }
}

void Planner::plan_peers() {
    for (auto* node : desired_.dirty_addresses()) {
        const auto& record = node->second;
        const bool is_needed = record.desired != desired_.around(node->first);
        if (!is_needed && !record.in_kernel) {
            continue;
        }
        const auto from =
            record.in_kernel ? record.kernel_class : desired_.regions().kernel_class(node->first);
        plan_entry(*node, is_needed, from, plan_.peers, plan_.new_peers);
    }
}

void Planner::find_left_tables() {
    for (const auto number : desired_.dirty_slots()) {
        const auto& slot = desired_.slots()[number];
        for (const auto direction : {WEIR_EGRESS, WEIR_INGRESS}) {
            const auto table = WEIR_RULES_TABLE(slot.kernel_words[direction]);
            const auto& list = slot.lists[direction];
            if (table != WEIR_TABLE_NONE && (!list || list->table != table)) {
                left_.insert(table);
            }
        }
    }
}

bool Planner::tells_moves_apart(std::uint32_t table) {
    const auto& list = *mirror_.tables.at(table).list;
    const auto row = [&](std::uint32_t class_id) {
        const auto fresh = fresh_.find(class_id);
        return fresh == fresh_.end() ? planned_row(table, class_id) : row_of(list, *fresh->second);
    };
    return std::any_of(moves_.begin(), moves_.end(),
                       [&](const Move& move) { return row(move.from) != row(move.to); });
}

// A table that some slots leave and others keep cannot give a transition class both the old row and
// the new one, so all of its slots leave it.
void Planner::renew_split_tables() {
    for (const auto table : left_) {
        if (is_kept(table) && tells_moves_apart(table)) {
            renewed_.insert(table);
        }
    }
    for (const auto table : left_) {
        if (!is_kept(table)) {
            dead_.push_back(table);
        }
    }
    for (const auto table : mirror_.adopted_tables) {
        if (!left_.contains(table)) {
            dead_.push_back(table);
        }
    }
}

// The class that the first address comes from which goes to a fresh class; itself if none does.
std::unordered_map<std::uint32_t, std::uint32_t> Planner::origins() const {
    std::unordered_map<std::uint32_t, std::uint32_t> result;
    for (const auto& move : moves_) {
        if (fresh_.contains(move.to)) {
            result.try_emplace(move.to, move.from);
        }
    }
    return result;
}

void Planner::add_fresh_classes_to_kept_tables() {
    const auto origins = this->origins();
    for (const auto& fresh : plan_.classes) {
        // Most tables do not tell the fresh class from the one that it comes from.
        const auto origin = origins.find(fresh.id);
        const auto* before = origin == origins.end() ? nullptr : signature_of(origin->second);
        const auto telling = asking_tables(difference(before, fresh.signature.get()));
        for (const auto table : asking_tables(fresh.signature->own)) {
            const bool is_copy =
                before != nullptr && !std::binary_search(telling.begin(), telling.end(), table);
            add_row(table, fresh.id,
                    is_copy ? planned_row(table, origin->second)
                            : row_of(*mirror_.tables.at(table).list, *fresh.signature));
        }
    }
}

} // namespace weir
