// SPDX-License-Identifier: Apache-2.0
#include "policy/predicate.h"

#include "policy/object_index.h"
#include "policy/selector.h"

namespace weir {

bool holds(const PodPeer& peer, const PodRecord& pod) {
    if (!pod.is_selectable()) {
        return false;
    }
    if (peer.ns ? pod.ns->name != *peer.ns : !matches(peer.namespaces, pod.ns->labels)) {
        return false;
    }
    return matches(peer.pods, pod.labels());
}

} // namespace weir
