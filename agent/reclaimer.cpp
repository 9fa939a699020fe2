// SPDX-License-Identifier: Apache-2.0
#include "agent/reclaimer.h"

#include <boost/asio/post.hpp>
#include <utility>

#include "loader/dataplane.h"

namespace weir {

Reclaimer::~Reclaimer() {
    waiter_.stop();
    waiter_.join();
}

void Reclaimer::after_grace_period(std::function<void()> function) {
    next_.push_back(std::move(function));
    if (!is_waiting_) begin();
}

void Reclaimer::begin() {
    is_waiting_ = true;
    current_ = std::exchange(next_, {});
    boost::asio::post(waiter_, [this] {
        grace_period();
        boost::asio::post(context_, [this] { finish(); });
    });
}

void Reclaimer::finish() {
    is_waiting_ = false;
    for (const auto& function : std::exchange(current_, {}))
        function();
    if (!is_waiting_ && !next_.empty()) begin();
}

} // namespace weir
