// SPDX-License-Identifier: Apache-2.0
// v1 Namespace and Node. Only the fields that Weir uses are looked at.
#pragma once

#include "agent/kube/field.h"
#include "policy/model.h"

namespace weir {

// The address that the text is, as status fields hold it; reported when it is none.
std::optional<Address> decode_address(const Field& field);

Namespace decode_namespace(const Field& root, const ObjectName& name);
Node decode_node(const Field& root, const ObjectName& name);

} // namespace weir
