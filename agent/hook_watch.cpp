// SPDX-License-Identifier: Apache-2.0
#include "agent/hook_watch.h"

#include <spdlog/spdlog.h>

#include <boost/asio/io_context.hpp>
#include <chrono>

#include "agent/enforcer.h"

namespace weir {
namespace {

constexpr std::chrono::seconds kInterval{5};

} // namespace

HookWatch::HookWatch(boost::asio::io_context& context, Enforcer& enforcer)
    : enforcer_(enforcer), timer_(context) {
    wait();
}

void HookWatch::wait() {
    timer_.expires_after(kInterval);
    timer_.async_wait([this](const boost::system::error_code& error) {
        if (error) return; // the watch ends
        if (const auto mended = enforcer_.mend_hooks(); !mended) {
            spdlog::error("cannot attach lost programs again: {}", mended.error().what);
        }
        wait();
    });
}

} // namespace weir
