// SPDX-License-Identifier: Apache-2.0
// Waits for grace periods on a thread of its own and calls back on the io_context's thread. One
// wait serves everything that was asked for before it began.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/thread_pool.hpp>
#include <functional>
#include <vector>

namespace weir {

class Reclaimer {
public:
    explicit Reclaimer(boost::asio::io_context& context) : context_(context), waiter_(1) {}
    ~Reclaimer();

    // Runs the function on the context's thread after a grace period that begins after this call.
    void after_grace_period(std::function<void()> function);

private:
    void begin();
    void finish();

    boost::asio::io_context& context_;
    boost::asio::thread_pool waiter_;
    bool is_waiting_ = false;
    std::vector<std::function<void()>> current_; // the wait under way is theirs
    std::vector<std::function<void()>> next_;
};

} // namespace weir
