// SPDX-License-Identifier: Apache-2.0
#include "agent/kube/manifest_status.h"

namespace weir {

const char* to_string(Kind kind) {
    switch (kind) {
        case Kind::kNamespace:
            return "Namespace";
        case Kind::kNode:
            return "Node";
        case Kind::kPod:
            return "Pod";
        case Kind::kNetworkPolicy:
            return "NetworkPolicy";
    }
    return "unknown";
}

std::string to_string(const ObjectKey& key) {
    std::string text = std::string(to_string(key.kind)) + " ";
    if (!key.name.ns.get().empty()) text += key.name.ns.get() + "/";
    return text + key.name.name.get();
}

} // namespace weir
