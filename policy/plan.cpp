// SPDX-License-Identifier: Apache-2.0
#include "policy/plan.h"

#include <algorithm>

#include "policy/prefix_key.h"

namespace weir {
void Plan::write(Mirror& mirror) {
    write_rows(mirror);
    write_entries();
}

void Plan::write_rows(Mirror& mirror) {
    for (const auto id : mirror.rows.take_new()) {
        const auto content = mirror.rows.content(id);
        transaction.rows.push_back(
            RowWrite{mirror.rows.place(id).offset, {content.begin(), content.end()}});
    }
    const auto insert = [&](std::uint32_t table, std::uint32_t class_id, RowStore::Id row) {
        transaction.rules.push_back(
            RuleInsert{weir_rule_key{table, class_id}, mirror.rows.place(row)});
    };
    for (const auto& table : tables) {
        transaction.default_rows.push_back(
            DefaultRowWrite{table.id, mirror.rows.place(table.default_row)});
        for (const auto& [class_id, row] : table.rows) {
            insert(table.id, class_id, row);
        }
    }
    for (const auto& added : inserts) {
        insert(added.table, added.class_id, added.row);
    }
    for (const auto& added : passing) {
        insert(added.table, added.class_id, added.row);
    }
}

void Plan::write_entries() {
    for (const auto& entry : peers) {
        if (entry.is_written) {
            const auto address = entry.node->first.to_abi();
            transaction.peers.push_back(PeerWrite{address, entry.via != 0 ? entry.via : entry.to});
            if (entry.via != 0) {
                transaction.final_peers.push_back(PeerWrite{address, entry.to});
            }
        }
    }
    // Longest first: a region inside another has its own entry before the outer one changes.
    std::sort(prefixes.begin(), prefixes.end(), [](const auto& a, const auto& b) {
        return a.node->first.prefix_length > b.node->first.prefix_length;
    });
    for (const auto& entry : prefixes) {
        if (entry.is_written) {
            const auto prefix = prefix_of(entry.node->first);
            transaction.prefixes.push_back(
                PrefixWrite{prefix, entry.via != 0 ? entry.via : entry.to});
            if (entry.via != 0) {
                transaction.final_prefixes.push_back(PrefixWrite{prefix, entry.to});
            }
        }
    }
}

void Plan::discard(Mirror& mirror) {
    for (const auto& table : tables) {
        for (const auto& [class_id, row] : table.rows) {
            mirror.rows.release(row);
        }
        mirror.rows.release(table.default_row);
        mirror.table_ids.give_back(table.id);
    }
    for (auto takeover = takeovers.rbegin(); takeover != takeovers.rend(); ++takeover) {
        mirror.give_table(takeover->table, takeover->before);
    }
    for (const auto& insert : inserts) {
        mirror.rows.release(insert.row);
    }
    for (const auto& insert : passing) {
        mirror.rows.release(insert.row);
    }
    for (const auto& fresh : classes) {
        mirror.class_ids.give_back(fresh.id);
    }
    for (const auto id : transitions) {
        mirror.class_ids.give_back(id);
    }
    *this = Plan{};
}

void Plan::commit_tables(Mirror& mirror) {
    for (const auto& fresh : classes) {
        mirror.classes[fresh.id].signature = fresh.signature;
        fresh.signature->class_id = fresh.id;
        for (auto* predicate : fresh.signature->own) {
            insert_sorted(predicate->classes, fresh.id);
        }
        if (const auto parent = WEIR_CLASS_PARENT(fresh.id); parent != fresh.id && parent != 0) {
            ++mirror.classes.at(parent).uses;
        }
    }
    for (auto& table : tables) {
        mirror.rules += static_cast<std::uint32_t>(table.rows.size());
        for (auto* predicate : table.list->predicates()) {
            insert_sorted(predicate->tables, table.id);
        }
        table.list->table = table.id;
        table.rows.shrink_to_fit();
        mirror.tables[table.id] =
            KernelTable{table.list, table.default_row, std::move(table.rows), {}};
    }
    for (const auto& insert : inserts) {
        mirror.tables.at(insert.table).rows.emplace(insert.class_id, insert.row);
    }
    mirror.rules += static_cast<std::uint32_t>(inserts.size() + passing.size());
}

void Plan::commit_flips(Mirror& mirror, Desired& desired, Leavings& left) {
    std::vector<std::uint32_t> left_tables;
    for (const auto& flip : transaction.flips) {
        auto& word = desired.slots()[flip.slot].kernel_words[flip.direction];
        const auto before = WEIR_RULES_TABLE(word);
        const auto after = WEIR_RULES_TABLE(flip.word);
        word = flip.word;
        if (before == after) {
            continue;
        }
        if (const auto found = mirror.tables.find(before); found != mirror.tables.end()) {
            std::erase(found->second.slots, std::pair(flip.slot, flip.direction));
            left_tables.push_back(before);
        }
        if (after != WEIR_TABLE_NONE) {
            mirror.tables.at(after).slots.emplace_back(flip.slot, flip.direction);
        }
    }
    // Only now: a slot may come to a table that another one leaves.
    for (const auto table : left_tables) {
        mirror.drop_table_if_unused(table, left);
    }
    std::erase_if(mirror.adopted_tables, [&](std::uint32_t table) {
        mirror.drop_table_if_unused(table, left);
        return !mirror.tables.contains(table);
    });
}

template <typename Node>
void Plan::commit_entries(std::vector<Entry<Node>>& entries, Mirror& mirror,
                          std::vector<Node*>& left) {
    for (auto& entry : entries) {
        auto& record = entry.node->second;
        if (entry.is_written) {
            if (record.in_kernel) {
                if (const auto old = mirror.classes.find(record.kernel_class);
                    old != mirror.classes.end()) {
                    --old->second.uses;
                }
            }
            if (entry.to != WEIR_CLASS_NONE) {
                ++mirror.classes.at(entry.to).uses;
            }
            record.in_kernel = true;
            record.kernel_class = entry.to;
        }
        if (entry.is_needed) {
            record.is_garbage = false;
        } else if (record.in_kernel && !record.is_garbage) {
            record.is_garbage = true;
            record.garbage_since = mirror.commits;
            left.push_back(entry.node);
        }
    }
}

void Plan::drop_classes(Mirror& mirror, Leavings& left) {
    for (const auto& entry : peers) {
        mirror.drop_class_if_unused(entry.from, left);
    }
    for (const auto& entry : prefixes) {
        mirror.drop_class_if_unused(entry.from, left);
    }
    for (const auto class_id : mirror.adopted_classes) {
        mirror.drop_class_if_unused(class_id, left);
    }
    mirror.adopted_classes.clear();
    for (const auto& insert : passing) {
        left.rules.emplace_back(weir_rule_key{insert.table, insert.class_id}, insert.row);
    }
    left.classes.insert(left.classes.end(), transitions.begin(), transitions.end());
}

void Plan::commit(Mirror& mirror, Desired& desired) {
    Leavings left;
    left.commit = ++mirror.commits;
    mirror.last_rule = transaction.rule;
    commit_tables(mirror);
    commit_entries(peers, mirror, left.peers);
    commit_entries(prefixes, mirror, left.prefixes);
    mirror.peers += new_peers;
    mirror.prefixes += new_prefixes;
    // Tables first: a table that goes takes its rows of classes that go with it.
    commit_flips(mirror, desired, left);
    drop_classes(mirror, left);
    mirror.leavings.push_back(std::move(left));
    desired.clear_dirty();
}

} // namespace weir
