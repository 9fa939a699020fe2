// SPDX-License-Identifier: Apache-2.0
// Clients from outside the cluster, by the real program on two nodes: NodePorts and a load
// balancer's address, backends on the node that gets the packet and on the other one.
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <gtest/gtest.h>
#include <linux/bpf.h>
#include <linux/ethtool.h>
#include <linux/if_link.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <iterator>
#include <string>

#include "loader/fd.h"
#include "tests/support/lab.h"

namespace weir {
namespace {

constexpr std::uint16_t kNodePort = 30080;
constexpr std::uint16_t kDnsNodePort = 30053;
constexpr const char* kAddress4 = "203.0.113.80"; // the load balancer's, which the node "a" gets
constexpr const char* kAddress6 = "2001:db8:113::80";

std::string service_yaml(const std::string& more) {
    return "apiVersion: v1\nkind: Service\nmetadata: {namespace: shop, name: web" +
           std::string(more.starts_with("annotations") ? ", " + more : "") +
           "}\nspec:\n  type: LoadBalancer\n  clusterIP: 10.96.0.1\n"
           "  clusterIPs: [10.96.0.1, 'fd00:96::1']\n  ipFamilyPolicy: RequireDualStack\n" +
           std::string(more.starts_with("annotations") ? "" : more) +
           "  ports:\n  - {name: http, port: 80, targetPort: 8080, nodePort: 30080}\n"
           "  - {name: dns, port: 53, protocol: UDP, nodePort: 30053}\n"
           "status: {loadBalancer: {ingress: [{ip: " +
           kAddress4 + "}, {ip: '" + kAddress6 + "'}]}}\n---\n";
}

std::string slices_yaml(const std::vector<const LabPod*>& pods) {
    std::string text;
    for (const bool is_v4 : {true, false}) {
        text += std::string(
                    "apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: "
                    "{namespace: shop, name: web") +
                (is_v4 ? "4" : "6") +
                ", labels: {kubernetes.io/service-name: web}}\naddressType: " +
                (is_v4 ? "IPv4" : "IPv6") +
                "\nports:\n- {name: http, port: 8080}\n- {name: dns, port: 53, protocol: UDP}\n"
                "endpoints:" +
                (pods.empty() ? " []\n" : "\n");
        for (const auto* pod : pods)
            text += "- {addresses: ['" + (is_v4 ? pod->v4 : pod->v6) +
                    "'], nodeName: " + pod->node + "}\n";
        text += "---\n";
    }
    return text;
}

// Whether the interface's driver took it.
bool turn_off_checksums(const Netns& netns, const std::string& interface) {
    return netns.inside([&] {
        const Fd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
        ethtool_value wanted{.cmd = ETHTOOL_STXCSUM, .data = 0};
        ifreq request{};
        interface.copy(request.ifr_name, IFNAMSIZ - 1);
        request.ifr_data = reinterpret_cast<char*>(&wanted);
        return ::ioctl(socket.value(), SIOCETHTOOL, &request) == 0;
    });
}

// A veth delivers what XDP_TX sends through its other end only while it has an XDP program itself:
// this one passes everything.
bool take_xdp_frames(const Netns& netns, const std::string& interface) {
    const bpf_insn pass[] = {
        {.code = BPF_ALU64 | BPF_MOV | BPF_K,
         .dst_reg = 0,
         .src_reg = 0,
         .off = 0,
         .imm = XDP_PASS},
        {.code = BPF_JMP | BPF_EXIT, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = 0},
    };
    return netns.inside([&] {
        const Fd program(
            bpf_prog_load(BPF_PROG_TYPE_XDP, "pass", "GPL", pass, std::size(pass), nullptr));
        return bpf_xdp_attach(static_cast<int>(::if_nametoindex(interface.c_str())),
                              program.value(), XDP_FLAGS_DRV_MODE, nullptr) == 0;
    });
}

// With native XDP on the uplinks, or the tc program alone.
class UplinkNetTest : public testing::TestWithParam<const char*> {
protected:
    UplinkNetTest()
        : a_(lab_.add_node("a", Wiring::kRouted)),
          b_(lab_.add_node("b", Wiring::kBridged)),
          near_(lab_.add_pod(a_, "shop/near")),
          far_(lab_.add_pod(b_, "shop/far")),
          client_(lab_.add_external("client", "198.51.100.7", "2001:db8:7::7")) {
        for (const auto* pod : {&near_, &far_}) {
            lab_.servers().listen(*pod->netns, 8080, IPPROTO_TCP);
            lab_.servers().listen(*pod->netns, 53, IPPROTO_UDP);
        }
        lab_.fabric().ip("route add " + std::string(kAddress4) + " via " + a_.v4 + "\nroute add " +
                         kAddress6 + " via " + a_.v6 + "\n");
        lab_.write_objects();
        lab_.write_manifest("service.yaml", service_yaml(""));
        lab_.write_manifest("slices.yaml", slices_yaml({&far_}));
        compute_checksums();
        start(a_);
        start(b_);
        lab_.add_endpoints();
        lab_.settle();
    }

