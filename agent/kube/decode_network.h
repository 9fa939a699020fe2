// SPDX-License-Identifier: Apache-2.0
// What policy kinds share: CIDR blocks, port numbers and lists of a limited length.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "agent/kube/field.h"
#include "policy/address.h"

namespace weir {

// A required block; warns of host bits, which are cleared. Nothing when it is none, and reported.
std::optional<Cidr> decode_cidr(const Field& field);

// A number from 1 to 65535; reported when it is another.
std::optional<std::uint16_t> decode_port_number(const Field& field);

// Reports a list that is missing, empty or too long. A list that may be missing may not be empty.
void check_required_size(const Field& list, std::size_t most);
void check_optional_size(const Field& list, std::size_t most);

} // namespace weir
