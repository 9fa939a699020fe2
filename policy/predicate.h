// SPDX-License-Identifier: Apache-2.0
// What the rules in force ask about a peer.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <variant>
#include <vector>

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

// A node's addresses, by its labels.
struct NodePeer {
    Selector nodes;

    bool operator==(const NodePeer&) const = default;
};

// A text that the workload identity of the peer's pod matches; the attribute is no address.
struct IdentityPeer {
    SourceMatch::Attribute attribute = SourceMatch::Attribute::kPrincipal;
    Symbol trust_domain; // of kPrincipal
    TextMatch text;

    bool operator==(const IdentityPeer&) const = default;
};

struct Predicate : std::enable_shared_from_this<Predicate> {
    using Question = std::variant<PodPeer, IpBlock, NamedPort, NodePeer, IdentityPeer>;

    std::uint32_t id = 0; // never used twice
    Question question;
    std::uint32_t uses = 0; // by rule lists of slots; in force while not 0

    // Asked by many lists: it sets parent classes apart, not only classes (policy/signature.h).
    bool is_popular = false;

    // A NamedPort without number owns the numbered ones, which point back.
    Predicate* name = nullptr;
    std::vector<std::shared_ptr<Predicate>> numbers;

    // Committed classes that it sets apart from their parents, and committed tables that ask it.
    std::vector<std::uint32_t> classes;
    std::vector<std::uint32_t> tables;

    const std::vector<std::uint32_t>& asking_tables() const { return name ? name->tables : tables; }
    bool is_shared() const { return name ? name->is_popular : is_popular; }
};
using PredicatePtr = std::shared_ptr<Predicate>;
using Holders = std::vector<Predicate*>; // sorted by is_before_by_id

inline bool is_before_by_id(const Predicate* a, const Predicate* b) {
    return a->id < b->id;
}

// Whether the peer's selectors match the pod.
bool holds(const PodPeer& peer, const PodRecord& pod);

} // namespace weir
