// SPDX-License-Identifier: Apache-2.0
// metadata.uid in 16 bytes: a cluster has many pods, and the text is longer than all else of them.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace weir {

// 32 hexadecimal digits with or without hyphens (RFC 4122, or the kubelet's hash for a static pod).
// All zero for any other text.
std::array<std::uint8_t, 16> parse_uid(std::string_view text);

// metadata.uid in text, as the API server makes them; empty when it is not known (all zeros).
std::string uid_text(const std::array<std::uint8_t, 16>& uid);

} // namespace weir
