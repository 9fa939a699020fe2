// SPDX-License-Identifier: Apache-2.0
#include "agent/kube/decode_selector.h"

#include "agent/kube/decode_metadata.h"
#include "agent/kube/syntax.h"

namespace weir {
namespace {

using Operator = LabelRequirement::Operator;

std::optional<Operator> parse_operator(std::string_view text) {
    if (text == "In") return Operator::kIn;
    if (text == "NotIn") return Operator::kNotIn;
    if (text == "Exists") return Operator::kExists;
    if (text == "DoesNotExist") return Operator::kDoesNotExist;
    return std::nullopt;
}

std::vector<Symbol> decode_values(const Field& field) {
    std::vector<Symbol> values;
    field.each_item([&](const Field& item) {
        const std::string_view text = item.string().value_or("");
        if (const Complaint complaint = check_label_value(text)) {
            item.error("value " + quote(text) + " " + *complaint);
        }
        values.emplace_back(std::string(text));
    });
    return values;
}

// "values is an array of string values. If the operator is In or NotIn, the values array must be
// non-empty. If the operator is Exists or DoesNotExist, the values array must be empty."
void check_values(const Field& values, Operator op, bool is_empty) {
    const bool needs_values = op == Operator::kIn || op == Operator::kNotIn;
    if (needs_values && is_empty) {
        values.error("the operators In and NotIn need at least one value",
                     "list the values, or use Exists or DoesNotExist");
    }
    if (!needs_values && !is_empty) {
        values.error("the operators Exists and DoesNotExist take no values",
                     "remove the values, or use In or NotIn");
    }
}

LabelRequirement decode_requirement(const Field& field) {
    field.allow_only({"key", "operator", "values"});
    LabelRequirement requirement;
    const std::string_view key = field["key"].string().value_or("");
    if (const Complaint complaint = check_label_key(key)) {
        field["key"].error(key.empty() ? "is required"
                                       : "label key " + quote(key) + " " + *complaint);
    }
    requirement.key = Symbol(std::string(key));
    requirement.values = decode_values(field["values"]);
    const std::string_view op = field["operator"].string().value_or("");
    if (const auto known = parse_operator(op)) {
        requirement.op = *known;
        check_values(field["values"], *known, requirement.values.empty());
    } else {
        field["operator"].error(op.empty() ? "is required" : "unknown operator " + quote(op),
                                "use In, NotIn, Exists or DoesNotExist");
    }
    return requirement;
}

} // namespace

Selector decode_selector(const Field& field, SelectorForm form) {
    Selector selector;
    if (!field.is_mapping()) return selector;
    if (form == SelectorForm::kWhole) field.allow_only({"matchLabels", "matchExpressions"});
    for (const Label& label : decode_labels(field["matchLabels"])) {
        selector.requirements.push_back({label.key, Operator::kIn, {label.value}});
    }
    if (form == SelectorForm::kLabelsOnly) return selector;
    field["matchExpressions"].each_item([&](const Field& item) {
        if (item.is_mapping() || item.is_missing()) {
            selector.requirements.push_back(decode_requirement(item));
        }
    });
    return selector;
}

} // namespace weir
