// SPDX-License-Identifier: Apache-2.0
// The installation that this agent is a part of: a ConfigMap which is in the cluster for as long as
// Weir is. An agent that ends cannot tell otherwise whether another comes after it. Its DaemonSet
// would say the same, but every pod of every node changes that.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "agent/kube/api/reflector.h"
#include "agent/kube/api/timings.h"

namespace weir {

class Installation {
public:
    // Follows the ConfigMap until it ends. Lives on the io_context's thread.
    Installation(boost::asio::io_context& context, AccessProvider access, const std::string& ns,
                 const std::string& name, const ApiTimings& timings = {});
    ~Installation();

    // The ConfigMap was there, and the API says that it is not any more. One that nobody ever saw
    // is a mistake and not a removal.
    bool is_removed() const { return was_seen_ && !is_present_; }

    // Calls done once: when it is removed, or when that has not been heard of for so long.
    void expect_removal(std::chrono::milliseconds patience, std::function<void()> done);

private:
    void present(bool is_present);
    void answer();
    void take_state();

    std::string name_;
    std::shared_ptr<Reflector> reflector_;
    boost::asio::steady_timer timer_;
    std::function<void()> done_;
    bool is_listed_ = false; // by the list in progress
    bool is_present_ = false;
    bool was_seen_ = false;
    bool was_away_ = false;
};

} // namespace weir
