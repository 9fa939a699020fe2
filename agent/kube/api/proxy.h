// SPDX-License-Identifier: Apache-2.0
// The proxy that the environment names for a server, by the rules of kubectl (Go's net/http).
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "agent/kube/api/url.h"
#include "loader/result.h"

namespace weir {

// Of a variable's name; empty when it is not set.
using Environment = std::function<std::string(const char* name)>;
std::string process_environment(const char* name);

// Nothing without HTTPS_PROXY (for http servers HTTP_PROXY; lower case as well), for servers that
// NO_PROXY excepts, and for loopback ones. Fails when the value is no http proxy.
Result<std::optional<Url>> proxy_from_environment(
    const Url& server, const Environment& environment = process_environment);

} // namespace weir
