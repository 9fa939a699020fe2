// SPDX-License-Identifier: Apache-2.0
// One line of `weir verdicts`' input: a flow to judge, and whatever else the user wrote, to echo.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>

namespace weir {

struct FlowQuery {
    std::string echo; // the input's fields as JSON text: an object without its closing brace
    bool has_fields = true;
    std::string source; // NAMESPACE/POD, node/NAME or an address
    std::string destination;
    std::uint16_t port = 0;
    std::uint8_t protocol = 0;
    std::optional<bool> is_v4; // as asked

    std::string error; // not empty: the flow cannot be judged
};

FlowQuery parse_query(const std::string& line);

} // namespace weir