    // As a network card hands packets over: XDP cannot tell which of a veth's are not complete.
    void compute_checksums() const {
        if (std::string(GetParam()) == "off") return;
        for (const auto* host : std::initializer_list<const LabHost*>{&near_, &far_, &client_})
            EXPECT_TRUE(turn_off_checksums(*host->netns, "eth0"));
        for (const auto* node : {&a_, &b_})
            EXPECT_TRUE(turn_off_checksums(*node->netns, "uplink"));
        for (const char* port : {"up1", "up2"})
            EXPECT_TRUE(take_xdp_frames(lab_.fabric(), port));
    }

    void start(LabNode& node) {
        // The client is a process of this machine too: programs at its cgroup would give it a
        // backend at connect(), and no packet would ever come in for a service.
        node.start_agent({"--services", "on", "--cgroup", "none", "--uplink", "auto",
                          "--uplink-xdp", GetParam()});
    }

    // Which of node port and load balancer's address, TCP and UDP, IPv4 and IPv6 are answered.
    std::string reach(const LabNode& node) const {
        const Netns* from = client_.netns.get();
        const std::vector<std::pair<const char*, Probe>> probes = {
            {"nodeport4 ", {from, node.v4, kNodePort, IPPROTO_TCP}},
            {"nodeport6 ", {from, node.v6, kNodePort, IPPROTO_TCP}},
            {"nodeport4/udp ", {from, node.v4, kDnsNodePort, IPPROTO_UDP}},
            {"nodeport6/udp ", {from, node.v6, kDnsNodePort, IPPROTO_UDP}},
            {"balancer4 ", {from, kAddress4, 80, IPPROTO_TCP}},
            {"balancer6 ", {from, kAddress6, 80, IPPROTO_TCP}},
            {"balancer4/udp ", {from, kAddress4, 53, IPPROTO_UDP}},
            {"balancer6/udp ", {from, kAddress6, 53, IPPROTO_UDP}},
        };
        std::vector<Probe> questions;
        for (const auto& [name, probe] : probes)
            questions.push_back(probe);
        const auto answers = probe_all(questions, std::chrono::milliseconds(1500));
        std::string text;
        for (std::size_t i = 0; i < answers.size(); ++i)
            if (answers[i]) text += probes[i].first;
        return text;
    }
    static constexpr const char* kAll =
        "nodeport4 nodeport6 nodeport4/udp nodeport6/udp balancer4 balancer6 balancer4/udp "
        "balancer6/udp ";

    double packets(const LabNode& node, const std::string& outcome) const {
        return node.metric("weir_uplink_packets_total{outcome=\"" + outcome + "\"}");
    }

