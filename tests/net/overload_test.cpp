// SPDX-License-Identifier: Apache-2.0
// Floods from one pod, of every kind, against maps made small by their budget: what the other pods
// have under way goes on, drops are exact, and what the events stand for adds up to the drops.
#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <csignal>
#include <set>
#include <vector>

#include "tests/net/packet_flood.h"
#include "tests/net/two_nodes.h"
#include "tests/support/packet.h"

namespace weir {
namespace {

constexpr const char* kBudget = "16MiB"; // 16,384 answered flows, 2,048 unanswered ones
constexpr std::uint16_t kQuietPort = 5353;

sockaddr_in address_of(const std::string& text, std::uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    inet_pton(AF_INET, text.c_str(), &address.sin_addr);
    return address;
}

int udp_socket(const Netns& netns, const sockaddr_in& address, bool is_server) {
    return netns.inside([&] {
        const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        const auto* other = reinterpret_cast<const sockaddr*>(&address);
        const auto call = is_server ? bind : connect;
        return call(fd, other, sizeof(address)) == 0 ? fd : -1;
    });
}

// Flows between a pod and a host that say nothing for a long time. Where the pod lets nothing in,
// only Weir's memory of the flow lets an answer pass.
class QuietFlows {
public:
    QuietFlows(const Netns& pod, const LabHost& host, int count)
        : server_(udp_socket(*host.netns, address_of("0.0.0.0", kQuietPort), true)) {
        for (int i = 0; i < count; ++i) {
            sockets_.push_back(udp_socket(pod, address_of(host.v4, kQuietPort), false));
            if (send(sockets_.back(), "q", 1, 0) != 1) std::perror("quiet flow");
        }
        eventually([&] {
            sockaddr_in peer{};
            socklen_t length = sizeof(peer);
            char byte = 0;
            while (recvfrom(server_, &byte, 1, 0, reinterpret_cast<sockaddr*>(&peer), &length) == 1)
                peers_.push_back(peer);
            return peers_.size() == sockets_.size();
        });
    }
    ~QuietFlows() {
        close(server_);
        for (const int fd : sockets_)
            close(fd);
    }
    QuietFlows(const QuietFlows&) = delete;
    QuietFlows& operator=(const QuietFlows&) = delete;

    // The host answers the first so many, again and again, because a busy machine's queues lose
    // packets; how many got one.
    std::size_t answer(std::size_t count) {
        std::set<int> answered;
        const auto is_done = [&] {
            char byte = 0;
            for (const int fd : sockets_)
                while (recv(fd, &byte, 1, 0) == 1)
                    answered.insert(fd);
            return answered.size() >= count;
        };
        for (int attempt = 0; attempt < 4 && answered.size() < count; ++attempt) {
            for (std::size_t i = 0; i < count && i < peers_.size(); ++i)
                sendto(server_, "a", 1, 0, reinterpret_cast<const sockaddr*>(&peers_[i]),
                       sizeof(peers_[i]));
            eventually(is_done, std::chrono::milliseconds(500));
        }
        return answered.size();
    }

private:
    int server_;
    std::vector<int> sockets_;
    std::vector<sockaddr_in> peers_;
};

// An IPv4 packet as it is, but for its checksum.
void send_packet(const Netns& from, const std::string& to, const test::Bytes& packet) {
    const bool is_sent = from.inside([&] {
        const int fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);
        const auto address = address_of(to, 0);
        const auto n = sendto(fd, packet.data(), packet.size(), 0,
                              reinterpret_cast<const sockaddr*>(&address), sizeof(address));
        close(fd);
        return n == static_cast<ssize_t>(packet.size());
    });
    EXPECT_TRUE(is_sent);
}

class OverloadTest : public TwoNodes {
protected:
    // The client reaches the server, which opens nothing but quiet flows; the neighbour, who is
    // about to misbehave, may do anything but reach the server.
    void start_small() {
        lab_.write_manifest(
            "server.yaml",
            policy("server",
                   "{podSelector: {matchLabels: {app: server}}, policyTypes: [Ingress, Egress], "
                   "ingress: [{from: [{podSelector: {matchLabels: {app: client}}}]}], egress: "
                   "[{to: [{ipBlock: {cidr: 203.0.113.10/32}}], ports: [{port: 5353, protocol: "
                   "UDP}]}]}"));
        client_node_.start_agent();
        server_node_.start_agent({"--map-memory", kBudget});
        lab_.add_endpoints();
        ASSERT_TRUE(lab_.settle());
        ASSERT_EQ(reach(client_, server_), "46");
        ASSERT_EQ(reach(neighbour_, external_), "46");
        ASSERT_EQ(reach(neighbour_, server_), "none");
    }

