// SPDX-License-Identifier: Apache-2.0
#include "policy/label_index.h"

#include <algorithm>

namespace weir {

void insert_sorted(std::vector<std::uint32_t>& ids, std::uint32_t id) {
    const auto place = std::lower_bound(ids.begin(), ids.end(), id);
    if (place == ids.end() || *place != id) {
        ids.insert(place, id);
    }
}

void erase_sorted(std::vector<std::uint32_t>& ids, std::uint32_t id) {
    const auto place = std::lower_bound(ids.begin(), ids.end(), id);
    if (place != ids.end() && *place == id) {
        ids.erase(place);
    }
}

void LabelIndex::insert(const Labels& labels, std::uint32_t id) {
    for (const auto& label : labels) {
        insert_sorted(postings_[Key{&label.key.get(), &label.value.get()}], id);
        insert_sorted(postings_[Key{&label.key.get(), nullptr}], id);
    }
}

void LabelIndex::erase(const Labels& labels, std::uint32_t id) {
    const auto erase_from = [&](const Key& key) {
        const auto found = postings_.find(key);
        if (found == postings_.end()) {
            return;
        }
        erase_sorted(found->second, id);
        if (found->second.empty()) {
            postings_.erase(found);
        }
    };
    for (const auto& label : labels) {
        erase_from(Key{&label.key.get(), &label.value.get()});
        erase_from(Key{&label.key.get(), nullptr});
    }
}

std::vector<const LabelIndex::Posting*> LabelIndex::postings(
    const LabelRequirement& requirement) const {
    std::vector<const Posting*> result;
    const auto add = [&](const std::string* value) {
        const auto found = postings_.find(Key{&requirement.key.get(), value});
        if (found != postings_.end()) {
            result.push_back(&found->second);
        }
    };
    if (requirement.op == LabelRequirement::Operator::kExists) {
        add(nullptr);
    } else {
        for (const auto& value : requirement.values) {
            add(&value.get());
        }
    }
    return result;
}

std::optional<std::vector<std::uint32_t>> LabelIndex::candidates(const Selector& selector) const {
    bool is_answered = false;
    std::size_t best_size = 0;
    std::vector<const Posting*> best;
    for (const auto& requirement : selector.requirements) {
        if (requirement.op != LabelRequirement::Operator::kIn &&
            requirement.op != LabelRequirement::Operator::kExists) {
            continue;
        }
        auto found = postings(requirement);
        std::size_t size = 0;
        for (const auto* posting : found) {
            size += posting->size();
        }
        if (!is_answered || size < best_size) {
            is_answered = true;
            best_size = size;
            best = std::move(found);
        }
    }
    if (!is_answered) {
        return std::nullopt;
    }
    std::vector<std::uint32_t> ids;
    ids.reserve(best_size);
    for (const auto* posting : best) {
        ids.insert(ids.end(), posting->begin(), posting->end());
    }
    std::sort(ids.begin(), ids.end());
    ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
    return ids;
}

} // namespace weir
