// SPDX-License-Identifier: Apache-2.0
#include "agent/report/status_writer.h"

namespace weir {
namespace {

using Clock = std::chrono::steady_clock;

} // namespace

StatusWriter::StatusWriter(boost::asio::io_context& context, const AccessProvider& access)
    : client_(std::make_shared<ApiClient>(context.get_executor(), access, ApiTimings{})),
      timer_(context) {}

StatusWriter::~StatusWriter() {
    client_->stop();
}

void StatusWriter::observe(const std::vector<StatusWrite>& writes) {
    plan_.observe(writes, Clock::now());
    send();
}

void StatusWriter::send() {
    if (is_asking_) return;
    if (const auto write = plan_.next(Clock::now())) {
        is_asking_ = true;
        return client_->send(write->request,
                             [this, write = *write](const Result<ApiClient::Reply>& reply) {
                                 is_asking_ = false;
                                 plan_.answer(write, reply ? reply->status : 0, Clock::now());
                                 warning_.look_at(reply);
                                 send();
                             });
    }
    const auto due = plan_.due();
    if (!due) return;
    timer_.expires_at(*due);
    timer_.async_wait([this](const boost::system::error_code& error) {
        if (!error) send();
    });
}

} // namespace weir
