// SPDX-License-Identifier: Apache-2.0
#include "agent/kube/api/client.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <utility>

namespace weir {
namespace {

namespace asio = boost::asio;

constexpr std::size_t kMaxCalls = 1000; // that wait
constexpr std::size_t kMaxBody = std::size_t{8} << 20;

} // namespace

ApiClient::ApiClient(const asio::any_io_executor& executor, AccessProvider access,
                     const ApiTimings& timings)
    : executor_(executor), timings_(timings), session_(executor, std::move(access), timings) {}

void ApiClient::send(ApiRequest request, Done done) {
    if (is_stopped_) return;
    if (calls_.size() >= kMaxCalls) {
        return done(failure("the API server has too many requests of this agent's to answer"));
    }
    calls_.push_back({std::move(request), std::move(done)});
    if (std::exchange(is_running_, true)) return;
    asio::co_spawn(executor_, [self = shared_from_this()] { return self->run(); }, asio::detached);
}

void ApiClient::stop() {
    is_stopped_ = true;
    calls_.clear();
    session_.stop();
}

asio::awaitable<void> ApiClient::run() {
    const auto self = shared_from_this();
    while (!calls_.empty()) {
        Call next = std::move(calls_.front());
        calls_.pop_front();
        const auto reply = co_await call(std::move(next.request));
        if (is_stopped_) break;
        next.done(reply);
    }
    is_running_ = false;
}

asio::awaitable<Result<ApiClient::Reply>> ApiClient::call(ApiRequest request) {
    const auto response = co_await session_.send(std::move(request));
    if (!response) co_return std::unexpected(response.error());
    Reply reply{response->status, {}};
    while (true) {
        const auto piece = co_await session_.read(timings_.answer);
        if (!piece) co_return std::unexpected(piece.error());
        if (piece->empty()) co_return reply;
        reply.body += *piece;
        if (reply.body.size() <= kMaxBody) continue;
        session_.close();
        co_return failure("the answer is larger than an object can be");
    }
}

} // namespace weir
