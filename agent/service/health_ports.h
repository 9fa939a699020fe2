// SPDX-License-Identifier: Apache-2.0
// Answers a load balancer that asks on a Service's healthCheckNodePort whether this node has
// endpoints of it.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "agent/http/admin_server.h"
#include "policy/service_index.h"

namespace weir {

class HealthPorts {
public:
    explicit HealthPorts(boost::asio::io_context& context) : context_(context) {}

    // Listens on the ports that Services of the index have, on all addresses, and no more on
    // others. A port that is another's (kube-proxy's) is tried again with the next call; its
    // trouble is logged once. The index must outlive this.
    void update(const ServiceIndex& index);

private:
    struct Port {
        ObjectName service;
        std::unique_ptr<AdminServer> server; // null while the port is another's
        bool is_told = false;                // that it is
    };

    void listen(std::uint16_t number, Port& port, const ServiceIndex& index);

    boost::asio::io_context& context_;
    std::map<std::uint16_t, Port> ports_;
};

// What is answered: 200 or, without local endpoints, 503.
Page health_page(const ServiceIndex& index, const ObjectName& service);

} // namespace weir
