// SPDX-License-Identifier: Apache-2.0
// What kinds share: CIDR blocks, ports, words of a fixed set and lists of a limited length.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string_view>

#include "agent/kube/field.h"
#include "policy/address.h"

namespace weir {

// A required block; warns of host bits, which are cleared. Nothing when it is none, and reported.
std::optional<Cidr> decode_cidr(const Field& field);

// A number from 1 to 65535; reported when it is another.
std::optional<std::uint16_t> decode_port_number(const Field& field);

// "TCP", "UDP" or "SCTP" to IPPROTO_*; TCP when it is missing, 0 and reported when it is another.
std::uint8_t decode_protocol(const Field& field);

// One of the words; the first of them when it is missing, and when it is none, which is reported.
std::string_view decode_word(const Field& field, std::initializer_list<std::string_view> words);

// Reports a list that is missing, empty or too long. A list that may be missing may not be empty.
void check_required_size(const Field& list, std::size_t most);
void check_optional_size(const Field& list, std::size_t most);

} // namespace weir