    // From the neighbour to the host outside.
    test::Bytes outward(const test::Bytes& transport, std::uint8_t protocol,
                        bool is_fragment = false) const {
        test::IpOptions options;
        options.protocol = protocol;
        options.more_fragments = is_fragment;
        return test::frame(test::ip(neighbour_.v6, external_.v6, transport, options),
                           {.destination = mac(*server_node_.netns, "pods"),
                            .source = mac(*neighbour_.netns, "eth0")});
    }
    // From the neighbour to the server, who does not want it.
    test::Bytes unwanted() const {
        test::IpOptions options;
        options.protocol = IPPROTO_UDP;
        return test::frame(
            test::ip(neighbour_.v6, server_.v6, test::udp(999, 53), options),
            {.destination = mac(*server_.netns, "eth0"), .source = mac(*neighbour_.netns, "eth0")});
    }
    static std::array<std::uint8_t, 6> mac(const Netns& netns, const std::string& interface) {
        std::array<std::uint8_t, 6> bytes{};
        std::ranges::copy(mac_of(netns, interface), bytes.begin());
        return bytes;
    }

    double denials() const { return drops(server_node_, "ingress", "policy_deny"); }
    double all_drops() const {
        double sum = 0;
        std::istringstream lines(server_node_.metrics());
        for (std::string line; std::getline(lines, line);)
            if (line.starts_with("weir_drops_packets_total{") &&
                line.find("not_addressed") == std::string::npos)
                sum += std::stod(line.substr(line.rfind(' ')));
        return sum;
    }
    // What the events of refusals stand for, those included that found the ring buffer full.
    double reported() const {
        double sum = server_node_.metric("weir_events_lost_total");
        for (const auto& flow : server_node_.flows({"--verdict", "deny"}))
            sum += std::stod(flow["stands_for"].get<std::string>());
        return sum;
    }

    // The counters tell exactly that Weir dropped nothing; here a full queue is forgiven.
    static void expect_answered(const UdpStream::Count& count) {
        EXPECT_GE(count.answered * 100, count.sent * 98) << count.sent << " sent";
    }

    // Until so many flows were answered; false if that takes too many.
    bool flood_answered(const Reflector& reflector, std::uint64_t wanted) {
        constexpr std::uint32_t most = 200'000, at_once = 2048;
        for (std::uint32_t first = 0; reflector.answered() < wanted; first += at_once) {
            if (first > most) return false;
            flood(*neighbour_.netns, outward(test::udp(0, 0), IPPROTO_UDP), at_once, kPortsOffset,
                  first);
        }
        return true;
    }

