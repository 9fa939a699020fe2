// SPDX-License-Identifier: Apache-2.0
#include "policy/signature.h"

#include <algorithm>
#include <iterator>

#include "policy/hash.h"

namespace weir {
namespace {

template <typename Predicates>
std::size_t hash_of(const Predicates& predicates) {
    Hasher hasher;
    for (const auto& predicate : predicates) {
        hasher.add(predicate->id);
    }
    return hasher.result();
}

bool is_of(const Signature& signature, const Holders& holders) {
    return std::equal(signature.predicates.begin(), signature.predicates.end(), holders.begin(),
                      holders.end(),
                      [](const PredicatePtr& a, Predicate* b) { return a.get() == b; });
}

} // namespace

bool Signature::has(const Predicate* predicate) const {
    return std::binary_search(ids.begin(), ids.end(), predicate->id);
}

SignaturePtr SignatureSet::intern(const Holders& holders) {
    const auto hash = hash_of(holders);
    const auto [begin, end] = known_.equal_range(hash);
    for (auto known = begin; known != end; ++known) {
        if (is_of(*known->second, holders)) {
            return SignaturePtr(known->second);
        }
    }
    auto* signature = new Signature;
    signature->set = this;
    signature->predicates.reserve(holders.size());
    signature->ids.reserve(holders.size());
    for (auto* predicate : holders) {
        signature->predicates.push_back(predicate->shared_from_this());
        signature->ids.push_back(predicate->id);
    }
    known_.emplace(hash, signature);
    return SignaturePtr(signature);
}

void SignatureSet::forget(Signature* signature) {
    const auto [begin, end] = known_.equal_range(hash_of(signature->predicates));
    const auto place =
        std::find_if(begin, end, [&](const auto& known) { return known.second == signature; });
    known_.erase(place);
    delete signature;
}

void intrusive_ptr_release(Signature* signature) {
    if (--signature->references == 0) {
        signature->set->forget(signature);
    }
}

Holders difference(const Signature* a, const Signature* b) {
    Holders result;
    if (a == nullptr || b == nullptr) {
        return result;
    }
    std::vector<PredicatePtr> both;
    std::set_symmetric_difference(
        a->predicates.begin(), a->predicates.end(), b->predicates.begin(), b->predicates.end(),
        std::back_inserter(both),
        [](const PredicatePtr& x, const PredicatePtr& y) { return x->id < y->id; });
    for (const auto& predicate : both) {
        result.push_back(predicate.get());
    }
    return result;
}

} // namespace weir
