// SPDX-License-Identifier: Apache-2.0
// http and https addresses, as far as kubeconfig files use them.
#pragma once

#include <string>
#include <string_view>

#include "loader/result.h"

namespace weir {

struct Url {
    std::string scheme; // lower case
    std::string user;   // "name:password", percent decoded, may be empty
    std::string host;   // IPv6 addresses without their brackets
    std::string port;   // the scheme's when none is written
    std::string path;   // without a trailing slash; may be empty

    // "host:port", IPv6 addresses in brackets.
    std::string authority() const;

    bool operator==(const Url&) const = default;
};

// Fails on anything but SCHEME://[USER@]HOST[:PORT][/PATH]; the error says what is wrong with text.
Result<Url> parse_url(std::string_view text);

// A text as a value in a query: everything but letters, digits and -._~ is percent encoded.
std::string query_escape(std::string_view text);

} // namespace weir
