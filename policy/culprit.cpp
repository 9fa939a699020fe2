// SPDX-License-Identifier: Apache-2.0
#include "policy/culprit.h"

#include <algorithm>
#include <map>
#include <set>
#include <unordered_map>

namespace weir {
namespace {

// How many new entries each policy is behind.
class Blame {
public:
    Blame(const RuleBook& rules, std::uint32_t last_committed)
        : rules_(rules), last_committed_(last_committed) {}

    // One entry that is there because of these rules.
    void add(const std::set<std::uint32_t>& rule_ids) {
        std::set<std::string> all;
        std::set<std::string> fresh;
        for (const auto id : rule_ids) {
            const auto* info = id < WEIR_RULE_FIRST ? nullptr : rules_.find(id);
            if (info == nullptr || !info->index) {
                continue;
            }
            const auto name = name_of(*info);
            all.insert(name);
            if (id > last_committed_) {
                fresh.insert(name);
            }
        }
        for (const auto& name : all)
            ++all_[name];
        for (const auto& name : fresh)
            ++fresh_[name];
    }

    std::string worst() const {
        const auto& counts = fresh_.empty() ? all_ : fresh_;
        const auto found =
            std::max_element(counts.begin(), counts.end(),
                             [](const auto& a, const auto& b) { return a.second < b.second; });
        return found == counts.end() ? std::string() : found->first;
    }

private:
    static std::string name_of(const RuleInfo& info) {
        const auto& ns = info.policy.ns.get();
        return info.kind.get() + " " + (ns.empty() ? "" : ns + "/") + info.policy.name.get();
    }

    const RuleBook& rules_;
    std::uint32_t last_committed_;
    std::map<std::string, std::size_t> all_;
    std::map<std::string, std::size_t> fresh_;
};

void blame_intervals(const Plan& plan, Blame& blame) {
    for (const auto& row : plan.transaction.rows) {
        for (const auto& interval : row.intervals) {
            blame.add({WEIR_VERDICT_RULE(interval.verdict)});
        }
    }
}

void blame_rules(const Plan& plan, const Mirror& mirror, Blame& blame) {
    std::unordered_map<RowStore::Id, std::set<std::uint32_t>> rules_of;
    const auto add = [&](RowStore::Id row) {
        const auto [place, is_new] = rules_of.try_emplace(row);
        if (is_new) {
            for (const auto& interval : mirror.rows.content(row)) {
                place->second.insert(WEIR_VERDICT_RULE(interval.verdict));
            }
        }
        blame.add(place->second);
    };
    for (const auto& table : plan.tables) {
        for (const auto& [class_id, row] : table.rows)
            add(row);
    }
    for (const auto& insert : plan.inserts)
        add(insert.row);
    for (const auto& insert : plan.passing)
        add(insert.row);
}

void blame_tables(const Plan& plan, Blame& blame) {
    for (const auto& table : plan.tables) {
        std::set<std::uint32_t> rules;
        for (const auto& effective : table.list->effective().rules) {
            rules.insert(effective.rule->id);
        }
        blame.add(rules);
    }
}

using RulesByPredicate = std::unordered_map<const Predicate*, std::set<std::uint32_t>>;

RulesByPredicate rules_by_predicate(const Desired& desired) {
    RulesByPredicate rules;
    std::set<const RuleList*> seen;
    for (const auto& [number, slot] : desired.slots()) {
        for (const auto& list : slot.lists) {
            if (!list || !seen.insert(list.get()).second) {
                continue;
            }
            for (const auto& effective : list->effective().rules) {
                effective.rule->for_each_predicate([&](const Predicate* predicate) {
                    rules[predicate].insert(effective.rule->id);
                });
            }
        }
    }
    return rules;
}

template <typename Entries>
void blame_entries(const Entries& entries, const Desired& desired, Blame& blame) {
    const auto rules_of = rules_by_predicate(desired);
    for (const auto& entry : entries) {
        if (entry.node->second.in_kernel) {
            continue;
        }
        std::set<std::uint32_t> rules;
        for (const auto& predicate : entry.node->second.desired->predicates) {
            const auto found = rules_of.find(predicate.get());
            if (found != rules_of.end()) {
                rules.insert(found->second.begin(), found->second.end());
            }
        }
        blame.add(rules);
    }
}

} // namespace

std::string culprit_of(std::string_view map, const Plan& plan, const Desired& desired,
                       const Mirror& mirror) {
    Blame blame(desired.rules(), mirror.last_rule);
    if (map == "peer classes") {
        blame_entries(plan.peers, desired, blame);
        blame_entries(plan.prefixes, desired, blame);
    } else if (map == "weir_peers") {
        blame_entries(plan.peers, desired, blame);
    } else if (map == "weir_prefixes") {
        blame_entries(plan.prefixes, desired, blame);
    } else if (map == "weir_tables") {
        blame_tables(plan, blame);
    } else if (map == "weir_rules") {
        blame_rules(plan, mirror, blame);
    } else {
        blame_intervals(plan, blame);
    }
    return blame.worst();
}

} // namespace weir
