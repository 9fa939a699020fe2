// SPDX-License-Identifier: Apache-2.0
#include "agent/report/event_recorder.h"

#include <utility>

#include "agent/report/http_status.h"

namespace weir {
namespace {

using Clock = std::chrono::steady_clock;
using Verb = EventCall::Verb;

ApiRequest request_of(const EventCall& call, const std::string& node) {
    const auto now = std::chrono::system_clock::now();
    switch (call.verb) {
        case Verb::kCreate:
            return create_event(call.finding, node, now);
        case Verb::kRead:
            return read_event(call.finding);
        case Verb::kRepeat:
            break;
    }
    return repeat_event(call.finding, call.count, now);
}

} // namespace

EventRecorder::EventRecorder(boost::asio::io_context& context, const AccessProvider& access,
                             std::string node)
    : node_(std::move(node)),
      log_(node_),
      client_(std::make_shared<ApiClient>(context.get_executor(), access, ApiTimings{})),
      timer_(context) {}

EventRecorder::~EventRecorder() {
    client_->stop();
}

void EventRecorder::observe(const std::vector<Finding>& findings) {
    log_.observe(findings, Clock::now());
    send();
}

void EventRecorder::occur(const Finding& finding) {
    log_.occur(finding, Clock::now());
    send();
}

void EventRecorder::send() {
    if (is_asking_) return;
    if (const auto call = log_.next(Clock::now())) {
        is_asking_ = true;
        return client_->send(
            request_of(*call, node_),
            [this, call = *call](const Result<ApiClient::Reply>& reply) { take(call, reply); });
    }
    const auto due = log_.due();
    if (!due) return;
    timer_.expires_at(*due);
    timer_.async_wait([this](const boost::system::error_code& error) {
        if (!error) send();
    });
}

void EventRecorder::take(const EventCall& call, const Result<ApiClient::Reply>& reply) {
    is_asking_ = false;
    const bool is_read = call.verb == Verb::kRead && reply && reply->status == http_status::kOk;
    log_.answer(call, reply ? reply->status : 0, is_read ? parse_event(reply->body) : EventRecord{},
                Clock::now());
    warning_.look_at(reply);
    send();
}

} // namespace weir
