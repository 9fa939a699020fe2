// SPDX-License-Identifier: Apache-2.0
// One netlink socket, in the network namespace of the thread that opens it.
#pragma once

#include <functional>
#include <memory>

#include "loader/result.h"

struct mnl_socket;
struct nlmsghdr;

namespace weir {

class Netlink {
public:
    using Handler = std::function<void(const nlmsghdr*)>;

    // bus: NETLINK_ROUTE, NETLINK_SOCK_DIAG, ...
    static Result<Netlink> open(int bus);

    // Sends the request and handles each answer, up to the last one. The request asks for a dump or
    // for an acknowledgement. An error that the kernel reports has its errno value in `code`.
    Result<> ask(nlmsghdr* request, const Handler& handler = [](const nlmsghdr*) {}) const;

private:
    struct Closer {
        void operator()(mnl_socket* socket) const;
    };
    std::unique_ptr<mnl_socket, Closer> socket_;
};

} // namespace weir
