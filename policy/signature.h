// SPDX-License-Identifier: Apache-2.0
// The set of predicates that hold for an address. Addresses of one signature are of one peer class.
// Its parent is the set of those among them that many lists ask. A table stores a row for a class
// only where the class's own predicates make it differ from the parent's row, so that what few
// tables ask costs only them, however finely it cuts up the classes.
#pragma once

#include <boost/smart_ptr/intrusive_ptr.hpp>
#include <cstdint>
#include <unordered_map>
#include <vector>

#include "policy/predicate.h"

namespace weir {

class SignatureSet;
struct Signature;
using SignaturePtr = boost::intrusive_ptr<Signature>;

void intrusive_ptr_add_ref(Signature* signature);
void intrusive_ptr_release(Signature* signature);

struct Signature {
    std::vector<PredicatePtr> predicates; // sorted by id
    std::vector<std::uint32_t> ids;       // theirs: has() stays within one stretch of memory
    SignaturePtr parent;                  // null: it is a parent itself, or empty
    Holders own;                          // that the parent lacks, sorted by id
    std::uint32_t class_id = 0;           // the committed class; 0 while there is none
    std::uint32_t references = 0;
    std::size_t hash = 0;
    SignatureSet* set = nullptr;

    bool is_empty() const { return predicates.empty(); }
    bool has(const Predicate* predicate) const;
};

class SignatureSet {
public:
    SignatureSet() = default;
    SignatureSet(const SignatureSet&) = delete;
    SignatureSet& operator=(const SignatureSet&) = delete;

    // Holders sorted by id. Which of them are shared is asked now and kept: where that changes, the
    // same holders make another signature. Signatures must be gone before the set.
    SignaturePtr intern(const Holders& holders);
    SignaturePtr empty() { return intern({}); }

private:
    friend void intrusive_ptr_release(Signature* signature);
    SignaturePtr intern(const Holders& holders, const SignaturePtr& parent);
    void forget(Signature* signature);

    std::unordered_multimap<std::size_t, Signature*> known_; // by hash
};

inline void intrusive_ptr_add_ref(Signature* signature) {
    ++signature->references;
}

// Predicates that are in exactly one of them; null stands for an unknown signature: then nothing.
Holders difference(const Signature* a, const Signature* b);

} // namespace weir
