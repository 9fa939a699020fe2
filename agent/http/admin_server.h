// SPDX-License-Identifier: Apache-2.0
// The admin endpoint: a small HTTP server for /metrics and the health checks. GET and HEAD only. On
// an address of the node, and on a unix socket for probes that run inside the agent's container.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "loader/result.h"

namespace boost::asio {
class io_context;
}

namespace weir {

struct Page {
    int status = 200;
    std::string content_type = "text/plain; charset=utf-8";
    std::string body;
};

// Lives on the io_context's thread, where pages are made too.
class AdminServer {
public:
    using Pages = std::map<std::string, std::function<Page()>>; // by path

    // address: "127.0.0.1:9964", "[::1]:9964"; port 0 takes a free one.
    // EADDRINUSE when somebody else has it.
    static Result<std::unique_ptr<AdminServer>> start(boost::asio::io_context& context,
                                                      const std::string& address, Pages pages);
    // Mode 0600. A socket that nobody listens on any more is replaced, another agent's is not.
    static Result<std::unique_ptr<AdminServer>> start_unix(boost::asio::io_context& context,
                                                           const std::string& path, Pages pages);
    ~AdminServer();

    std::uint16_t port() const; // of an address

    class Acceptor;

private:
    explicit AdminServer(std::shared_ptr<Acceptor> acceptor);

    std::shared_ptr<Acceptor> acceptor_;
};

} // namespace weir
