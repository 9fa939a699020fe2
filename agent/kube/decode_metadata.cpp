// SPDX-License-Identifier: Apache-2.0
#include "agent/kube/decode_metadata.h"

#include <algorithm>

#include "agent/kube/syntax.h"

namespace weir {
namespace {

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

} // namespace weir
