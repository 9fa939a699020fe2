// SPDX-License-Identifier: Apache-2.0
#include "agent/kube/api/session.h"

#include <utility>

namespace weir {

namespace asio = boost::asio;

ApiSession::ApiSession(const asio::any_io_executor& executor, AccessProvider access,
                       const ApiTimings& timings)
    : executor_(executor), access_(std::move(access)), timings_(timings) {}

asio::awaitable<Result<ApiResponse>> ApiSession::send(ApiRequest request) {
    was_connected_ = false;
    auto connected = co_await connect(request);
    if (!connected) co_return std::unexpected(std::move(connected.error()));
    was_connected_ = true;
    auto response = co_await connection_->send(request, timings_.answer);
    if (response || !is_reused_ || is_stopped_) co_return response;
    was_connected_ = false;
    auto again = co_await connect(request);
    if (!again) co_return std::unexpected(std::move(again.error()));
    was_connected_ = true;
    co_return co_await connection_->send(request, timings_.answer);
}

asio::awaitable<Result<std::string_view>> ApiSession::read(ApiTimings::Duration timeout) {
    co_return co_await connection_->read(timeout);
}

asio::awaitable<Result<>> ApiSession::connect(ApiRequest& request) {
    auto access = access_();
    if (!access) co_return std::unexpected(std::move(access.error()));
    auto secrets = read_secrets(*access);
    if (!secrets) co_return std::unexpected(std::move(secrets.error()));
    request.authorization = secrets->authorization;
    is_reused_ = connection_ && connection_->can_serve(*access, *secrets);
    if (is_reused_) co_return Result<>{};
    connection_ =
        std::make_unique<ApiConnection>(executor_, std::move(*access), std::move(*secrets));
    auto opened = co_await connection_->open(timings_.connect);
    if (opened && is_stopped_) co_return failure("stopped");
    co_return opened;
}

void ApiSession::close() {
    if (connection_) connection_->close();
}

void ApiSession::stop() {
    is_stopped_ = true;
    close();
}

} // namespace weir
