// SPDX-License-Identifier: Apache-2.0
// One connection to the API server: TCP, through a proxy if there is one, TLS, and HTTP/1.1
// requests one after another whose bodies are handed on as they arrive.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "agent/kube/api/access.h"
#include "loader/result.h"

namespace weir {

struct ApiRequest {
    std::string target; // path and query, below the server's own path
    std::string accept;
    std::string authorization;
    std::string method = "GET";
    std::string content_type = {}; // of the body, if there is one
    std::string body = {};
};

struct ApiResponse {
    unsigned status = 0;
    std::string content_type; // without parameters
    std::optional<std::chrono::seconds> retry_after;
};

// Used by one coroutine on the executor's thread; close() may be called beside it. Every wait has
// an end, and an error closes the connection.
class ApiConnection {
public:
    using Duration = std::chrono::steady_clock::duration;

    ApiConnection(const boost::asio::any_io_executor& executor, ApiAccess access, Secrets secrets);
    ~ApiConnection();

    // Verifies the server's certificate. Where the access names several servers, the first that
    // serves. Fails when none of the ways is to be had within timeout.
    boost::asio::awaitable<Result<>> open(Duration timeout);
    // Sends it and reads the answer's header. The body of the one before has to be read.
    boost::asio::awaitable<Result<ApiResponse>> send(const ApiRequest& request, Duration timeout);
    // Errors of send and read do not name the request.
    // The next piece of the body, valid until the next call; empty when it is complete.
    boost::asio::awaitable<Result<std::string_view>> read(Duration timeout);

    // Whether another request can be sent to that server as that identity.
    bool can_serve(const ApiAccess& access, const Secrets& secrets) const;
    void close(); // for good

private:
    class Transport;
    boost::asio::awaitable<Result<>> open(const ApiAccess& access, Duration timeout);

    boost::asio::any_io_executor executor_;
    ApiAccess access_;
    Url server_; // the one that it is connected to
    bool is_closed_ = false;
    Secrets secrets_;
    std::unique_ptr<Transport> transport_;
};

} // namespace weir
