// SPDX-License-Identifier: Apache-2.0
// Hashing of the model's values, for the compiler's interning tables.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>

#include "policy/model.h"

namespace weir {

class Hasher {
public:
    void add(std::uint64_t value) {
        state_ = (state_ ^ value) * 0x9fb21c651e98df25ULL;
        state_ ^= state_ >> 32;
    }
    // Equal symbols share their text, so its place identifies it.
    void add(const Symbol& symbol) { add(reinterpret_cast<std::uintptr_t>(&symbol.get())); }
    void add(const Selector& selector);
    std::size_t result() const { return state_; }

private:
    std::uint64_t state_ = 0x2545f4914f6cdd1dULL;
};

inline void Hasher::add(const Selector& selector) {
    add(selector.requirements.size());
    for (const auto& requirement : selector.requirements) {
        add(requirement.key);
        add(static_cast<std::uint64_t>(requirement.op));
        for (const auto& value : requirement.values) {
            add(value);
        }
    }
}

struct ObjectNameHash {
    std::size_t operator()(const ObjectName& name) const noexcept {
        Hasher hasher;
        hasher.add(name.ns);
        hasher.add(name.name);
        return hasher.result();
    }
};
struct SymbolHash {
    std::size_t operator()(const Symbol& symbol) const {
        Hasher hasher;
        hasher.add(symbol);
        return hasher.result();
    }
};
struct WordsHash {
    template <typename Words>
    std::size_t operator()(const Words& words) const {
        Hasher hasher;
        for (const auto word : words) {
            hasher.add(word);
        }
        return hasher.result();
    }
};

// By text, as lists of rules and names are ordered.
inline bool is_before(const ObjectName& a, const ObjectName& b) {
    const int order = a.ns.get().compare(b.ns.get());
    return order != 0 ? order < 0 : a.name.get() < b.name.get();
}

} // namespace weir
