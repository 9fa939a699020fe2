// SPDX-License-Identifier: Apache-2.0
// Thousands of changes under traffic: every state is written in other policies and gives the same
// verdicts, so each side's counters have to add up to the packet. One that met half of a change
// would be dropped where it must pass, or the other way round.
#include <cstdio>
#include <cstdlib>
#include <ctime>

#include "tests/net/equivalent_policies.h"
#include "tests/net/packet_storm.h"
#include "tests/net/two_nodes.h"

namespace weir {
namespace {

using std::chrono::steady_clock;

constexpr std::size_t kWantedChanges = 1000;
constexpr std::uint32_t kWantedRevisions = 1000;
constexpr std::chrono::seconds kShortest{15};
constexpr std::chrono::seconds kLongest{30};
constexpr std::chrono::milliseconds kPause{13}; // the agent waits 10 ms for more of a change

// Which side denies.
enum class Fate { kAllowed, kDeniedByEgress, kDeniedByIngress };

struct Stream {
    std::uint16_t port;
    int protocol;
    Fate fate;
};

const std::vector<Stream> kOfClient{
    {53, IPPROTO_UDP, Fate::kAllowed},         {80, IPPROTO_TCP, Fate::kAllowed},
    {54, IPPROTO_UDP, Fate::kDeniedByIngress}, {81, IPPROTO_TCP, Fate::kDeniedByIngress},
    {55, IPPROTO_UDP, Fate::kDeniedByEgress},  {82, IPPROTO_TCP, Fate::kDeniedByEgress}};
const std::vector<Stream> kOfNeighbour{{63, IPPROTO_UDP, Fate::kAllowed},
                                       {53, IPPROTO_UDP, Fate::kDeniedByIngress},
                                       {80, IPPROTO_TCP, Fate::kDeniedByIngress}};

std::vector<Side> sides() {
    return {
        {"server", true, {{"client", "UDP", 53}, {"client", "TCP", 80}, {"neighbour", "UDP", 63}}},
        {"server", false, {}},
        {"client",
         false,
         {{"server", "UDP", 53},
          {"server", "TCP", 80},
          {"server", "UDP", 54},
          {"server", "TCP", 81}}},
        {"client", true, {}}};
}

class AtomicityTest : public TwoNodes {
protected:
    // Each stream over both families, as one flow and as many.
    std::vector<StormFlow> flows_to_server(const std::vector<Stream>& streams) const {
        std::vector<StormFlow> flows;
        for (const auto& stream : streams)
            for (const auto& address : {server_.v4, server_.v6})
                for (const bool is_fresh : {false, true})
                    if (is_fresh || stream.protocol == IPPROTO_UDP)
                        flows.push_back({address, stream.port, stream.protocol,
                                         stream.fate == Fate::kAllowed, is_fresh});
        return flows;
    }

    static std::uint64_t sent(const PacketStorm& storm, const std::vector<StormFlow>& flows,
                              const std::vector<Stream>& streams, Fate fate) {
        std::uint64_t sum = 0;
        for (std::size_t i = 0; i < flows.size(); ++i)
            for (const auto& stream : streams)
                if (stream.port == flows[i].port && stream.protocol == flows[i].protocol &&
                    stream.fate == fate)
                    sum += storm.sent(i);
        return sum;
    }

    // What only a mixture of two revisions, or a gap between them, would drop.
    void expect_no_other_drops(const LabNode& node) const {
        for (const char* direction : {"egress", "ingress"})
            for (const char* reason :
                 {"pod_unknown", "no_endpoint", "dangling_id", "spoofed_source", "not_addressed"})
                EXPECT_EQ(drops(node, direction, reason), 0) << node.name << direction << reason;
    }

