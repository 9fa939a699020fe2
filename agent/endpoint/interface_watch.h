// SPDX-License-Identifier: Apache-2.0
// Tells when interfaces of this netns go (rtnetlink).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <set>

#include "loader/result.h"

namespace boost::asio {
class io_context;
}

namespace weir {

class InterfaceWatch {
public:
    struct Callbacks {
        std::function<void(std::uint32_t ifindex)> on_gone;
        // Messages were lost: these interfaces exist, any other is gone.
        std::function<void(const std::set<std::uint32_t>& existing)> on_resync;
    };

    // Calls back on the context's thread until it is destroyed, which must happen on that thread.
    static Result<std::unique_ptr<InterfaceWatch>> start(boost::asio::io_context& context,
                                                         Callbacks callbacks);
    virtual ~InterfaceWatch() = default;
};

} // namespace weir
