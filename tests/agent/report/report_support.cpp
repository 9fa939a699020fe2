// SPDX-License-Identifier: Apache-2.0
#include "tests/agent/report/report_support.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "agent/kube/document.h"

namespace weir::test {

Finding finding(const std::string& note, const std::string& uid) {
    return {.object = {Kind::kNetworkPolicy, {Symbol("shop"), Symbol("web")}},
            .uid = uid,
            .reason = "NotEnforced",
            .action = "Enforce",
            .note = note,
            .delay = {}};
}

void ReportedSet::put(const std::string& yaml) {
    const auto document = Document::parse({yaml, 1});
    ASSERT_TRUE(document) << yaml;
    set_.put(document->root(), ObjectSet::Time{});
}

bool ReportedSet::visit(const std::function<void(const ReportedObject&)>& visit) const {
    bool is_reported = false;
    set_.each_reported([&](const ReportedObject& object) {
        EXPECT_FALSE(is_reported) << "more than one object";
        is_reported = true;
        visit(object);
    });
    return is_reported;
}

std::string object_yaml(const std::string& api_version, const std::string& kind,
                        const std::string& rest) {
    return fmt::format(
        "apiVersion: {}\nkind: {}\nmetadata: {{name: web, namespace: shop, uid: {}, generation: 3, "
        "resourceVersion: \"7\"}}\n{}",
        api_version, kind, kUid, rest);
}

} // namespace weir::test
