// SPDX-License-Identifier: Apache-2.0
// The laboratory without Weir: every wiring carries TCP and UDP of both families. What these tests
// see working is what the others see denied.
#include <gtest/gtest.h>

#include "tests/support/lab.h"

namespace weir {
namespace {

TEST(LabTest, EveryWiringCarriesBothFamilies) {
    Lab lab;
    auto& bridged = lab.add_node("n1", Wiring::kBridged);
    auto& routed = lab.add_node("n2", Wiring::kRouted);
    const std::vector<LabHost*> hosts = {
        &lab.add_pod(bridged, "shop/a"),
        &lab.add_pod(bridged, "shop/b"),
        &lab.add_pod(routed, "shop/c"),
        &lab.add_pod(routed, "shop/d"),
        &lab.add_external("web", "203.0.113.10", "2001:db8:113::10"),
        &bridged,
        &routed,
    };
    std::vector<Probe> probes;
    for (const auto* host : hosts) {
        for (const int protocol : {IPPROTO_TCP, IPPROTO_UDP}) {
            lab.servers().listen(*host->netns, 80, protocol);
            // A node answers from the address that is nearest to the asker, which UDP does not
            // take.
            if (protocol == IPPROTO_UDP && (host == &bridged || host == &routed)) continue;
            for (const auto* from : hosts)
                for (const auto& address : {host->v4, host->v6})
                    probes.push_back({from->netns.get(), address, 80, protocol});
        }
    }
    const auto answers = probe_all(probes);
    for (std::size_t i = 0; i < probes.size(); ++i)
        EXPECT_TRUE(answers[i]) << probes[i].from->name() << " -> " << probes[i].address << " "
                                << probes[i].protocol;
    EXPECT_FALSE(can_reach(*hosts[0]->netns, hosts[2]->v4, 81));
    EXPECT_FALSE(can_reach(*hosts[0]->netns, hosts[2]->v4, 81, IPPROTO_UDP));
}

TEST(LabTest, StreamsLoseNothing) {
    Lab lab;
    auto& node = lab.add_node("n1", Wiring::kRouted);
    auto& a = lab.add_pod(node, "shop/a");
    auto& b = lab.add_pod(node, "shop/b");
    lab.servers().listen(*b.netns, 80, IPPROTO_TCP);
    lab.servers().listen(*b.netns, 53, IPPROTO_UDP);
    TcpConnection connection(*a.netns, b.v6, 80);
    UdpStream stream(*a.netns, b.v4, 53);
    for (int i = 0; i < 20; ++i)
        EXPECT_TRUE(connection.exchange());
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
    const auto count = stream.finish();
    EXPECT_GT(count.sent, 200u);
    EXPECT_EQ(count.answered, count.sent);
    node.netns->ip("link set " + b.host_interface + " down\n");
    EXPECT_FALSE(connection.exchange());
}

} // namespace
} // namespace weir
