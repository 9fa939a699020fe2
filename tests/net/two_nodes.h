// SPDX-License-Identifier: Apache-2.0
// The cluster of most net tests: a server and a neighbour on one node, a client on the other, an
// external host; everybody serves TCP 80, TCP 81 and UDP 53. Run for both wirings of the server's
// node.
#pragma once

#include <gtest/gtest.h>

#include <string>

#include "tests/net/policies.h"
#include "tests/support/lab.h"

namespace weir {

class TwoNodes : public testing::TestWithParam<Wiring> {
protected:
    TwoNodes()
        : server_node_(lab_.add_node("n1", GetParam())),
          client_node_(lab_.add_node(
              "n2", GetParam() == Wiring::kBridged ? Wiring::kRouted : Wiring::kBridged)),
          server_(add("server", server_node_)),
          neighbour_(add("neighbour", server_node_)),
          client_(add("client", client_node_)),
          external_(lab_.add_external("web", "203.0.113.10", "2001:db8:113::10")) {
        for (const LabHost* host :
             {static_cast<LabHost*>(&server_), static_cast<LabHost*>(&neighbour_),
              static_cast<LabHost*>(&client_), &external_}) {
            lab_.servers().listen(*host->netns, 80, IPPROTO_TCP);
            lab_.servers().listen(*host->netns, 81, IPPROTO_TCP);
            lab_.servers().listen(*host->netns, 53, IPPROTO_UDP);
        }
        lab_.write_objects();
    }

    void start() {
        lab_.start_agents();
        lab_.add_endpoints();
    }

    // The families over which it works: "46", "4", "6" or "none".
    static std::string reach(const LabHost& from, const LabHost& to, std::uint16_t port = 80,
                             int protocol = IPPROTO_TCP) {
        const auto answers = probe_all(
            {{from.netns.get(), to.v4, port, protocol}, {from.netns.get(), to.v6, port, protocol}});
        const std::string families = std::string(answers[0] ? "4" : "") + (answers[1] ? "6" : "");
        return families.empty() ? "none" : families;
    }

    // The last denial from one address to another that the node reports; null without one.
    static nlohmann::json denial(const LabNode& node, const LabHost& from, const LabHost& to) {
        nlohmann::json last;
        for (const auto& flow : node.flows({"--verdict", "deny"}))
            if (flow["source"]["address"] == from.v4 && flow["destination"]["address"] == to.v4)
                last = flow;
        return last;
    }

    static double drops(const LabNode& node, const std::string& direction,
                        const std::string& reason) {
        return node.metric("weir_drops_packets_total{direction=\"" + direction + "\",reason=\"" +
                           reason + "\"}");
    }

    Lab lab_;
    LabNode& server_node_;
    LabNode& client_node_;
    LabPod& server_;
    LabPod& neighbour_;
    LabPod& client_;
    LabHost& external_;

private:
    LabPod& add(const std::string& app, LabNode& node) {
        return lab_.add_pod(
            node, "shop/" + app,
            {.labels = {{"app", app}}, .ports = {{"http", 80, "TCP"}}, .v4 = {}, .v6 = {}});
    }
};

inline std::string wiring_name(const testing::TestParamInfo<Wiring>& wiring) {
    return wiring.param == Wiring::kBridged ? "Bridged" : "Routed";
}

#define WEIR_FOR_BOTH_WIRINGS(suite)                                                             \
    INSTANTIATE_TEST_SUITE_P(Wirings, suite, testing::Values(Wiring::kBridged, Wiring::kRouted), \
                             wiring_name)

} // namespace weir
