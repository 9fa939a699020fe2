// SPDX-License-Identifier: Apache-2.0
#include "policy/planner.h"

#include <algorithm>

namespace weir {
namespace {

constexpr std::array kBoth{WEIR_EGRESS, WEIR_INGRESS};

std::uint64_t pair_of(std::uint32_t a, std::uint32_t b) {
    return std::uint64_t{a} << 32 | b;
}

} // namespace

Plan Planner::plan() {
    plan_prefixes();
    plan_peers();
    find_left_tables();
    renew_split_tables();
    add_fresh_classes_to_kept_tables();
    make_tables();
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
    auto& id = fresh_ids_[signature.get()];
    if (id == 0) {
        id = mirror_.class_ids.take();
        fresh_[id] = signature.get();
        for (const auto& predicate : signature->predicates) {
            fresh_by_predicate_[predicate.get()].push_back(id);
        }
        plan_.classes.push_back(Plan::NewClass{id, signature});
    }
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

RowStore::Id Planner::committed_row(std::uint32_t table, std::uint32_t class_id) const {
    return mirror_.tables.at(table).row(class_id);
}

// Of a table that stays: fresh classes have been given rows there.
RowStore::Id Planner::kept_row(std::uint32_t table, std::uint32_t class_id) const {
    if (const auto fresh = kept_rows_.find(pair_of(table, class_id)); fresh != kept_rows_.end()) {
        return fresh->second;
    }
    return committed_row(table, class_id);
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
        for (const auto direction : kBoth) {
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
        return fresh == fresh_.end() ? committed_row(table, class_id)
                                     : row_of(list, *fresh->second);
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
        Holders predicates;
        for (const auto& predicate : fresh.signature->predicates) {
            predicates.push_back(predicate.get());
        }
        // Most tables do not tell the fresh class from the one that it comes from.
        const auto origin = origins.find(fresh.id);
        const auto* before = origin == origins.end() ? nullptr : signature_of(origin->second);
        const auto telling = asking_tables(difference(before, fresh.signature.get()));
        for (const auto table : asking_tables(predicates)) {
            const auto& known = mirror_.tables.at(table);
            const bool is_copy =
                before != nullptr && !std::binary_search(telling.begin(), telling.end(), table);
            const auto row =
                is_copy ? known.row(origin->second) : row_of(*known.list, *fresh.signature);
            if (row != known.default_row) {
                kept_rows_[pair_of(table, fresh.id)] = row;
                mirror_.rows.acquire(row);
                plan_.inserts.push_back(Plan::Insert{table, fresh.id, row});
            }
        }
    }
}

void Planner::make_tables() {
    count_uses(plan_.peers);
    count_uses(plan_.prefixes);
    for (const auto table : renewed_) {
        make_table(mirror_.tables.at(table).list);
    }
    for (const auto number : desired_.dirty_slots()) {
        for (const auto direction : kBoth) {
            target(number, direction);
        }
    }
    for (auto& table : plan_.tables) {
        fill_table(table);
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

std::uint32_t Planner::make_table(const RuleListPtr& list) {
    auto& id = new_tables_[list.get()];
    if (id == WEIR_TABLE_NONE) {
        id = mirror_.table_ids.take();
        const auto row = row_of(*list, *desired_.no_predicate());
        mirror_.rows.acquire(row);
        plan_.tables.push_back(Plan::NewTable{id, list, row, {}});
    }
    return id;
}

// The table that the slot shall name; made if it is missing.
std::uint32_t Planner::target(std::uint32_t slot, weir_direction direction) {
    const auto& list = desired_.slots()[slot].lists[direction];
    if (!list) {
        return WEIR_TABLE_NONE;
    }
    if (list->table == WEIR_TABLE_NONE || renewed_.contains(list->table)) {
        return make_table(list);
    }
    return list->table;
}

std::vector<std::uint32_t> Planner::classes_asked_by(const RuleList& list) const {
    std::vector<std::uint32_t> classes;
    for (const auto* predicate : list.predicates()) {
        classes.insert(classes.end(), predicate->classes.begin(), predicate->classes.end());
        if (const auto fresh = fresh_by_predicate_.find(predicate);
            fresh != fresh_by_predicate_.end()) {
            classes.insert(classes.end(), fresh->second.begin(), fresh->second.end());
        }
    }
    std::sort(classes.begin(), classes.end());
    classes.erase(std::unique(classes.begin(), classes.end()), classes.end());
    return classes;
}

void Planner::fill_table(Plan::NewTable& table) {
    const auto is_ending = [this](std::uint32_t class_id) {
        const auto change = use_changes_.find(class_id);
        const auto known = mirror_.classes.find(class_id);
        return change != use_changes_.end() && known != mirror_.classes.end() &&
               known->second.uses + change->second == 0;
    };
    for (const auto class_id : classes_asked_by(*table.list)) {
        if (is_ending(class_id)) {
            continue;
        }
        const auto row = row_of(*table.list, *signature_of(class_id));
        if (row != table.default_row) {
            mirror_.rows.acquire(row);
            table.rows.emplace_hint(table.rows.end(), class_id, row);
        }
    }
}

void Planner::route_moves() {
    for (auto& move : moves_) {
        if (!goes_straight(move)) {
            add_transition(move);
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
                const auto& rows = mirror_.tables.at(id).rows;
                if (const auto row = rows.find(move.from); row != rows.end()) {
                    mirror_.rows.acquire(row->second);
                    plan_.inserts.push_back(Plan::Insert{id, move.to, row->second});
                }
            }
            return true;
        }
    }
    return std::all_of(dead_.begin(), dead_.end(), [&](std::uint32_t table) {
        return committed_row(table, move.from) == committed_row(table, model);
    });
}

void Planner::add_transition(Move& move) {
    move.via = mirror_.class_ids.take();
    plan_.transitions.push_back(move.via);
    const auto pass = [&](std::uint32_t table, RowStore::Id row) {
        mirror_.rows.acquire(row);
        plan_.passing.push_back(Plan::Insert{table, move.via, row});
    };
    for (const auto id : dead_) {
        const auto& table = mirror_.tables.at(id);
        if (table.row(move.from) != table.default_row) {
            pass(id, table.row(move.from));
        }
    }
    Holders predicates;
    for (const auto& predicate : signature_of(move.to)->predicates) {
        predicates.push_back(predicate.get());
    }
    for (const auto id : asking_tables(predicates)) {
        if (kept_row(id, move.to) != mirror_.tables.at(id).default_row) {
            pass(id, kept_row(id, move.to));
        }
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
        for (const auto direction : kBoth) {
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
            if (!told_apart.contains(id) && kept_row(id, move.from) != kept_row(id, move.to)) {
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
