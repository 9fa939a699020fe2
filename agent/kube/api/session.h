// SPDX-License-Identifier: Apache-2.0
// Requests to the API server over one connection, which is opened when it is needed and kept.
// Access and credentials are read for each, so that what is rotated is followed.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <memory>
#include <string_view>

#include "agent/kube/api/access.h"
#include "agent/kube/api/connection.h"
#include "agent/kube/api/timings.h"

namespace weir {

// For one coroutine at a time; close() and stop() may be called beside it.
class ApiSession {
public:
    ApiSession(const boost::asio::any_io_executor& executor, AccessProvider access,
               const ApiTimings& timings);

    // Sends it with the credential of now. Again where the server may have closed the connection
    // meanwhile: the request may be repeated.
    boost::asio::awaitable<Result<ApiResponse>> send(ApiRequest request);
    // As ApiConnection::read().
    boost::asio::awaitable<Result<std::string_view>> read(ApiTimings::Duration timeout);
    // Whether the last send() reached the server at all.
    bool was_connected() const { return was_connected_; }

    void close();
    void stop(); // and nothing is sent any more

private:
    boost::asio::awaitable<Result<>> connect(ApiRequest& request);

    boost::asio::any_io_executor executor_;
    AccessProvider access_;
    ApiTimings timings_;
    std::unique_ptr<ApiConnection> connection_;
    bool is_reused_ = false; // it has served a request before this one
    bool was_connected_ = false;
    bool is_stopped_ = false;
};

} // namespace weir
