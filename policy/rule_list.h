// SPDX-License-Identifier: Apache-2.0
// The effective rules of a pod in one direction, in the order in which they decide, and the row
// that they make for a peer class. Whatever kinds of policy there are, this is what they become.
#pragma once

#include <cstdint>
#include <memory>
#include <unordered_map>
#include <utility>
#include <vector>

#include "bpf/abi.h"
#include "policy/predicate.h"
#include "policy/signature.h"

namespace weir {

// Positions of a row, both ends included (WEIR_PORT_KEY).
struct KeyRange {
    std::uint32_t first = 0;
    std::uint32_t last = 0xffffffff;

    bool operator==(const KeyRange&) const = default;
};

// A policy's rule with its peers interned. Ports by name are open still: for ingress the subject's
// own decide, for egress the peer's.
struct CompiledRule {
    std::uint32_t id = 0; // in the RuleBook
    bool is_any_peer = false;
    std::vector<PredicatePtr> peers;
    bool is_any_port = false; // then any protocol too
    std::vector<KeyRange> ports;
    std::vector<NamedPort> subject_ports;
    std::vector<PredicatePtr> peer_ports; // NamedPort without number
};
using CompiledRulePtr = std::shared_ptr<const CompiledRule>;

struct EffectiveRule {
    CompiledRulePtr rule;
    std::vector<KeyRange> ports; // the rule's and the subject's resolved ones
};

class RuleListSet;

class RuleList {
public:
    using Key = std::vector<std::uint32_t>; // equal keys: equal lists

    // Tables of slots that no policy isolates, and of endpoints whose pod is unknown.
    static RuleList open();
    static RuleList unknown();
    // Rules first by namespace, name and index; what none admits is denied by the isolation's id.
    RuleList(weir_direction direction, std::shared_ptr<const std::uint32_t> isolation,
             std::vector<EffectiveRule> rules);

    const Key& key() const { return key_; }
    // Predicates that make a difference here, sorted by id, none twice.
    const Holders& predicates() const { return predicates_; }

    // Rules and peer ports that apply to the signature: equal selections make equal rows.
    using Selection = std::vector<std::uint32_t>;
    Selection select(const Signature& signature) const;
    std::vector<weir_interval> row(const Selection& selection) const;

    std::uint32_t uses = 0;  // by slots, as desired
    std::uint32_t table = 0; // the committed one; 0 while there is none

private:
    RuleList(Key key, std::uint32_t otherwise);
    void index_predicates();

    Key key_;
    std::shared_ptr<const std::uint32_t> isolation_; // its owner retires the id
    std::uint32_t otherwise_ = 0;                    // verdict where no rule decides
    std::vector<EffectiveRule> rules_;
    Holders predicates_;
};
using RuleListPtr = std::shared_ptr<RuleList>;

// Equal lists are one, while anybody holds it.
class RuleListSet {
public:
    RuleListPtr intern(RuleList list);

private:
    std::unordered_map<RuleList::Key, std::weak_ptr<RuleList>, WordsHash> known_;
};

// Sorted, without overlap.
std::vector<KeyRange> merged(std::vector<KeyRange> ranges);

} // namespace weir
