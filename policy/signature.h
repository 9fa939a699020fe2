// SPDX-License-Identifier: Apache-2.0
// The set of predicates that hold for an address. Addresses of one signature are of one peer class.
#pragma once

#include <boost/smart_ptr/intrusive_ptr.hpp>
#include <cstdint>
#include <unordered_map>
#include <vector>

#include "policy/predicate.h"

namespace weir {

class SignatureSet;

struct Signature {
    std::vector<PredicatePtr> predicates; // sorted by id
    std::vector<std::uint32_t> ids;       // theirs: has() stays within one stretch of memory
    std::uint32_t class_id = 0;           // the committed class; 0 while there is none
    std::uint32_t references = 0;
    SignatureSet* set = nullptr;

    bool is_empty() const { return predicates.empty(); }
    bool has(const Predicate* predicate) const;
};
using SignaturePtr = boost::intrusive_ptr<Signature>;

class SignatureSet {
public:
    SignatureSet() = default;
    SignatureSet(const SignatureSet&) = delete;
    SignatureSet& operator=(const SignatureSet&) = delete;

    // Holders sorted by id. Signatures must be gone before the set.
    SignaturePtr intern(const Holders& holders);
    SignaturePtr empty() { return intern({}); }

private:
    friend void intrusive_ptr_release(Signature* signature);
    void forget(Signature* signature);

    std::unordered_multimap<std::size_t, Signature*> known_; // by hash of the ids
};

inline void intrusive_ptr_add_ref(Signature* signature) {
    ++signature->references;
}
void intrusive_ptr_release(Signature* signature);

// Predicates that are in exactly one of them; null stands for an unknown signature: then nothing.
Holders difference(const Signature* a, const Signature* b);

} // namespace weir
