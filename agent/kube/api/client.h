// SPDX-License-Identifier: Apache-2.0
// Single requests to the API server, beside lists and watches: one after another, in the order in
// which they were asked for.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <deque>
#include <functional>
#include <memory>
#include <string>

#include "agent/kube/api/session.h"

namespace weir {

class ApiClient : public std::enable_shared_from_this<ApiClient> {
public:
    struct Reply {
        unsigned status = 0;
        std::string body;
    };
    using Done = std::function<void(const Result<Reply>&)>;

    // On the executor's thread, as everything here.
    ApiClient(const boost::asio::any_io_executor& executor, AccessProvider access,
              const ApiTimings& timings);

    // Calls done once, later: with what the server answers, whatever that is, or why it does not.
    // Never after stop(). Fails at once when too many wait.
    void send(ApiRequest request, Done done);
    void stop();

private:
    struct Call {
        ApiRequest request;
        Done done;
    };

    boost::asio::awaitable<void> run();
    boost::asio::awaitable<Result<Reply>> call(ApiRequest request);

    boost::asio::any_io_executor executor_;
    ApiTimings timings_;
    ApiSession session_;
    std::deque<Call> calls_;
    bool is_running_ = false;
    bool is_stopped_ = false;
};

} // namespace weir
