// SPDX-License-Identifier: Apache-2.0
// Which pods a policy is for. For lists and previews: what is enforced is the compiler's business.
#pragma once

#include <string>

#include "policy/model.h"

namespace weir {

class SubjectTest {
public:
    // The object must outlive the test. One that is no policy selects nothing.
    // root_namespace: whose AuthorizationPolicies are for all namespaces.
    SubjectTest(const Object& policy, const Symbol& root_namespace)
        : policy_(policy), root_namespace_(root_namespace) {}

    // Whether any pod of the namespace can be among the subjects, whatever its labels.
    bool may_select_in(const std::string& ns) const;
    // ns: of the pod; null when its object is not known.
    bool selects(const Pod& pod, const Namespace* ns) const;

private:
    const Object& policy_;
    Symbol root_namespace_;
};

} // namespace weir
