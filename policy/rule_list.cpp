// SPDX-License-Identifier: Apache-2.0
#include "policy/rule_list.h"

#include <algorithm>
#include <unordered_map>

namespace weir {
namespace {

enum KeyKind : std::uint32_t { kOpen, kUnknown, kIsolated };

struct Claim {
    KeyRange range;
    std::uint32_t verdict;
};

// The first claim in the list decides where several overlap.
std::vector<weir_interval> paint(const std::vector<Claim>& claims, std::uint32_t otherwise) {
    std::vector<std::uint32_t> starts{0};
    for (const auto& claim : claims) {
        starts.push_back(claim.range.first);
        if (claim.range.last != KeyRange{}.last) {
            starts.push_back(claim.range.last + 1);
        }
    }
    std::sort(starts.begin(), starts.end());
    starts.erase(std::unique(starts.begin(), starts.end()), starts.end());

    std::vector<weir_interval> row;
    for (const auto start : starts) {
        const auto first = std::find_if(claims.begin(), claims.end(), [&](const Claim& claim) {
            return claim.range.first <= start && start <= claim.range.last;
        });
        const auto verdict = first == claims.end() ? otherwise : first->verdict;
        if (row.empty() || row.back().verdict != verdict) {
            row.push_back(weir_interval{start, verdict});
        }
    }
    return row;
}

KeyRange range_of(const NamedPort& port) {
    const auto key = WEIR_PORT_KEY(port.protocol, port.number.value_or(0));
    return KeyRange{key, key};
}

} // namespace

std::vector<KeyRange> merged(std::vector<KeyRange> ranges) {
    std::sort(ranges.begin(), ranges.end(),
              [](const KeyRange& a, const KeyRange& b) { return a.first < b.first; });
    std::vector<KeyRange> result;
    for (const auto& range : ranges) {
        if (!result.empty() && range.first <= result.back().last) {
            result.back().last = std::max(result.back().last, range.last);
        } else {
            result.push_back(range);
        }
    }
    return result;
}

RuleList RuleList::open() {
    return RuleList(Key{kOpen}, WEIR_RULE_NONE);
}

RuleList RuleList::unknown() {
    return RuleList(Key{kUnknown}, WEIR_VERDICT_DENY | WEIR_RULE_POD_UNKNOWN);
}

RuleList::RuleList(Key key, std::uint32_t otherwise)
    : key_(std::move(key)), otherwise_(otherwise) {}

RuleList::RuleList(weir_direction direction, std::shared_ptr<const std::uint32_t> isolation,
                   std::vector<EffectiveRule> rules)
    : key_{kIsolated, static_cast<std::uint32_t>(direction), *isolation},
      isolation_(std::move(isolation)),
      otherwise_(WEIR_VERDICT_DENY | *isolation_),
      rules_(std::move(rules)) {
    for (const auto& effective : rules_) {
        key_.push_back(effective.rule->id);
        // Only the subject's own ports can differ between lists that hold the same rule.
        if (effective.rule->subject_ports.empty()) {
            continue;
        }
        key_.push_back(static_cast<std::uint32_t>(effective.ports.size()));
        for (const auto& range : effective.ports) {
            key_.push_back(range.first);
            key_.push_back(range.last);
        }
    }
    index_predicates();
}

void RuleList::index_predicates() {
    for (const auto& effective : rules_) {
        for (const auto& peer : effective.rule->peers) {
            predicates_.push_back(peer.get());
        }
        for (const auto& port : effective.rule->peer_ports) {
            predicates_.push_back(port.get());
        }
    }
    std::sort(predicates_.begin(), predicates_.end(),
              [](const Predicate* a, const Predicate* b) { return a->id < b->id; });
    predicates_.erase(std::unique(predicates_.begin(), predicates_.end()), predicates_.end());
}

// A selection lists, per rule that admits the peer, the rule's place and how many positions the
// peer's named ports add, then those.
RuleList::Selection RuleList::select(const Signature& signature) const {
    Selection selection;
    for (std::uint32_t place = 0; place < rules_.size(); ++place) {
        const auto& rule = *rules_[place].rule;
        // NetworkPolicyIngressRule.from: "If this field is empty or missing, this rule matches all
        // sources"; "Items in this list are combined using a logical OR operation."
        const bool is_peer = rule.is_any_peer || std::any_of(rule.peers.begin(), rule.peers.end(),
                                                             [&](const auto& peer) {
                                                                 return signature.has(peer.get());
                                                             });
        if (!is_peer) {
            continue;
        }
        selection.push_back(place);
        const auto count = selection.size();
        selection.push_back(0);
        for (const auto& name : rule.peer_ports) {
            for (const auto& numbered : name->numbers) {
                if (signature.has(numbered.get())) {
                    selection.push_back(range_of(std::get<NamedPort>(numbered->question)).first);
                    ++selection[count];
                }
            }
        }
    }
    return selection;
}

std::vector<weir_interval> RuleList::row(const Selection& selection) const {
    std::vector<Claim> claims;
    for (std::size_t at = 0; at < selection.size();) {
        const auto& effective = rules_[selection[at++]];
        const auto verdict = effective.rule->id;
        if (effective.rule->is_any_port) {
            claims.push_back(Claim{KeyRange{}, verdict});
        }
        for (const auto& range : effective.ports) {
            claims.push_back(Claim{range, verdict});
        }
        for (auto left = selection[at++]; left > 0; --left, ++at) {
            claims.push_back(Claim{KeyRange{selection[at], selection[at]}, verdict});
        }
    }
    return paint(claims, otherwise_);
}

RuleListPtr RuleListSet::intern(RuleList list) {
    auto& known = known_[list.key()];
    if (auto existing = known.lock()) {
        return existing;
    }
    const auto forget = [this](RuleList* forgotten) {
        known_.erase(forgotten->key());
        delete forgotten;
    };
    RuleListPtr interned(new RuleList(std::move(list)), forget);
    known = interned;
    return interned;
}

} // namespace weir
