// SPDX-License-Identifier: Apache-2.0
// Who of several agents of one node enforces: whoever holds the run lock. The others wait for it;
// one that is to take over asks the holder to yield once it could carry on at once. Policy is
// pinned in the kernel, so traffic sees nothing of it.
#pragma once

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <chrono>
#include <functional>
#include <optional>
#include <string>

#include "agent/run_lock.h"
#include "loader/result.h"

namespace boost::asio {
class io_context;
}

namespace weir {

struct Config;

class Succession {
public:
    struct Handlers {
        // Whether this agent could carry on at once; the error says what it waits for. Asked often.
        std::function<Result<>()> is_prepared;
        // The lock is this agent's. Called once.
        std::function<void(RunLock)> on_turn;
    };

    // Begins to wait. Lives on the io_context's thread, as long as that runs.
    Succession(boost::asio::io_context& context, const Config& config, Handlers handlers);
    ~Succession();

    // What is waited for, in words.
    const std::string& state() const { return state_; }

private:
    using Clock = std::chrono::steady_clock;

    void look();
    void ask_when_prepared();
    void ask();
    void take_answer(const Result<>& answer);
    void say(const std::string& text);

    boost::asio::io_context& context_;
    const Config& config_;
    Handlers handlers_;
    boost::asio::steady_timer timer_;
    boost::asio::thread_pool asker_{1}; // the call blocks, and probes want their answer meanwhile
    std::string state_;
    Clock::time_point first_look_;                // at the lock
    std::optional<Clock::time_point> free_since_; // as one that stands by saw it
    Clock::time_point next_question_;
    std::optional<Clock::time_point> promised_; // that the lock is free by then
    bool is_asking_ = false;
};

// For an agent that has yielded: runs this program again in this process, standing by. Whatever it
// held is gone with it, and its supervisor, which would start it anew and have it take over again,
// sees no end. Returns when that fails.
Error stand_by();

} // namespace weir
