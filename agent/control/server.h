// SPDX-License-Identifier: Apache-2.0
// The control API's server: gRPC on <run-dir>/weir.sock. Its few threads post each question to the
// io_context and wait for the answer; they never touch the agent's state themselves.
#pragma once

#include <memory>

#include "agent/control/context.h"
#include "loader/result.h"

namespace boost::asio {
class io_context;
}

namespace weir {

class ControlServer {
public:
    // Listens at once. Requests are answered while the io_context runs. What the context refers to
    // must outlive the server. Precondition: no other agent uses the run folder (RunLock).
    static Result<std::unique_ptr<ControlServer>> start(boost::asio::io_context& context,
                                                        const ControlContext& control);
    // Ends streams and calls under way. To be destroyed before the io_context's objects, on a
    // thread that may wait.
    ~ControlServer();

private:
    class Service;
    struct Listener;

    ControlServer();

    std::unique_ptr<Service> service_;
    std::unique_ptr<Listener> listener_;
};

} // namespace weir