    Lab lab_;
    LabNode& a_;
    LabNode& b_;
    LabPod& near_;
    LabPod& far_;
    LabHost& client_;
};

INSTANTIATE_TEST_SUITE_P(Uplink, UplinkNetTest, testing::Values("off", "on"), [](const auto& one) {
    return one.param == std::string("on") ? "Xdp" : "Tc";
});

TEST_P(UplinkNetTest, ABackendOnAnotherNodeIsReachedFromOutside) {
    const auto status = a_.weir_json({"status"});
    ASSERT_EQ(status["services"]["uplinks"].size(), 1u);
    EXPECT_EQ(status["services"]["uplinks"][0]["name"], "uplink");
    EXPECT_EQ(status["services"]["uplinks"][0]["program"],
              GetParam() == std::string("on") ? "xdp" : "tc");
    EXPECT_EQ(reach(a_), kAll);
    EXPECT_GT(packets(a_, "forwarded"), 0);
    EXPECT_GT(packets(a_, "answered"), 0);
}

TEST_P(UplinkNetTest, AConnectionOutlivesTheAgentAndItsBackendsPlaceInTheService) {
    TcpConnection connection(*client_.netns, a_.v4, kNodePort);
    ASSERT_TRUE(connection.exchange());
    a_.kill_agent();
    EXPECT_TRUE(connection.exchange()) << "without an agent";
    EXPECT_EQ(reach(a_), kAll) << "without an agent";
    start(a_);
    lab_.settle();
    EXPECT_TRUE(connection.exchange()) << "with the next agent";
    lab_.apply("slices.yaml", slices_yaml({}));
    EXPECT_TRUE(connection.exchange()) << "no backend for new connections";
    EXPECT_EQ(reach(a_), "");
    EXPECT_GT(packets(a_, "refused"), 0);
}

TEST_P(UplinkNetTest, LongMessagesArriveWhole) {
    TcpConnection connection(*client_.netns, kAddress4, 80);
    for (const std::size_t size : {1'000UZ, 100'000UZ, 1'000'000UZ})
        EXPECT_TRUE(connection.exchange(std::chrono::seconds(5), size)) << size;
}

// The answers have the node's own address, and would be martians to its kernel.
TEST_P(UplinkNetTest, ABackendOnTheNodeItselfIsReachedFromOutside) {
    lab_.apply("slices.yaml", slices_yaml({&near_}));
    EXPECT_EQ(reach(a_), kAll);
    lab_.apply("slices.yaml", slices_yaml({&far_})); // on a node whose pods are on a bridge
    const std::string node_ports = "nodeport4 nodeport6 nodeport4/udp nodeport6/udp ";
    EXPECT_EQ(reach(b_).substr(0, node_ports.size()), node_ports);
    EXPECT_GT(packets(a_, "local"), 0);
    EXPECT_GT(packets(b_, "local"), 0);
}

TEST_P(UplinkNetTest, AHostPortLeadsToItsPod) {
    near_.ports = {{.name = "", .port = 8080, .protocol = "TCP", .host_port = 9080}};
    lab_.write_objects();
    lab_.settle();
    const auto ask = [&](const LabNode& node, std::uint16_t port) {
        const Netns* from = client_.netns.get();
        return probe_all({{from, node.v4, port, IPPROTO_TCP}, {from, node.v6, port, IPPROTO_TCP}},
                         std::chrono::milliseconds(1500));
    };
    EXPECT_EQ(ask(a_, 9080), (std::vector{true, true}));
    EXPECT_EQ(ask(b_, 9080), (std::vector{false, false})) << "the pod is on the other node";
    near_.ports = {};
    lab_.write_objects();
    lab_.settle();
    EXPECT_EQ(ask(a_, 9080), (std::vector{false, false}));
}

// Pods with hostNetwork: no pod's hook sees their answers.
TEST_P(UplinkNetTest, ABackendThatIsTheNodeItselfIsReachedFromOutside) {
    for (auto* node : {&a_, &b_}) {
        lab_.servers().listen(*node->netns, 8080, IPPROTO_TCP);
        lab_.servers().listen(*node->netns, 53, IPPROTO_UDP);
    }
    LabPod host;
    host.v4 = a_.v4;
    host.v6 = a_.v6;
    host.node = a_.name;
    lab_.apply("slices.yaml", slices_yaml({&host}));
    EXPECT_EQ(reach(a_), kAll) << "on the node that the packets come to";
    const std::string node_ports = "nodeport4 nodeport6 nodeport4/udp nodeport6/udp ";
    EXPECT_EQ(reach(b_).substr(0, node_ports.size()), node_ports) << "on another node";
    TcpConnection connection(*client_.netns, a_.v4, kNodePort);
    for (const std::size_t size : {1'000UZ, 1'000'000UZ})
        EXPECT_TRUE(connection.exchange(std::chrono::seconds(5), size)) << size;
    // What is asked for at the port itself stays as it is.
    EXPECT_EQ(probe_all({{client_.netns.get(), a_.v4, 8080, IPPROTO_TCP}},
                        std::chrono::milliseconds(1500)),
              std::vector<bool>{true});
}

TEST_P(UplinkNetTest, LongMessagesArriveWholeFromABackendOnTheNodeItself) {
    lab_.apply("slices.yaml", slices_yaml({&near_}));
    for (const auto& address : {a_.v4, a_.v6}) {
        TcpConnection connection(*client_.netns, address, kNodePort);
        for (const std::size_t size : {1'000UZ, 100'000UZ, 1'000'000UZ})
            EXPECT_TRUE(connection.exchange(std::chrono::seconds(5), size)) << address << size;
    }
}

TEST_P(UplinkNetTest, CleanupTakesTheProgramsOff) {
    ASSERT_EQ(a_.stop_agent(), 0);
    ASSERT_TRUE(a_.weir({"cleanup", "--bpffs", a_.bpffs()}).ok());
    EXPECT_EQ(reach(a_), "");
    EXPECT_EQ(a_.netns->run({"ip", "-d", "link", "show", "uplink"}).out.find("prog/xdp"),
              std::string::npos);
}

} // namespace
} // namespace weir
