// SPDX-License-Identifier: Apache-2.0
#include "agent/flow/flow_feed.h"

#include <spdlog/spdlog.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <optional>
#include <utility>

#include "agent/enforcer.h"
#include "agent/flow/flow_recorder.h"
#include "agent/flow/flow_store.h"
#include "loader/events.h"

namespace weir {
namespace {

constexpr std::chrono::milliseconds kInterval{50};

} // namespace

class FlowFeed::Pump {
public:
    Pump(boost::asio::io_context& context, const Enforcer& enforcer, const Inventory& inventory,
         FlowStore& store)
        : timer_(context),
          wakeup_(context),
          store_(store),
          recorder_(
              inventory,
              [&enforcer](std::uint32_t id) { return enforcer.compiler().rules().find(id); },
              [&enforcer](std::uint32_t slot) {
                  const auto* endpoint = enforcer.endpoints().find_slot(slot);
                  if (endpoint == nullptr) return ObjectName{};
                  return ObjectName{Symbol(endpoint->ns), Symbol(endpoint->name)};
              }) {}

    // The fd is the reader's: it must not be closed here.
    ~Pump() {
        if (wakeup_.is_open()) wakeup_.release();
    }
    Pump(const Pump&) = delete;
    Pump& operator=(const Pump&) = delete;

    Result<> start(int ring_fd) {
        auto reader = EventReader::open(
            ring_fd, [this](const weir_event& event) { store_.add(recorder_.record(event)); });
        if (!reader) return std::unexpected(std::move(reader.error()));
        reader_ = std::move(*reader);
        boost::system::error_code error;
        wakeup_.assign(reader_->fd(), error);
        if (error) return failure("watch the ring buffer: " + error.message());
        tick();
        wait();
        return {};
    }

    void forget_rules() { recorder_.forget_rules(); }

private:
    void consume() {
        recorder_.synchronise();
        if (const auto consumed = reader_->consume(); !consumed) {
            spdlog::warn("{}", consumed.error().what);
        }
        store_.publish();
    }

    void tick() {
        timer_.expires_after(kInterval);
        timer_.async_wait([this](const boost::system::error_code& error) {
            if (error) return;
            consume();
            tick();
        });
    }

    void wait() {
        wakeup_.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                           [this](const boost::system::error_code& error) {
                               if (error) return;
                               consume();
                               wait();
                           });
    }

    boost::asio::steady_timer timer_;
    boost::asio::posix::stream_descriptor wakeup_;
    FlowStore& store_;
    FlowRecorder recorder_;
    std::optional<EventReader> reader_;
};

FlowFeed::FlowFeed(std::unique_ptr<Pump> pump) : pump_(std::move(pump)) {}
FlowFeed::~FlowFeed() = default;

void FlowFeed::forget_rules() {
    pump_->forget_rules();
}

Result<std::unique_ptr<FlowFeed>> FlowFeed::start(boost::asio::io_context& context,
                                                  const Enforcer& enforcer,
                                                  const Inventory& inventory, FlowStore& store) {
    auto pump = std::make_unique<Pump>(context, enforcer, inventory, store);
    if (auto started = pump->start(enforcer.dataplane().events_fd()); !started) {
        return std::unexpected(std::move(started.error()));
    }
    return std::unique_ptr<FlowFeed>(new FlowFeed(std::move(pump)));
}

} // namespace weir
