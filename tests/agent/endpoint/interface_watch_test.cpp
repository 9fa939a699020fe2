// SPDX-License-Identifier: Apache-2.0
#include "agent/endpoint/interface_watch.h"

#include <gtest/gtest.h>
#include <net/if.h>

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <vector>

#include "tests/loader/kernel_fixture.h"

namespace weir::test {
namespace {

struct WatchTest : ::testing::Test {
    WatchTest() {
        enter_host_netns();
        auto started = InterfaceWatch::start(
            context, {.on_gone = [this](std::uint32_t ifindex) { gone.push_back(ifindex); },
                      .on_resync = [this](const auto& all) { resyncs.push_back(all); }});
        EXPECT_TRUE(started) << started.error().what;
        watch = std::move(*started);
    }

    // Until nothing more happens for a while.
    void run() {
        while (context.run_one_for(std::chrono::milliseconds(200)) > 0) {
        }
    }

    boost::asio::io_context context;
    std::vector<std::uint32_t> gone;
    std::vector<std::set<std::uint32_t>> resyncs;
    std::unique_ptr<InterfaceWatch> watch;
};

TEST_F(WatchTest, TellsWhichInterfaceIsGone) {
    ip("link add h0 type veth peer name h1");
    const auto index = if_nametoindex("h0");
    run();
    EXPECT_TRUE(gone.empty());
    ip("link del h0");
    run();
    EXPECT_EQ(std::ranges::count(gone, index), 1);
    EXPECT_EQ(gone.size(), 2u); // and its peer
    EXPECT_TRUE(resyncs.empty());
}

TEST_F(WatchTest, PortThatLeavesItsBridgeIsNotGone) {
    ip("link add br0 type bridge");
    ip("link add h0 type veth peer name h1");
    ip("link set h0 master br0");
    ip("link set h0 nomaster");
    run();
    EXPECT_TRUE(gone.empty());
    ip("link del h0");
    ip("link del br0");
}

TEST_F(WatchTest, InterfaceThatMovesAwayIsGone) {
    const Netns elsewhere("elsewhere");
    ip("link add h0 type veth peer name h1");
    const auto index = if_nametoindex("h0");
    ip("link set h0 netns " + elsewhere.name());
    run();
    EXPECT_EQ(gone, std::vector{index});
    ip("link del h1");
}

TEST_F(WatchTest, LooksAtEverythingWhenMessagesWereLost) {
    for (int i = 0; i < 150; ++i) { // more than a socket holds unread
        ip("link add h0 type veth peer name h1");
        ip("link del h0");
    }
    ip("link add h0 type veth peer name h1");
    run();
    ASSERT_FALSE(resyncs.empty());
    EXPECT_TRUE(resyncs.back().contains(if_nametoindex("h0")));
    EXPECT_TRUE(resyncs.back().contains(if_nametoindex("lo")));
    ip("link del h0");
}

TEST_F(WatchTest, IsSilentOnceItIsDestroyed) {
    ip("link add h0 type veth peer name h1");
    run();
    watch.reset();
    ip("link del h0");
    run();
    EXPECT_TRUE(gone.empty());
}

} // namespace
} // namespace weir::test