    // SYNs, datagrams and fragments, each enough to fill its map several times.
    void flood_all() {
        const Netns& from = *neighbour_.netns;
        flood(from, outward(test::tcp(0, 0), IPPROTO_TCP), 8'192, kPortsOffset);
        flood(from, outward(test::udp(0, 0), IPPROTO_UDP), 8'192, kPortsOffset);
        flood(from, outward(test::udp(7, 8, 16), IPPROTO_UDP, true), 4'096, kFragmentIdOffset);
    }
};
INSTANTIATE_TEST_SUITE_P(Wirings, OverloadTest, testing::Values(Wiring::kBridged), wiring_name);

TEST_P(OverloadTest, FloodsFromOnePodCostOnlyThatPod) {
    start_small();
    constexpr int quiet = 100, answered = 50;
    const Reflector reflector(*external_.netns);
    UdpStream stream(*client_.netns, server_.v4, 53, std::chrono::microseconds(2000));
    TcpConnection connection(*client_.netns, server_.v6, 80);
    QuietFlows flows(*server_.netns, external_, quiet);
    ASSERT_EQ(flows.answer(answered), static_cast<std::size_t>(answered));
    const std::string late(32, 'l');
    test::Bytes datagram = test::udp(4000, 53, 0);
    datagram.insert(datagram.end(), late.begin(), late.end());
    datagram[5] = static_cast<std::uint8_t>(datagram.size());
    const auto piece = [&](std::size_t begin, std::size_t end) {
        test::IpOptions options;
        options.protocol = IPPROTO_UDP;
        options.fragment_offset = static_cast<std::uint16_t>(begin);
        options.more_fragments = end < datagram.size();
        options.identification = 77;
        return test::ip(client_.v4, server_.v4,
                        {datagram.begin() + static_cast<std::ptrdiff_t>(begin),
                         datagram.begin() + static_cast<std::ptrdiff_t>(end)},
                        options);
    };
    send_packet(*client_.netns, server_.v4, piece(0, 24));
    const double drops_before = all_drops();

    EXPECT_TRUE(flood_answered(reflector, 20'000)) << "more than the table of answered flows has";
    flood_all();
    EXPECT_EQ(all_drops(), drops_before) << "nothing of it was refused";
    EXPECT_TRUE(eventually([&] {
        send_packet(*client_.netns, server_.v4, piece(24, datagram.size()));
        return lab_.servers().received(late) == 1;
    })) << "the datagram's first fragment was forgotten";
    EXPECT_EQ(flows.answer(quiet), static_cast<std::size_t>(quiet)) << "flows were forgotten";
    EXPECT_TRUE(connection.exchange());
    EXPECT_EQ(all_drops(), drops_before);
    const auto count = stream.finish();
    EXPECT_GT(count.sent, 100u);
    expect_answered(count);
}

TEST_P(OverloadTest, DropsAreExactAndEventsStandForAllOfThem) {
    start_small();
    UdpStream stream(*client_.netns, server_.v4, 53, std::chrono::microseconds(2000));
    TcpConnection connection(*client_.netns, server_.v6, 80);
    const double drops_before = all_drops(), denials_before = denials();
    const double reported_before = reported();
    auto sent = static_cast<double>(flood(*neighbour_.netns, unwanted(), 30'000));
    EXPECT_EQ(denials() - denials_before, sent);
    EXPECT_EQ(server_node_.metric("weir_events_lost_total"), 0);

    // With nobody to read them the events fill the ring buffer.
    kill(server_node_.agent_pid(), SIGSTOP);
    sent += static_cast<double>(flood(*neighbour_.netns, unwanted(), 100'000));
    EXPECT_TRUE(connection.exchange());
    kill(server_node_.agent_pid(), SIGCONT);
    EXPECT_EQ(denials() - denials_before, sent);
    EXPECT_EQ(all_drops() - drops_before, sent);
    EXPECT_GT(server_node_.metric("weir_events_lost_total"), 0);

    // What was held back is counted by the next event.
    std::this_thread::sleep_for(std::chrono::milliseconds(1100));
    sent += static_cast<double>(flood(*neighbour_.netns, unwanted(), 1));
    EXPECT_TRUE(eventually([&] { return reported() - reported_before >= sent; }));
    EXPECT_EQ(reported() - reported_before, sent);
    EXPECT_EQ(denials() - denials_before, sent);

    // And with every other table full as well.
    kill(server_node_.agent_pid(), SIGSTOP);
    sent += static_cast<double>(flood(*neighbour_.netns, unwanted(), 50'000));
    flood_all();
    EXPECT_TRUE(connection.exchange());
    kill(server_node_.agent_pid(), SIGCONT);
    EXPECT_EQ(all_drops() - drops_before, sent);
    expect_answered(stream.finish());
}

} // namespace
} // namespace weir
