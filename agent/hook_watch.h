// SPDX-License-Identifier: Apache-2.0
// Compares every few seconds what is attached with what should be: nothing tells of a program that
// somebody else takes off an interface.
#pragma once

#include <boost/asio/steady_timer.hpp>

namespace weir {

class Enforcer;

class HookWatch {
public:
    // Until destruction, on the io_context's thread.
    HookWatch(boost::asio::io_context& context, Enforcer& enforcer);

private:
    void wait();

    Enforcer& enforcer_;
    boost::asio::steady_timer timer_;
};

} // namespace weir