    static void expect_answers(const PacketStorm& storm, const std::vector<StormFlow>& flows) {
        for (std::size_t i = 0; i < flows.size(); ++i) {
            const auto text = flows[i].address + " " + std::to_string(flows[i].port);
            EXPECT_GT(storm.sent(i), 100U) << text;
            if (flows[i].is_allowed) {
                // The counters are exact; here a full socket on a busy machine is forgiven.
                EXPECT_GE(storm.answered(i) * 100, storm.sent(i) * 99) << text;
            } else {
                EXPECT_EQ(storm.answered(i), 0U) << text;
            }
        }
    }
};
INSTANTIATE_TEST_SUITE_P(Wirings, AtomicityTest, testing::Values(Wiring::kBridged), wiring_name);

TEST_P(AtomicityTest, EveryPacketMeetsTheOldOrTheNewRevision) {
    for (const auto port : {54, 55, 63, 82})
        lab_.servers().listen(*server_.netns, static_cast<std::uint16_t>(port),
                              port < 80 ? IPPROTO_UDP : IPPROTO_TCP);
    const auto* seed_text = std::getenv("WEIR_SEED");
    const auto seed = seed_text == nullptr ? static_cast<std::uint64_t>(std::time(nullptr))
                                           : std::strtoull(seed_text, nullptr, 10);
    std::printf("WEIR_SEED=%llu\n", static_cast<unsigned long long>(seed));
    EquivalentPolicies policies(lab_, sides(), seed);
    lab_.write_manifest("cluster.json", policies.manifest());
    start();
    ASSERT_TRUE(lab_.settle());
    // Neighbours are resolved.
    EXPECT_TRUE(can_reach(*client_.netns, server_.v4, 53, IPPROTO_UDP));
    EXPECT_TRUE(can_reach(*client_.netns, server_.v6, 53, IPPROTO_UDP));
    EXPECT_TRUE(can_reach(*neighbour_.netns, server_.v4, 63, IPPROTO_UDP));
    EXPECT_TRUE(can_reach(*neighbour_.netns, server_.v6, 63, IPPROTO_UDP));

    const auto first_revision = server_node_.revision();
    const auto client_flows = flows_to_server(kOfClient);
    const auto neighbour_flows = flows_to_server(kOfNeighbour);
    PacketStorm client_storm(*client_.netns, client_flows, std::chrono::microseconds(1000));
    PacketStorm neighbour_storm(*neighbour_.netns, neighbour_flows,
                                std::chrono::microseconds(2000));
    const auto begin = steady_clock::now();
    std::size_t changes = 0;
    std::size_t states = 0;
    while (steady_clock::now() < begin + kShortest ||
           (states < kWantedRevisions * 6 / 5 && steady_clock::now() < begin + kLongest)) {
        changes += policies.change();
        ++states;
        lab_.write_manifest("cluster.json", policies.manifest());
        std::this_thread::sleep_for(kPause);
    }
    EXPECT_TRUE(lab_.settle());
    client_storm.finish();
    neighbour_storm.finish();
    std::printf("%zu states, %zu changed objects, %u revisions on %s\n", states, changes,
                server_node_.revision() - first_revision, server_node_.name.c_str());
    EXPECT_GE(changes, kWantedChanges);

    const auto by_client = [&](Fate fate) {
        return sent(client_storm, client_flows, kOfClient, fate);
    };
    const auto by_neighbour = [&](Fate fate) {
        return sent(neighbour_storm, neighbour_flows, kOfNeighbour, fate);
    };
    EXPECT_EQ(drops(client_node_, "egress", "policy_deny"), by_client(Fate::kDeniedByEgress));
    EXPECT_EQ(drops(client_node_, "ingress", "policy_deny"), 0);
    EXPECT_EQ(drops(server_node_, "egress", "policy_deny"), 0);
    EXPECT_EQ(drops(server_node_, "ingress", "policy_deny"),
              by_client(Fate::kDeniedByIngress) + by_neighbour(Fate::kDeniedByIngress));
    for (const auto* node : {&server_node_, &client_node_})
        expect_no_other_drops(*node);
    expect_answers(client_storm, client_flows);
    expect_answers(neighbour_storm, neighbour_flows);
}

} // namespace
} // namespace weir
