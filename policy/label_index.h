// SPDX-License-Identifier: Apache-2.0
// Inverted index from labels to the objects that carry them, so that a new selector costs what it
// matches.
#pragma once

#include <cstdint>
#include <optional>
#include <unordered_map>
#include <vector>

#include "policy/hash.h"
#include "policy/model.h"

namespace weir {

class LabelIndex {
public:
    // The labels must stay alive (in the object) until erase() with the same ones.
    void insert(const Labels& labels, std::uint32_t id);
    void erase(const Labels& labels, std::uint32_t id);

    // Ids, sorted, among which every object is that the selector matches, taken from its most
    // selective requirement. Nothing if the selector has no requirement that the index can answer.
    std::optional<std::vector<std::uint32_t>> candidates(const Selector& selector) const;

private:
    struct Key {
        const std::string* key;
        const std::string* value; // null: any value

        bool operator==(const Key&) const = default;
    };
    struct KeyHash {
        std::size_t operator()(const Key& key) const {
            Hasher hasher;
            hasher.add(reinterpret_cast<std::uintptr_t>(key.key));
            hasher.add(reinterpret_cast<std::uintptr_t>(key.value));
            return hasher.result();
        }
    };
    using Posting = std::vector<std::uint32_t>; // sorted

    std::vector<const Posting*> postings(const LabelRequirement& requirement) const;

    std::unordered_map<Key, Posting, KeyHash> postings_;
};

// Keep a vector of ids sorted and unique.
void insert_sorted(std::vector<std::uint32_t>& ids, std::uint32_t id);
void erase_sorted(std::vector<std::uint32_t>& ids, std::uint32_t id);

} // namespace weir
