// SPDX-License-Identifier: Apache-2.0
// Objects as the API serves them, and findings about them, for tests of what is reported.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>

#include "agent/kube/api/object_set.h"
#include "agent/report/finding.h"

namespace weir::test {

inline constexpr std::chrono::system_clock::time_point kReportedAt{
    std::chrono::seconds(1800000000)};
inline const std::string kUid = "11111111-2222-3333-4444-555555555555";

// Of "NetworkPolicy shop/web".
Finding finding(const std::string& note, const std::string& uid = kUid);

// Puts the objects (YAML, which yields the same trees as the API's JSON) and has the last one's
// report; nothing when there is nothing to say of it.
class ReportedSet {
public:
    explicit ReportedSet(Kind kind) : set_(kind) {}

    void put(const std::string& yaml);
    // Calls visit with the only object that is reported, if there is one.
    bool visit(const std::function<void(const ReportedObject&)>& visit) const;
    Change take_change() { return set_.take_change(); }

private:
    ObjectSet set_;
};

// {kind: K, metadata: {name: web, namespace: shop, uid, generation: 3, resourceVersion: "7"}, ...}
std::string object_yaml(const std::string& api_version, const std::string& kind,
                        const std::string& rest);

} // namespace weir::test
