// SPDX-License-Identifier: Apache-2.0
// What is said of a field that no decoder knows: of an object that the API serves, that it is newer
// than Weir.
#pragma once

#include <string_view>

namespace weir {

inline constexpr std::string_view kUnknownField = "unknown field, which the API server ignores";

} // namespace weir
