// SPDX-License-Identifier: Apache-2.0
// The effective rules of a pod in one direction, in the order in which they decide, and the row
// that they make for a peer class. Whatever kinds of policy there are, this is what they become.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <unordered_map>
#include <utility>
#include <vector>

#include "bpf/abi.h"
#include "policy/compiled_rule.h"
#include "policy/hash.h"
#include "policy/predicate.h"
#include "policy/signature.h"

namespace weir {

// A verdict is made of up to three evaluations: of all policies but dry runs, of those that are
// not audited, and of all with dry runs.
enum class Evaluation { kAll, kWithoutAudited, kWithDryRuns };
inline constexpr std::array kEvaluations{Evaluation::kAll, Evaluation::kWithoutAudited,
                                         Evaluation::kWithDryRuns};

constexpr bool takes_part(Enforcement enforcement, Evaluation evaluation) {
    return enforcement == Enforcement::kEnforced || evaluation == Evaluation::kWithDryRuns ||
           (enforcement == Enforcement::kAudited && evaluation == Evaluation::kAll);
}

// A rule id of its own, retired when the last list that holds it goes.
using IsolationId = std::shared_ptr<const std::uint32_t>;

// What denies where no rule of a stage matches; null where nothing does.
struct Isolation {
    IsolationId network;       // NetworkPolicies isolate the pod
    IsolationId authorization; // AuthorizationPolicies with action ALLOW apply to it
};

struct EffectiveRules {
    std::vector<EffectiveRule> rules; // by stage, and in a stage in the order of evaluation
    std::array<Isolation, kEvaluations.size()> isolations; // by evaluation

    const Isolation& isolation(Evaluation evaluation) const {
        return isolations[static_cast<std::size_t>(evaluation)];
    }
    // Whether the evaluation may differ from that of all policies.
    bool has(Evaluation evaluation) const {
        return (is_present >> static_cast<unsigned>(evaluation) & 1U) != 0;
    }
    void add(Enforcement enforcement) {
        is_present |= enforcement == Enforcement::kAudited  ? 2U
                      : enforcement == Enforcement::kDryRun ? 4U
                                                            : 0U;
    }

    unsigned is_present = 1; // a bit per evaluation
};

class RuleListSet;

class RuleList {
public:
    using Key = std::vector<std::uint32_t>; // equal keys: equal lists

    // Of endpoints whose pod is unknown: denies everything.
    static RuleList unknown();
    // Not complete before RuleListSet interns it.
    explicit RuleList(EffectiveRules rules);

    const Key& key() const { return key_; }
    bool is_unknown() const { return is_unknown_; }
    const EffectiveRules& effective() const { return effective_; }
    // Predicates that make a difference here, sorted by id, none twice.
    const Holders& predicates() const { return predicates_; }

    // Rules and peer ports that apply to the signature: equal selections make equal rows.
    using Selection = std::vector<std::uint32_t>;
    Selection select(const Signature& signature) const;
    std::vector<weir_interval> row(const Selection& selection) const;

    std::uint32_t uses = 0;  // by slots, as desired
    std::uint32_t table = 0; // the committed one; 0 while there is none

private:
    friend class RuleListSet;

    RuleList() = default;
    struct Asked {
        std::uint32_t predicate = 0; // id
        std::uint32_t place = 0;     // of a rule that it is a peer of

        auto operator<=>(const Asked&) const = default;
    };

    void make_key();
    std::vector<std::uint32_t> places_matching(const Signature& signature) const;
    void index_predicates();

    Key key_;
    bool is_unknown_ = false;
    EffectiveRules effective_;
    Holders predicates_;
    std::vector<Asked> peers_; // sorted: a class finds its rules by the few predicates it has
    std::vector<std::uint32_t> peerless_; // places of rules for any peer
};
using RuleListPtr = std::shared_ptr<RuleList>;

// Equal lists are one, while anybody holds it.
class RuleListSet {
public:
    RuleListPtr intern(RuleList list);

private:
    std::unordered_map<RuleList::Key, std::weak_ptr<RuleList>, WordsHash> known_;
};

} // namespace weir
