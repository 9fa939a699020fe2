// SPDX-License-Identifier: Apache-2.0
#include "agent/kube/api/installation.h"

#include <spdlog/spdlog.h>

#include <utility>

namespace weir {
namespace {

constexpr ApiResource kConfigMaps = {.group = "", .version = "v1", .plural = "configmaps"};

} // namespace

Installation::Installation(boost::asio::io_context& context, AccessProvider access,
                           const std::string& ns, const std::string& name,
                           const ApiTimings& timings)
    : name_(ns + "/" + name), timer_(context) {
    Reflector::Handlers handlers;
    handlers.on_list_begin = [this] { is_listed_ = false; };
    handlers.on_item = [this](const Value&) { is_listed_ = true; };
    handlers.on_list_end = [this] { present(is_listed_); };
    handlers.on_put = [this](const Value&) { present(true); };
    handlers.on_erase = [this](const Value&) { present(false); };
    handlers.on_batch = [] {};
    handlers.on_absent = [] {}; // ConfigMaps always are
    handlers.on_state = [this] { take_state(); };
    reflector_ = std::make_shared<Reflector>(context.get_executor(), std::move(access),
                                             Reflector::Options{.resource = kConfigMaps,
                                                                .wants_metadata_only = true,
                                                                .timings = timings,
                                                                .ns = ns,
                                                                .name = name},
                                             std::move(handlers));
    reflector_->start();
}

Installation::~Installation() {
    reflector_->stop();
}

void Installation::expect_removal(std::chrono::milliseconds patience, std::function<void()> done) {
    done_ = std::move(done);
    if (is_removed()) return answer();
    timer_.expires_after(patience);
    timer_.async_wait([this](const boost::system::error_code& error) {
        if (!error) answer();
    });
}

void Installation::present(bool is_present) {
    const bool was_present = std::exchange(is_present_, is_present);
    was_seen_ = was_seen_ || is_present;
    if (was_present && is_removed()) {
        spdlog::warn(
            "the ConfigMap {} is deleted: Weir is being uninstalled, and this agent takes "
            "it off the node when it is stopped",
            name_);
    }
    if (is_removed()) answer();
}

void Installation::answer() {
    if (const auto done = std::exchange(done_, nullptr)) done();
}

void Installation::take_state() {
    const bool is_away = reflector_->away().has_value();
    if (is_away == std::exchange(was_away_, is_away)) return;
    if (is_away) {
        spdlog::warn("whether Weir is uninstalled is not known: {}", reflector_->away()->why);
    }
}

} // namespace weir
