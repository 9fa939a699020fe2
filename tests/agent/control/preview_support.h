// SPDX-License-Identifier: Apache-2.0
// A small cluster and flows in it, for tests of diff and suggest.
#pragma once

#include <netinet/in.h>

#include <string>
#include <vector>

#include "agent/control/flow_summary.h"
#include "agent/kube/decode.h"
#include "policy/model.h"
#include "tests/support/cluster.h"

namespace weir {

inline const std::chrono::system_clock::time_point kNoon{std::chrono::seconds(1'700'000'000)};

// Namespaces shop and lab; two web pods and a db in shop, a client in lab; one node.
inline std::vector<SharedObject> small_cluster() {
    const auto on_node = [](Pod pod) {
        pod.node = Symbol("n1");
        return pod;
    };
    Node node;
    node.name = Symbol("n1");
    node.addresses = {test::address("172.18.0.1")};
    return {test::ns("shop"),
            test::ns("lab"),
            node,
            on_node(test::pod("shop/web-7d4b9c6f5-bcd2f",
                              {{"app", "web"}, {"pod-template-hash", "7d4b9c6f5"}},
                              {"10.0.0.1", "fd00::1"})),
            on_node(test::pod("shop/web-7d4b9c6f5-xz2vb",
                              {{"app", "web"}, {"pod-template-hash", "7d4b9c6f5"}},
                              {"10.0.0.2", "fd00::2"})),
            on_node(test::pod("shop/db", {{"app", "db"}}, {"10.0.0.3", "fd00::3"},
                              {test::container_port("sql", 5432)})),
            on_node(test::pod("lab/client", {{"app", "client"}}, {"10.0.1.1", "fd00::11"}))};
}

inline FlowEnd flow_end(const std::string& address, const std::string& pod = "") {
    FlowEnd end{.address = test::address(address), .port = 0, .pod = {}, .node = {}};
    if (pod.starts_with("node/")) {
        end.node = Symbol(pod.substr(5));
    } else if (!pod.empty()) {
        end.pod = test::name(pod);
    }
    return end;
}

inline SeenFlow seen(FlowEnd source, FlowEnd destination, std::uint16_t port,
                     std::uint64_t count = 1, std::uint8_t protocol = IPPROTO_TCP) {
    SeenFlow flow{.source = std::move(source),
                  .destination = std::move(destination),
                  .protocol = protocol,
                  .is_denied = false,
                  .denied_by = WEIR_EGRESS,
                  .count = count,
                  .first_seen = kNoon,
                  .last_seen = kNoon + std::chrono::seconds(60)};
    flow.destination.port = port;
    return flow;
}

} // namespace weir
