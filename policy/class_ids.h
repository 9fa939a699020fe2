// SPDX-License-Identifier: Apache-2.0
// Ids of peer classes: the lower bits number a class among those of its parent (bpf/abi.h).
#pragma once

#include <cstdint>
#include <unordered_map>

#include "bpf/abi.h"
#include "policy/id_pool.h"

namespace weir {

class ClassIds {
public:
    static constexpr std::uint32_t kMostParents = (1U << (32 - WEIR_CLASS_PARENT_SHIFT)) - 1;
    static constexpr std::uint32_t kMostBelow = (1U << WEIR_CLASS_PARENT_SHIFT) - 1;

    // Of a parent class, and of a class below a parent or below class 0. WEIR_CLASS_NONE when there
    // is none left.
    std::uint32_t take_parent() { return take(parents_, kMostParents) << WEIR_CLASS_PARENT_SHIFT; }
    std::uint32_t take_below(std::uint32_t parent) {
        const auto number = take(below_.try_emplace(parent, kFirst).first->second, kMostBelow);
        return number == 0 ? number : parent | number;
    }
    void reserve(std::uint32_t id) {
        const auto parent = WEIR_CLASS_PARENT(id);
        if (id == parent) {
            parents_.reserve(parent >> WEIR_CLASS_PARENT_SHIFT);
        } else {
            below_.try_emplace(parent, kFirst).first->second.reserve(id - parent);
        }
    }
    // Behind the last class below the parent.
    std::uint32_t end_below(std::uint32_t parent) const {
        const auto pool = below_.find(parent);
        return pool == below_.end() ? parent : parent + pool->second.end();
    }
    // A parent after the classes below it.
    void give_back(std::uint32_t id) {
        const auto parent = WEIR_CLASS_PARENT(id);
        if (id == parent) {
            parents_.give_back(parent >> WEIR_CLASS_PARENT_SHIFT);
            return;
        }
        const auto pool = below_.find(parent);
        pool->second.give_back(id - parent);
        if (pool->second.used() == 0) {
            below_.erase(pool);
        }
    }

private:
    static constexpr std::uint32_t kFirst = 1;

    static std::uint32_t take(IdPool& pool, std::uint32_t most) {
        const auto number = pool.take();
        if (number <= most) {
            return number;
        }
        pool.give_back(number);
        return 0;
    }

    IdPool parents_{kFirst};
    std::unordered_map<std::uint32_t, IdPool> below_; // by parent
};

} // namespace weir
