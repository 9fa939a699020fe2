// SPDX-License-Identifier: Apache-2.0
#include "policy/rule_list.h"

#include <algorithm>

#include "policy/row_painter.h"

namespace weir {
namespace {

std::uint32_t word_of(const IsolationId& id) {
    return id ? *id : 0;
}

} // namespace

RuleList RuleList::unknown() {
    RuleList list;
    list.key_ = {WEIR_RULE_POD_UNKNOWN};
    list.is_unknown_ = true;
    return list;
}

RuleList::RuleList(EffectiveRules rules) : effective_(std::move(rules)) {
    effective_.rules.shrink_to_fit();
    make_key();
}

void RuleList::make_key() {
    key_.push_back(effective_.is_present);
    for (const auto& isolation : effective_.isolations) {
        key_.push_back(word_of(isolation.network));
        key_.push_back(word_of(isolation.authorization));
    }
    for (const auto& effective : effective_.rules) {
        key_.push_back(effective.rule->id);
        const auto stage = static_cast<std::uint32_t>(effective.stage);
        const auto enforcement = static_cast<std::uint32_t>(effective.enforcement);
        // Only what is the subject's own can differ between lists that hold the same rule.
        const auto count = effective.subject ? effective.subject->ports.size() + 1 : 0;
        key_.push_back(stage | enforcement << 4 | static_cast<std::uint32_t>(count) << 8);
        if (!effective.subject) {
            continue;
        }
        key_.push_back(effective.subject->family ? effective.subject->family->id : 0);
        for (const auto& range : effective.subject->ports) {
            key_.push_back(range.first);
            key_.push_back(range.last);
        }
    }
    key_.shrink_to_fit();
}

void RuleList::index_predicates() {
    const auto add = [this](Predicate* predicate) { predicates_.push_back(predicate); };
    for (const auto& effective : effective_.rules) {
        effective.rule->for_each_predicate(add);
        if (effective.subject && effective.subject->family) {
            add(effective.subject->family.get());
        }
    }
    for (std::uint32_t place = 0; place < effective_.rules.size(); ++place) {
        const auto& rule = *effective_.rules[place].rule;
        if (rule.is_any_peer) {
            peerless_.push_back(place);
            continue;
        }
        for (const auto& peer : rule.peers) {
            peers_.push_back(Asked{peer->id, place});
        }
    }
    std::sort(peers_.begin(), peers_.end());
    peers_.shrink_to_fit();
    peerless_.shrink_to_fit();
    std::sort(predicates_.begin(), predicates_.end(),
              [](const Predicate* a, const Predicate* b) { return a->id < b->id; });
    predicates_.erase(std::unique(predicates_.begin(), predicates_.end()), predicates_.end());
    predicates_.shrink_to_fit();
}

// Of rules, in their order.
std::vector<std::uint32_t> RuleList::places_matching(const Signature& signature) const {
    std::vector<std::uint32_t> places;
    for (const auto id : signature.ids) {
        for (auto asked = std::lower_bound(peers_.begin(), peers_.end(), Asked{id, 0});
             asked != peers_.end() && asked->predicate == id; ++asked) {
            places.push_back(asked->place);
        }
    }
    places.insert(places.end(), peerless_.begin(), peerless_.end());
    std::sort(places.begin(), places.end());
    places.erase(std::unique(places.begin(), places.end()), places.end());
    std::erase_if(places, [&](std::uint32_t place) {
        return !effective_.rules[place].matches_known(signature);
    });
    return places;
}

// A selection lists, per rule that matches the peer, the rule's place and how many positions the
// peer's named ports add, then those.
RuleList::Selection RuleList::select(const Signature& signature) const {
    Selection selection;
    for (const auto place : places_matching(signature)) {
        const auto& effective = effective_.rules[place];
        selection.push_back(place);
        if (effective.rule->peer_ports.empty()) {
            selection.push_back(0);
            continue;
        }
        const auto ports = effective.peer_ports(signature);
        selection.push_back(static_cast<std::uint32_t>(ports.size()));
        selection.insert(selection.end(), ports.begin(), ports.end());
    }
    return selection;
}

std::vector<weir_interval> RuleList::row(const Selection& selection) const {
    if (is_unknown_) {
        return {weir_interval{0, WEIR_VERDICT_DENY | WEIR_RULE_POD_UNKNOWN}};
    }
    RowPainter painter(effective_);
    for (std::size_t at = 0; at < selection.size();) {
        const auto place = selection[at++];
        const auto& effective = effective_.rules[place];
        if (effective.rule->is_any_port) {
            painter.claim(place, KeyRange{});
        }
        for (const auto& range : effective.ports()) {
            painter.claim(place, range);
        }
        for (auto left = selection[at++]; left > 0; --left, ++at) {
            painter.claim(place, KeyRange{selection[at], selection[at]});
        }
    }
    return painter.row();
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
    list.index_predicates(); // most lists are known: only now
    RuleListPtr interned(new RuleList(std::move(list)), forget);
    known = interned;
    return interned;
}

} // namespace weir
