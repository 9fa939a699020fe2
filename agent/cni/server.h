// SPDX-License-Identifier: Apache-2.0
// The agent's end of <run-dir>/cni.sock (agent/cni/protocol.h).
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "agent/cni/protocol.h"
#include "loader/result.h"

namespace boost::asio {
class io_context;
}

namespace weir {

class CniServer {
public:
    // Called on the io_context's thread. May keep `done` and call it later, once, on that thread.
    using Handler =
        std::function<void(const CniRequest& request, std::function<void(const CniReply&)> done)>;

    // Listens at once, mode 0600; answers while the io_context runs. Precondition: no other agent
    // uses the run folder (RunLock).
    static Result<std::unique_ptr<CniServer>> start(boost::asio::io_context& context,
                                                    const std::string& run_dir, Handler handler);
    ~CniServer();

private:
    class Acceptor;
    explicit CniServer(std::shared_ptr<Acceptor> acceptor);

    std::shared_ptr<Acceptor> acceptor_;
};

} // namespace weir
