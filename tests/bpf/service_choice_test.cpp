// SPDX-License-Identifier: Apache-2.0
// Which backend a connection gets: weights, fewer connections, Maglev, affinity, limits, states.
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <numeric>
#include <thread>

#include "tests/bpf/service_fixture.h"

namespace weir::test {
namespace {

class ServiceChoiceTest : public ServiceTest {
protected:
    void SetUp() override { ids_ = add_backends(kSocketFamilies[0]); }

    std::vector<int> spread_of(int connections) { return spread(kService, ids_, connections); }
    // Of so many connections, those that were refused; each counted as such.
    int refusals_of(int connections) {
        int refusals = 0;
        for (int i = 0; i < connections; ++i) {
            TestSocket socket(AF_INET, SOCK_DGRAM);
            const int error = socket.connect(kService);
            EXPECT_TRUE(error == 0 || error == ECONNREFUSED);
            refusals += error != 0 ? 1 : 0;
        }
        return refusals;
    }
    void set_state(std::size_t number, weir_backend_state state) {
        backend(ids_.at(number)).state = static_cast<__u8>(state);
    }

    std::vector<std::uint32_t> ids_;
};

// Bounds are five standard deviations wide, or more.
TEST_F(ServiceChoiceTest, WeightsAreNumbersOfSlots) {
    add_service(kService, {ids_[0], ids_[1], ids_[1], ids_[2], ids_[2], ids_[2]});
    const auto counts = spread_of(6000);
    EXPECT_NEAR(counts[0], 1000, 150);
    EXPECT_NEAR(counts[1], 2000, 190);
    EXPECT_NEAR(counts[2], 3000, 200);
}

TEST_F(ServiceChoiceTest, WeightsChangeWithoutBreakingAConnection) {
    add_service(kService, {ids_[0]});
    TestSocket before(AF_INET, SOCK_DGRAM);
    ASSERT_EQ(before.connect(kService), 0);
    add_service(kService, {ids_[1]});
    EXPECT_EQ(spread_of(20), (std::vector{0, 20, 0}));
    EXPECT_EQ(before.peer(), kService);
    EXPECT_EQ(backend(ids_[0]).live, 1u);
}

TEST_F(ServiceChoiceTest, TheShareOfAnEjectedBackendGoesToAllOthers) {
    add_service(kService, {ids_[0], ids_[1], ids_[2]});
    set_state(1, WEIR_BACKEND_EJECTED);
    const auto counts = spread_of(2000);
    EXPECT_EQ(counts[1], 0);
    EXPECT_NEAR(counts[0], 1000, 120);
    EXPECT_NEAR(counts[2], 1000, 120);
    set_state(1, WEIR_BACKEND_ACTIVE);
    EXPECT_GT(spread_of(200)[1], 20);
}

TEST_F(ServiceChoiceTest, TheOnlyUsableBackendIsFoundAmongManySlots) {
    std::vector<std::uint32_t> slots(1000, ids_[0]);
    slots[617] = ids_[2];
    add_service(kService, slots);
    set_state(0, WEIR_BACKEND_DRAINING);
    EXPECT_EQ(spread_of(50), (std::vector{0, 0, 50}));
}

TEST_F(ServiceChoiceTest, ABackendTakesNoMoreConnectionsThanItMay) {
    add_service(kService, {ids_[0], ids_[1]});
    backend(ids_[0]).max_connections = 2;
    backend(ids_[1]).max_connections = 3;
    std::vector<TestSocket> held;
    for (int i = 0; i < 5; ++i) {
        held.emplace_back(AF_INET, SOCK_DGRAM);
        ASSERT_EQ(held.back().connect(kService), 0);
    }
    EXPECT_EQ(backend(ids_[0]).live, 2u);
    EXPECT_EQ(backend(ids_[1]).live, 3u);
    TestSocket one_more(AF_INET, SOCK_DGRAM);
    EXPECT_EQ(one_more.connect(kService), ECONNREFUSED);
    EXPECT_EQ(outcome(WEIR_SERVICE_NONE_USABLE), 1u);
    held.pop_back();
    EXPECT_EQ(one_more.connect(kService), 0);
}

TEST_F(ServiceChoiceTest, TheLimitHoldsWhenManyThreadsConnectAtOnce) {
    add_service(kService, {ids_[0]});
    backend(ids_[0]).max_connections = 50;
    std::vector<std::thread> threads;
    std::vector<std::vector<TestSocket>> sockets(4);
    std::vector<int> connected(4);
    for (std::size_t t = 0; t < 4; ++t) {
        threads.emplace_back([&, t] {
            for (int i = 0; i < 100; ++i) {
                sockets[t].emplace_back(AF_INET, SOCK_DGRAM);
                connected[t] += sockets[t].back().connect(kService) == 0 ? 1 : 0;
            }
        });
    }
    for (auto& thread : threads)
        thread.join();
    EXPECT_EQ(std::accumulate(connected.begin(), connected.end(), 0), 50);
    EXPECT_EQ(backend(ids_[0]).live, 50u);
}

TEST_F(ServiceChoiceTest, TheBackendWithFewerConnectionsWinsOfTwoDraws) {
    add_service(kService, {ids_[0], ids_[1]}, {.flags = WEIR_SERVICE_LEAST_LOADED});
    backend(ids_[0]).live = 100'000;
    // The busy one only when both draws find it.
    const auto counts = spread_of(1000);
    EXPECT_NEAR(counts[0], 250, 70);
    EXPECT_EQ(counts[0] + counts[1], 1000);
}

TEST_F(ServiceChoiceTest, MaglevWalksOnFromAnUnusableBackend) {
    std::vector<std::uint32_t> table;
    for (std::size_t i = 0; i < 999; ++i)
        table.push_back(ids_[i * 7 % 3]);
    add_service(kService, table, {.flags = WEIR_SERVICE_MAGLEV});
    for (const int count : spread_of(900))
        EXPECT_NEAR(count, 300, 75);
    set_state(0, WEIR_BACKEND_EJECTED);
    const auto counts = spread_of(300);
    EXPECT_EQ(counts[0], 0);
    EXPECT_EQ(counts[1] + counts[2], 300);
}

// Slots that refuse, in each way of choosing; a backend that is not usable leaves its share to the
// other ones.
TEST_F(ServiceChoiceTest, TheShareOfSlotsThatRefuseIsRefused) {
    std::vector<std::uint32_t> slots;
    for (int i = 0; i < 250; ++i)
        slots.insert(slots.end(), {ids_[0], WEIR_BACKEND_NONE, ids_[1], ids_[2]});
    const std::vector<std::uint32_t> ways{0, WEIR_SERVICE_LEAST_LOADED, WEIR_SERVICE_MAGLEV};
    for (const auto flags : ways) {
        SCOPED_TRACE(flags);
        add_service(kService, slots, {.flags = flags});
        set_state(2, WEIR_BACKEND_ACTIVE);
        EXPECT_NEAR(refusals_of(2000), 500, 100);
        set_state(2, WEIR_BACKEND_EJECTED);
        EXPECT_NEAR(refusals_of(2000), 500, 100);
    }
    EXPECT_EQ(outcome(WEIR_SERVICE_NONE_USABLE), 0u);
    set_state(0, WEIR_BACKEND_EJECTED);
    set_state(1, WEIR_BACKEND_EJECTED);
    EXPECT_EQ(refusals_of(20), 20);
    EXPECT_GT(outcome(WEIR_SERVICE_NONE_USABLE), 0u);
}

TEST_F(ServiceChoiceTest, AClientWithAffinityIsRefusedUntilItHasABackend) {
    add_service(kService, {WEIR_BACKEND_NONE, ids_[0]}, {.flags = 0, .affinity = 100});
    while (refusals_of(1) != 0)
        EXPECT_LT(outcome(WEIR_SERVICE_ROUTE_REFUSED), 100u);
    EXPECT_EQ(refusals_of(20), 0);
}

TEST_F(ServiceChoiceTest, AClientStaysWithItsBackend) {
    add_service(kService, ids_, {.flags = 0, .affinity = 100});
    const auto counts = spread_of(30);
    EXPECT_EQ(std::ranges::max(counts), 30);
    // Datagrams of an unconnected socket are the same client's.
    const auto whose = static_cast<std::size_t>(std::ranges::max_element(counts) - counts.begin());
    TestSocket server(AF_INET, SOCK_DGRAM), client(AF_INET, SOCK_DGRAM);
    ASSERT_EQ(server.bind({kSocketFamilies[0].backends[whose], kBackendPort}), 0);
    ASSERT_EQ(client.send_to(kService, "hello"), 0);
    EXPECT_EQ(server.receive(nullptr), "hello");
}

TEST_F(ServiceChoiceTest, EachNetworkNamespaceIsAClientOfItsOwn) {
    add_service(kService, ids_, {.flags = 0, .affinity = 100});
    std::vector<int> sums(3);
    for (int client = 0; client < 24; ++client) {
        std::thread([&] { // a pod
            ASSERT_EQ(::unshare(CLONE_NEWNET), 0);
            ASSERT_EQ(std::system("ip link set lo up && ip route add 10.0.0.0/8 dev lo"), 0);
            const auto counts = spread_of(5);
            EXPECT_EQ(std::ranges::max(counts), 5);
            for (std::size_t i = 0; i < 3; ++i)
                sums[i] += counts[i];
        })
            .join();
    }
    EXPECT_LT(std::ranges::max(sums), 24 * 5); // all the same: once in 10^11 runs
}

TEST_F(ServiceChoiceTest, AffinityEndsWithItsTimeAndEachUseRenewsIt) {
    constexpr std::uint64_t kSecond = 1'000'000'000;
    add_service(kService, ids_, {.flags = 0, .affinity = 10});
    weir_affinity_key client{};
    const auto connect_after = [&](std::uint64_t pause) { // the backend's id
        TestSocket socket(AF_INET, SOCK_DGRAM);
        auto found = maps().affinities.lookup(client);
        EXPECT_TRUE(found);
        if (found && *found) {
            weir_affinity affinity = **found;
            affinity.last_used -= pause;
            EXPECT_TRUE(maps().affinities.update(client, affinity));
        }
        EXPECT_EQ(socket.connect(kService), 0);
        EXPECT_TRUE(maps().affinities.for_each(
            [&](const weir_affinity_key& key, const weir_affinity&) { client = key; }));
        return maps().affinities.lookup(client)->value().backend;
    };
    const std::uint32_t first = connect_after(0);
    for (int i = 0; i < 30; ++i)
        EXPECT_EQ(connect_after(8 * kSecond), first);
    int moves = 0;
    for (int i = 0; i < 30; ++i)
        moves += connect_after(11 * kSecond) != first ? 1 : 0;
    EXPECT_GT(moves, 0); // none: once in 10^14 runs
}

TEST_F(ServiceChoiceTest, AffinityEndsWhenTheBackendIsNotUsable) {
    add_service(kService, ids_, {.flags = 0, .affinity = 100});
    for (const auto state : {WEIR_BACKEND_DRAINING, WEIR_BACKEND_EJECTED}) {
        const auto counts = spread_of(5);
        const auto whose = std::ranges::max_element(counts) - counts.begin();
        set_state(static_cast<std::size_t>(whose), state);
        const auto moved = spread_of(5);
        EXPECT_EQ(moved[static_cast<std::size_t>(whose)], 0);
        EXPECT_EQ(std::ranges::max(moved), 5);
    }
}

TEST_F(ServiceChoiceTest, AffinityIsToABackendOfTheSameUse) {
    add_service(kService, ids_, {.flags = 0, .affinity = 100});
    spread_of(1);
    for (const auto id : ids_)
        backend(id).generation++;
    EXPECT_EQ(std::ranges::max(spread_of(10)), 10); // chosen anew once, then kept
    ASSERT_TRUE(maps().affinities.for_each([&](const auto&, const weir_affinity& affinity) {
        EXPECT_EQ(affinity.generation, backend(affinity.backend).generation);
    }));
}

} // namespace
} // namespace weir::test
