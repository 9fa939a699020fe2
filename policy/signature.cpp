// SPDX-License-Identifier: Apache-2.0
#include "policy/signature.h"

#include <algorithm>
#include <iterator>

#include "policy/hash.h"

namespace weir {
namespace {

std::size_t hash_of(const Holders& holders, const Signature* parent) {
    Hasher hasher;
    hasher.add(reinterpret_cast<std::uintptr_t>(parent));
    for (const auto* predicate : holders) {
        hasher.add(predicate->id);
    }
    return hasher.result();
}

bool is_of(const Signature& signature, const Holders& holders, const Signature* parent) {
    return signature.parent == parent &&
           std::equal(signature.predicates.begin(), signature.predicates.end(), holders.begin(),
                      holders.end(),
                      [](const PredicatePtr& a, Predicate* b) { return a.get() == b; });
}

} // namespace

bool Signature::has(const Predicate* predicate) const {
    return std::binary_search(ids.begin(), ids.end(), predicate->id);
}

SignaturePtr SignatureSet::intern(const Holders& holders) {
    Holders shared;
    std::copy_if(holders.begin(), holders.end(), std::back_inserter(shared),
                 [](const Predicate* predicate) { return predicate->is_shared(); });
    return shared.size() == holders.size() ? intern(holders, nullptr)
                                           : intern(holders, intern(shared, nullptr));
}

SignaturePtr SignatureSet::intern(const Holders& holders, const SignaturePtr& parent) {
    const auto hash = hash_of(holders, parent.get());
    const auto [begin, end] = known_.equal_range(hash);
    for (auto known = begin; known != end; ++known) {
        if (is_of(*known->second, holders, parent.get())) {
            return SignaturePtr(known->second);
        }
    }
    auto* signature = new Signature;
    signature->set = this;
    signature->hash = hash;
    signature->parent = parent;
    signature->predicates.reserve(holders.size());
    signature->ids.reserve(holders.size());
    for (auto* predicate : holders) {
        signature->predicates.push_back(predicate->shared_from_this());
        signature->ids.push_back(predicate->id);
        if (!parent || !parent->has(predicate)) {
            signature->own.push_back(predicate);
        }
    }
    known_.emplace(hash, signature);
    return SignaturePtr(signature);
}

void SignatureSet::forget(Signature* signature) {
    const auto [begin, end] = known_.equal_range(signature->hash);
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
    const auto add_missing = [&result](const Signature& from, const Signature& other) {
        for (const auto& predicate : from.predicates) {
            if (!other.has(predicate.get())) {
                result.push_back(predicate.get());
            }
        }
    };
    add_missing(*a, *b);
    add_missing(*b, *a);
    std::sort(result.begin(), result.end(),
              [](const Predicate* x, const Predicate* y) { return x->id < y->id; });
    return result;
}

} // namespace weir
