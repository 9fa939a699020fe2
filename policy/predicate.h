// SPDX-License-Identifier: Apache-2.0
// What the rules in force ask about a peer. Each distinct question exists once, however many rules
// ask it; an index finds those that may hold for a pod without trying them all.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <unordered_map>
#include <variant>
#include <vector>

#include "policy/hash.h"
#include "policy/model.h"

namespace weir {

struct PodRecord;

// A peer of podSelector and namespaceSelector. With `ns`, the policy's own namespace alone.
struct PodPeer {
    std::optional<Symbol> ns;
    Selector namespaces; // without `ns`
    Selector pods;

    bool operator==(const PodPeer&) const = default;
};

// A named port of the peer. Without number: it has one of that name; with: and it is that number.
struct NamedPort {
    Symbol name;
    std::uint8_t protocol = 0;
    std::optional<std::uint16_t> number;

    bool operator==(const NamedPort&) const = default;
};

struct Predicate : std::enable_shared_from_this<Predicate> {
    using Question = std::variant<PodPeer, IpBlock, NamedPort>;

    std::uint32_t id = 0; // never used twice
    Question question;
    std::uint32_t uses = 0; // by rule lists of slots; in force while not 0

    // A NamedPort without number owns the numbered ones, which point back.
    Predicate* name = nullptr;
    std::vector<std::shared_ptr<Predicate>> numbers;

    // Committed classes for which it holds, and committed tables that ask it.
    std::vector<std::uint32_t> classes;
    std::vector<std::uint32_t> tables;

    const std::vector<std::uint32_t>& asking_tables() const { return name ? name->tables : tables; }
};
using PredicatePtr = std::shared_ptr<Predicate>;
using Holders = std::vector<Predicate*>; // sorted by id

class PredicateSet {
public:
    // Predicates must be gone before the set.
    PredicatePtr intern(Predicate::Question question);

    // Puts a predicate in force or out of it, for holding().
    void enable(Predicate& predicate);
    void disable(Predicate& predicate);

    // Predicates in force that hold for the pod wherever it is, blocks left out; sorted by id.
    Holders holding(const PodRecord& pod);

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
    std::uint32_t last_id_ = 0;
};

// Whether the peer's selectors match the pod.
bool holds(const PodPeer& peer, const PodRecord& pod);

} // namespace weir
