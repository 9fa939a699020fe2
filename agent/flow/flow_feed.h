// SPDX-License-Identifier: Apache-2.0
// Carries events from the kernel's ring buffer to the flow store. The programs rarely wake it up,
// so it looks by itself every 50 ms.
#pragma once

#include <memory>

#include "loader/result.h"

namespace boost::asio {
class io_context;
}

namespace weir {

class Enforcer;
class FlowStore;
class Inventory;

// Lives on the thread that runs the io_context; what it is started with must outlive it.
class FlowFeed {
public:
    static Result<std::unique_ptr<FlowFeed>> start(boost::asio::io_context& context,
                                                   const Enforcer& enforcer,
                                                   const Inventory& inventory, FlowStore& store);
    ~FlowFeed();

    // After a new revision: rule ids are asked for again.
    void forget_rules();

private:
    class Pump;

    explicit FlowFeed(std::unique_ptr<Pump> pump);

    std::unique_ptr<Pump> pump_;
};

} // namespace weir
