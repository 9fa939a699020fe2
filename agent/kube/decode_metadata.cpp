// SPDX-License-Identifier: Apache-2.0
#include "agent/kube/decode_metadata.h"

#include <algorithm>
#include <ctime>
#include <string>

#include "agent/kube/syntax.h"

namespace weir {
namespace {

constexpr std::string_view kAudit = "weir.io/audit";

// Keys have label syntax but for capitals in the prefix, which the API server lowers first.
void check_annotations(const Field& annotations) {
    annotations.each_member([](std::string_view key, const Field& value) {
        std::string lowered(key);
        std::ranges::transform(lowered, lowered.begin(), [](char c) {
            return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
        });
        if (const Complaint complaint = check_label_key(lowered)) {
            value.error("annotation key " + quote(key) + " " + *complaint);
        }
        static_cast<void>(value.string());
    });
}

} // namespace

Labels decode_labels(const Field& field) {
    Labels labels;
    field.each_member([&](std::string_view key, const Field& value) {
        if (const Complaint complaint = check_label_key(key)) {
            value.error("label key " + quote(key) + " " + *complaint);
        }
        const std::string_view text = value.string().value_or("");
        if (const Complaint complaint = check_label_value(text)) {
            value.error("label value " + quote(text) + " " + *complaint);
        }
        labels.push_back({Symbol(std::string(key)), Symbol(std::string(text))});
    });
    std::ranges::sort(labels, {},
                      [](const Label& label) -> const std::string& { return label.key.get(); });
    return labels;
}

Labels decode_metadata(const Field& metadata) {
    metadata.allow_only({"name", "namespace", "labels", "annotations", "generateName", "selfLink",
                         "uid", "resourceVersion", "generation", "creationTimestamp",
                         "deletionTimestamp", "deletionGracePeriodSeconds", "ownerReferences",
                         "finalizers", "managedFields"});
    check_annotations(metadata["annotations"]);
    return decode_labels(metadata["labels"]);
}

std::int64_t decode_creation(const Field& metadata) {
    const Field field = metadata["creationTimestamp"];
    if (!field.is_string()) return 0;
    const std::string text(field.string().value_or(""));
    std::tm time{};
    const char* end = ::strptime(text.c_str(), "%Y-%m-%dT%H:%M:%S", &time);
    return end == nullptr ? 0 : static_cast<std::int64_t>(::timegm(&time));
}

std::optional<bool> decode_switch(const Field& field) {
    if (!field.is_string()) return std::nullopt; // other types are errors of the mapping
    const std::string_view text = field.string().value_or("");
    if (text == "true" || text == "false") return text == "true";
    field.warning(quote(text) + " counts as \"false\"", "write \"true\" or \"false\"");
    return std::nullopt;
}

Enforcement decode_enforcement(const Field& metadata) {
    const Field labels = metadata["labels"]; // a field refers to its parent
    const Field label = labels[kAudit];
    const auto as_label = decode_switch(label);
    const auto as_annotation = decode_switch(metadata["annotations"][kAudit]);
    if (as_label && as_annotation && *as_label != *as_annotation) {
        label.warning("contradicts the annotation: it is not audited", "remove one of the two");
        return Enforcement::kEnforced;
    }
    const bool is_audited = as_label.value_or(false) || as_annotation.value_or(false);
    return is_audited ? Enforcement::kAudited : Enforcement::kEnforced;
}

} // namespace weir
