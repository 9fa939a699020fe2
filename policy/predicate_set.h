// SPDX-License-Identifier: Apache-2.0
// Each distinct question exists once, however many rules ask it; an index finds those that may hold
// for a pod without trying them all.
#pragma once

#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

#include "policy/hash.h"
#include "policy/identity.h"
#include "policy/predicate.h"

namespace weir {

class PredicateSet {
public:
    // Predicates must be gone before the set.
    PredicatePtr intern(Predicate::Question question);

    // Puts a predicate in force or out of it, for holding().
    void enable(Predicate& predicate);
    void disable(Predicate& predicate);

    // Predicates in force that hold for the pod wherever it is, blocks left out; sorted by id.
    Holders holding(const PodRecord& pod);
    // Predicates in force that hold for the addresses of a node with these labels; sorted by id.
    Holders holding(const Labels& node) const;
    bool asks_nodes() const { return !node_peers_.empty(); }

private:
    struct QuestionHash {
        std::size_t operator()(const Predicate::Question& question) const;
    };
    // Where a PodPeer is found from: any pod that it holds for has this label or is there.
    struct Anchor {
        enum class Kind { kEverywhere, kNamespace, kPodLabel, kNamespaceLabel };
        Kind kind = Kind::kEverywhere;
        Symbol key;
        Symbol value;

        bool operator==(const Anchor&) const = default;
    };
    struct AnchorHash {
        std::size_t operator()(const Anchor& anchor) const;
    };

    static std::vector<Anchor> anchors(const PodPeer& peer);
    void collect(const Anchor& anchor, const PodRecord& pod, Holders& holders) const;
    void collect_ports(const PodRecord& pod, Holders& holders);

    std::unordered_map<Predicate::Question, std::weak_ptr<Predicate>, QuestionHash> known_;
    std::unordered_map<Anchor, std::vector<Predicate*>, AnchorHash> anchored_;
    std::unordered_map<Predicate::Question, Predicate*, QuestionHash> port_names_; // in force
    std::vector<Predicate*> node_peers_;                                           // in force
    IdentityIndex identities_;
    std::uint32_t last_id_ = 0;
};

} // namespace weir
