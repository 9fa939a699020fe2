// SPDX-License-Identifier: Apache-2.0
// What TLS to the API server trusts, shows and expects.
#pragma once

#include <boost/asio/ssl/context.hpp>
#include <memory>
#include <string>

#include "agent/kube/api/access.h"
#include "loader/result.h"

namespace weir {

// Fails when a certificate or key is no valid PEM, or the two do not belong together.
Result<std::unique_ptr<boost::asio::ssl::context>> tls_context(const ApiAccess& access,
                                                               const Secrets& secrets);

// The certificate has to bear that name or address, and a name is sent (SNI).
Result<> expect_server_name(SSL* connection, const std::string& name);

// Why the server's certificate was refused, with the remedy; empty when it was not.
std::string verification_error(const SSL* connection, const std::string& name);

} // namespace weir
