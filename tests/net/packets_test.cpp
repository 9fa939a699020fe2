// SPDX-License-Identifier: Apache-2.0
// Packets that are no plain connections: ICMP, fragments, path MTU, lies about one's address, the
// own node, and VLAN tags.
#include <algorithm>

#include "tests/net/two_nodes.h"
#include "tests/support/packet.h"

namespace weir {
namespace {

bool ping(const LabHost& from, const std::string& address, int size = 56) {
    return from.netns
        ->run({"ping", "-c", "1", "-W", "1", "-s", std::to_string(size), "-M", "dont", address})
        .ok();
}

test::IpOptions ip_options(std::uint8_t protocol) {
    test::IpOptions options;
    options.protocol = protocol;
    options.hop_limit = 255;
    return options;
}

std::string text(const test::Bytes& bytes) {
    return {bytes.begin(), bytes.end()};
}

std::array<std::uint8_t, 6> mac_bytes(const Netns& netns, const std::string& interface) {
    std::array<std::uint8_t, 6> bytes{};
    const auto mac = mac_of(netns, interface);
    std::copy(mac.begin(), mac.end(), bytes.begin());
    return bytes;
}

class PacketsTest : public TwoNodes {
protected:
    // Whether a datagram with this source gets to the server's port.
    bool is_delivered(const LabHost& from, const std::string& source, const std::string& address,
                      std::uint16_t port, const std::string& payload) {
        send_datagram_as(*from.netns, source, address, port, payload);
        return eventually([&] { return lab_.servers().received(payload) > 0; },
                          std::chrono::milliseconds(300));
    }
};
WEIR_FOR_BOTH_WIRINGS(PacketsTest);

TEST_P(PacketsTest, IcmpNeedsARuleWithoutPorts) {
    start();
    for (const auto* from : {&client_, &neighbour_})
        for (const auto& address : {server_.v4, server_.v6})
            EXPECT_TRUE(ping(*from, address)) << from->name << " " << address;
    lab_.apply("policy.yaml", allow("ports", "client", "server", 80));
    EXPECT_FALSE(ping(client_, server_.v4));
    EXPECT_FALSE(ping(client_, server_.v6));
    EXPECT_TRUE(ping(server_, client_.v4)) << "replies pass";
    EXPECT_TRUE(ping(server_, client_.v6)) << "replies pass";
    lab_.apply("policy.yaml", policy("any",
                                     "{podSelector: {matchLabels: {app: server}}, ingress: "
                                     "[{from: [{podSelector: {matchLabels: {app: client}}}]}]}"));
    EXPECT_TRUE(ping(client_, server_.v4));
    EXPECT_TRUE(ping(client_, server_.v6));
    EXPECT_FALSE(ping(neighbour_, server_.v4));
}

TEST_P(PacketsTest, FragmentsFollowTheirFirst) {
    start();
    lab_.servers().listen(*server_.netns, 54, IPPROTO_UDP);
    lab_.apply("policy.yaml", allow("dns", "client", "server", 53, "UDP") + "---\n" +
                                  policy("any",
                                         "{podSelector: {matchLabels: {app: neighbour}}, "
                                         "ingress: [{from: [{podSelector: {matchLabels: "
                                         "{app: client}}}]}]}"));
    for (const auto& [own, to] :
         {std::pair(client_.v4, server_.v4), std::pair(client_.v6, server_.v6)}) {
        EXPECT_TRUE(is_delivered(client_, own, to, 53, "53" + own + std::string(4000, 'a')));
        EXPECT_FALSE(is_delivered(client_, own, to, 54, "54" + own + std::string(4000, 'a')));
    }
    EXPECT_TRUE(ping(client_, neighbour_.v4, 4000));
    EXPECT_TRUE(ping(client_, neighbour_.v6, 4000));
    EXPECT_FALSE(ping(server_, neighbour_.v4, 4000));
    EXPECT_FALSE(ping(client_, server_.v6, 4000));
}

TEST_P(PacketsTest, PathMtuIsFoundUnderPolicy) {
    start();
    // The router before the external host carries less than the ends believe, and says so by ICMP.
    lab_.fabric().ip("route change " + external_.v4 + "/32 dev ext0 mtu lock 1300\nroute change " +
                     external_.v6 + "/128 dev ext0 mtu lock 1300\n");
    lab_.apply("policy.yaml",
               policy("web-only",
                      "{podSelector: {matchLabels: {app: server}}, policyTypes: [Ingress, "
                      "Egress], egress: [{ports: [{port: 80}]}]}"));
    for (const auto& address : {external_.v4, external_.v6}) {
        SCOPED_TRACE(address);
        TcpConnection connection(*server_.netns, address, 80);
        ASSERT_TRUE(connection.exchange());
        EXPECT_TRUE(connection.exchange(std::chrono::seconds(3), 100'000));
        const auto route = server_.netns->try_ip({"route", "get", address});
        EXPECT_NE(route.out.find("mtu 1300"), std::string::npos) << route.out;
    }
    EXPECT_FALSE(ping(external_, server_.v4)) << "ICMP as such stays denied";
    EXPECT_FALSE(ping(server_, external_.v6));
}

TEST_P(PacketsTest, NobodySendsFromAnAddressOfOthers) {
    start();
    EXPECT_TRUE(is_delivered(neighbour_, neighbour_.v4, server_.v4, 53, "honest, IPv4"));
    EXPECT_TRUE(is_delivered(neighbour_, neighbour_.v6, server_.v6, 53, "honest, IPv6"));
    EXPECT_FALSE(is_delivered(neighbour_, client_.v4, server_.v4, 53, "lie, IPv4"));
    EXPECT_FALSE(is_delivered(neighbour_, client_.v6, server_.v6, 53, "lie, IPv6"));
    EXPECT_FALSE(is_delivered(neighbour_, server_node_.v4, server_.v4, 53, "as the node"));
    EXPECT_GE(drops(server_node_, "egress", "spoofed_source"), 3);
    EXPECT_EQ(drops(server_node_, "egress", "spoofed_neighbour"), 0);
}

TEST_P(PacketsTest, NobodyClaimsAnAddressOfOthers) {
    start();
    const auto own = mac_bytes(*neighbour_.netns, "eth0");
    auto claim = test::arp(2, server_.v4, server_.v4);
    std::fill_n(claim.begin(), 6, std::uint8_t{0xff}); // to everybody
    std::copy(own.begin(), own.end(), claim.begin() + 6);
    send_frame(*neighbour_.netns, "eth0", text(claim));
    EXPECT_TRUE(
        eventually([&] { return drops(server_node_, "egress", "spoofed_neighbour") == 1; }));
    const test::FrameOptions multicast = {
        .destination = {0x33, 0x33, 0, 0, 0, 1}, .source = own, .vlans = {}, .ether_type = 0};
    send_frame(*neighbour_.netns, "eth0",
               text(test::frame(test::ip(neighbour_.v6, "ff02::1", test::neighbour(136, server_.v6),
                                         ip_options(IPPROTO_ICMPV6)),
                                multicast)));
    EXPECT_TRUE(
        eventually([&] { return drops(server_node_, "egress", "spoofed_neighbour") == 2; }));
    EXPECT_EQ(reach(client_, server_), "46") << "nobody believed it";
}

TEST_P(PacketsTest, OwnNodeAndOwnAddressPass) {
    start();
    lab_.apply("deny.yaml", policy("deny", "{podSelector: {}, policyTypes: [Ingress, Egress]}"));
    EXPECT_EQ(reach(server_node_, server_), "46");
    EXPECT_TRUE(ping(server_node_, server_.v4, 4000));
    EXPECT_TRUE(ping(server_node_, server_.v6, 4000));
    EXPECT_EQ(reach(server_, server_), "46");
    EXPECT_EQ(reach(client_node_, server_), "none") << "another node is nothing special";
    EXPECT_EQ(reach(server_node_, client_), "none");
    EXPECT_FALSE(ping(server_, server_node_.v4)) << "egress is judged";
}

TEST(VlanTest, TaggedPacketsAreJudged) {
    Lab lab;
    auto& node = lab.add_node("n1", Wiring::kBridged);
    auto& server = lab.add_pod(node, "shop/server",
                               {.labels = {{"app", "server"}}, .ports = {}, .v4 = {}, .v6 = {}});
    auto& client = lab.add_pod(node, "shop/client",
                               {.labels = {{"app", "client"}}, .ports = {}, .v4 = {}, .v6 = {}});
    lab.write_objects();
    lab.start_agents();
    lab.add_endpoints();
    lab.apply("policy.yaml", allow("dns", "client", "server", 53, "UDP"));
    const auto send = [&](std::uint16_t port) {
        lab.servers().listen(*server.netns, port, IPPROTO_UDP);
        send_frame(*client.netns, "eth0",
                   text(test::frame(test::ip(client.v4, server.v4, test::udp(4000, port),
                                             ip_options(IPPROTO_UDP)),
                                    {.destination = mac_bytes(*server.netns, "eth0"),
                                     .source = mac_bytes(*client.netns, "eth0"),
                                     .vlans = {10},
                                     .ether_type = 0})));
    };
    const auto drops = [&] {
        return node.metric(
            "weir_drops_packets_total{direction=\"ingress\",reason=\"policy_deny\"}");
    };
    send(53);
    EXPECT_TRUE(eventually([&] {
        const auto flows = node.flows({"--protocol", "UDP", "--verdict", "allow"});
        return !flows.empty() && flows.back()["destination"]["port"] == 53;
    }));
    EXPECT_EQ(drops(), 0);
    send(54);
    EXPECT_TRUE(eventually([&] { return drops() == 1; }));
}

} // namespace
} // namespace weir
