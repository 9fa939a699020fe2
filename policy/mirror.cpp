// SPDX-License-Identifier: Apache-2.0
#include "policy/mirror.h"

#include <algorithm>

#include "policy/prefix_key.h"

namespace weir {
namespace {

std::uint64_t word_of(weir_row row) {
    return std::uint64_t{row.offset} << 32 | row.count;
}

} // namespace

RowStore::Id Mirror::adopt_row(weir_row row) {
    const auto [known, is_new] = adopted_rows_.try_emplace(word_of(row));
    if (is_new) {
        known->second = rows.adopt(row);
    } else {
        rows.acquire(known->second);
    }
    return known->second;
}

void Mirror::adopt(const KernelState& kernel, Desired& desired) {
    generation = kernel.generation;
    std::vector<RangePool::Range> ranges;
    ranges.reserve(kernel.rules.size() + kernel.default_rows.size());
    for (const auto& rule : kernel.rules) {
        ranges.push_back(RangePool::Range{rule.row.offset, rule.row.count});
    }
    for (const auto& row : kernel.default_rows) {
        ranges.push_back(RangePool::Range{row.row.offset, row.row.count});
    }
    rows.reserve(std::move(ranges));
    adopt_tables(kernel);
    adopt_entries(kernel, desired);
    adopt_slots(kernel, desired);
    adopted_rows_.clear();
}

void Mirror::adopt_tables(const KernelState& kernel) {
    std::unordered_map<std::uint32_t, weir_row> default_rows;
    for (const auto& row : kernel.default_rows) {
        default_rows[row.table] = row.row;
    }
    const auto adopt_class = [this](std::uint32_t class_id) {
        for (const auto id : {class_id, WEIR_CLASS_PARENT(class_id)}) {
            if (id != WEIR_CLASS_NONE && classes.try_emplace(id).second) {
                class_ids.reserve(id);
                adopted_classes.push_back(id);
            }
        }
    };
    const auto adopt_table = [&](std::uint32_t id) -> KernelTable& {
        const auto [place, is_new] = tables.try_emplace(id);
        if (is_new) {
            table_ids.reserve(id);
            adopted_tables.push_back(id);
            place->second.default_row = adopt_row(default_rows[id]);
        }
        return place->second;
    };
    for (const auto& slot : kernel.slots) {
        if (WEIR_RULES_TABLE(slot.word) != WEIR_TABLE_NONE) {
            adopt_table(WEIR_RULES_TABLE(slot.word));
        }
    }
    for (const auto& rule : kernel.rules) {
        auto& table = adopt_table(rule.key.table);
        adopt_class(rule.key.class_id);
        table.rows.emplace(rule.key.class_id, adopt_row(rule.row));
        ++rules;
    }
    for (const auto& peer : kernel.peers) {
        adopt_class(peer.class_id);
    }
    for (const auto& prefix : kernel.prefixes) {
        adopt_class(prefix.class_id);
    }
}

void Mirror::adopt_entries(const KernelState& kernel, Desired& desired) {
    const auto adopt_entry = [this, &desired](auto& node, std::uint32_t class_id) {
        node.second.in_kernel = true;
        node.second.kernel_class = class_id;
        if (class_id != WEIR_CLASS_NONE) {
            ++classes[class_id].uses;
        }
        desired.touch(node);
    };
    for (const auto& peer : kernel.peers) {
        adopt_entry(desired.addresses().node(Address::from_abi(peer.address)), peer.class_id);
    }
    for (const auto& prefix : kernel.prefixes) {
        adopt_entry(desired.regions().node(cidr_of(prefix.prefix)), prefix.class_id);
    }
    peers = static_cast<std::uint32_t>(kernel.peers.size());
    prefixes = static_cast<std::uint32_t>(kernel.prefixes.size());
}

void Mirror::adopt_slots(const KernelState& kernel, Desired& desired) {
    for (const auto& slot : kernel.slots) {
        desired.slots()[slot.slot].kernel_words[slot.direction] = slot.word;
        if (const auto table = tables.find(WEIR_RULES_TABLE(slot.word)); table != tables.end()) {
            table->second.slots.emplace_back(slot.slot, slot.direction);
        }
    }
}

void Mirror::give_table(std::uint32_t id, const RuleListPtr& list) {
    auto& table = tables.at(id);
    for (auto* predicate : table.list->predicates()) {
        erase_sorted(predicate->tables, id);
    }
    table.list->table = WEIR_TABLE_NONE;
    table.list = list;
    list->table = id;
    for (auto* predicate : list->predicates()) {
        insert_sorted(predicate->tables, id);
    }
}

void Mirror::drop_class_if_unused(std::uint32_t class_id, Leavings& left) {
    const auto found = classes.find(class_id);
    if (found == classes.end() || found->second.uses != 0) {
        return;
    }
    const auto parent = WEIR_CLASS_PARENT(class_id);
    const auto signature = found->second.signature;
    classes.erase(found);
    if (signature) {
        signature->class_id = WEIR_CLASS_NONE;
        for (auto* predicate : signature->own) {
            erase_sorted(predicate->classes, class_id);
            for (const auto table : predicate->asking_tables()) {
                auto& asking = tables.at(table).rows;
                if (const auto row = asking.find(class_id); row != asking.end()) {
                    left.rules.emplace_back(weir_rule_key{table, class_id}, row->second);
                    asking.erase(row);
                }
            }
        }
        left.classes.push_back(class_id);
        if (parent != class_id && parent != WEIR_CLASS_NONE) {
            --classes.at(parent).uses;
            drop_class_if_unused(parent, left);
        }
    } else {
        late_classes_.push_back(class_id);
    }
}

void Mirror::drop_table_if_unused(std::uint32_t id, Leavings& left) {
    const auto found = tables.find(id);
    if (found == tables.end() || !found->second.slots.empty()) {
        return;
    }
    auto& table = found->second;
    if (table.list) {
        for (auto* predicate : table.list->predicates()) {
            erase_sorted(predicate->tables, id);
        }
        if (table.list->table == id) {
            table.list->table = WEIR_TABLE_NONE;
        }
    }
    for (const auto& [class_id, row] : table.rows) {
        left.rules.emplace_back(weir_rule_key{id, class_id}, row);
    }
    left.default_rows.push_back(table.default_row);
    left.tables.push_back(id);
    tables.erase(found);
}

Garbage Mirror::take_garbage(std::uint64_t up_to_commit) {
    Garbage garbage;
    while (!leavings.empty() && leavings.front().commit <= up_to_commit) {
        auto& left = leavings.front();
        for (const auto& [key, row] : left.rules) {
            garbage.rules.push_back(key);
        }
        // In use again since, or left once more by a later commit.
        const auto is_needed = [&](const auto* node) {
            return !node->second.is_garbage || node->second.garbage_since != left.commit;
        };
        std::erase_if(left.peers, is_needed);
        std::erase_if(left.prefixes, is_needed);
        for (const auto* node : left.peers) {
            garbage.peers.push_back(node->first.to_abi());
        }
        for (const auto* node : left.prefixes) {
            garbage.prefixes.push_back(prefix_of(node->first));
        }
        taken.push_back(std::move(left));
        leavings.pop_front();
    }
    return garbage;
}

void Mirror::reclaim(Desired& desired) {
    Leavings late;
    const auto forget = [&](auto& node, std::uint32_t& count) {
        node.second.in_kernel = false;
        node.second.is_garbage = false;
        --count;
        if (const auto found = classes.find(node.second.kernel_class); found != classes.end()) {
            --found->second.uses;
            drop_class_if_unused(found->first, late);
        }
    };
    for (auto& left : taken) {
        for (const auto& [key, row] : left.rules) {
            rows.release(row);
        }
        rules -= static_cast<std::uint32_t>(left.rules.size());
        for (const auto row : left.default_rows) {
            rows.release(row);
        }
        for (const auto id : left.tables) {
            table_ids.give_back(id);
        }
        for (const auto id : left.classes) {
            class_ids.give_back(id);
        }
        for (auto* node : left.peers) {
            forget(*node, peers);
            desired.addresses().drop_if_idle(*node);
        }
        for (auto* node : left.prefixes) {
            forget(*node, prefixes);
            desired.regions().drop_if_idle(*node);
        }
    }
    taken.clear();
    if (!late.classes.empty()) {
        late.commit = commits;
        leavings.push_back(std::move(late));
    }
    if (adopted_tables.empty()) {
        for (const auto id : late_classes_) {
            class_ids.give_back(id);
        }
        late_classes_.clear();
    }
}

} // namespace weir
