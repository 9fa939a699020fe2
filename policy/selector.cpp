// SPDX-License-Identifier: Apache-2.0
#include "policy/selector.h"

#include <algorithm>
#include <tuple>

#include "policy/sort_unique.h"

namespace weir {
namespace {

bool holds_one_of(const Symbol& value, const std::vector<Symbol>& values) {
    return std::find(values.begin(), values.end(), value) != values.end();
}

bool less(const Symbol& a, const Symbol& b) {
    return a.get() < b.get();
}

bool less(const LabelRequirement& a, const LabelRequirement& b) {
    if (a.key != b.key) {
        return less(a.key, b.key);
    }
    if (a.op != b.op) {
        return a.op < b.op;
    }
    return std::lexicographical_compare(
        a.values.begin(), a.values.end(), b.values.begin(), b.values.end(),
        [](const Symbol& x, const Symbol& y) { return less(x, y); });
}

} // namespace

const Symbol* find_label(const Labels& labels, const Symbol& key) {
    // A handful of labels and an equality that compares pointers: a scan beats a search by text.
    for (const auto& label : labels) {
        if (label.key == key) {
            return &label.value;
        }
    }
    return nullptr;
}

bool matches(const LabelRequirement& requirement, const Labels& labels) {
    const Symbol* value = find_label(labels, requirement.key);
    switch (requirement.op) {
        case LabelRequirement::Operator::kIn:
            return value != nullptr && holds_one_of(*value, requirement.values);
        // labels.Requirement: "The operator is NotIn, ... and the Requirement's values do not
        // include the label's value" or "Labels does not have the Requirement's key".
        case LabelRequirement::Operator::kNotIn:
            return value == nullptr || !holds_one_of(*value, requirement.values);
        case LabelRequirement::Operator::kExists:
            return value != nullptr;
        case LabelRequirement::Operator::kDoesNotExist:
            return value == nullptr;
    }
    return false;
}

// LabelSelector: "The result of matchLabels and matchExpressions are ANDed. An empty label selector
// matches all objects."
bool matches(const Selector& selector, const Labels& labels) {
    return std::all_of(
        selector.requirements.begin(), selector.requirements.end(),
        [&](const LabelRequirement& requirement) { return matches(requirement, labels); });
}

Selector canonical(Selector selector) {
    for (auto& requirement : selector.requirements) {
        auto& values = requirement.values;
        sort_unique(values, [](const Symbol& a, const Symbol& b) { return less(a, b); });
    }
    auto& all = selector.requirements;
    sort_unique(all,
                [](const LabelRequirement& a, const LabelRequirement& b) { return less(a, b); });
    return selector;
}

} // namespace weir
