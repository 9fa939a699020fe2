// SPDX-License-Identifier: Apache-2.0
// What the agent asks rtnetlink about the node's routes.
#include "agent/endpoint/netlink.h"

#include <gmock/gmock.h>
#include <net/if.h>

#include <set>

#include "tests/loader/kernel_fixture.h"

namespace weir::test {
namespace {

using testing::IsEmpty;

struct DefaultInterfacesTest : ::testing::Test {
    DefaultInterfacesTest() {
        enter_host_netns();
        for (const std::string number : {"1", "2", "3"}) {
            ip("link add d" + number + " type veth peer name peer" + number);
            ip("link set peer" + number + " up");
            ip("link set d" + number + " up");
            ip("addr add 10.9." + number + ".2/24 dev d" + number);
            ip("addr add fd09:" + number + "::2/64 nodad dev d" + number);
        }
    }
    ~DefaultInterfacesTest() override {
        for (const std::string number : {"1", "2", "3"})
            ip("link del d" + number); // and the routes with it
    }

    static std::set<std::uint32_t> interfaces() {
        auto found = list_default_interfaces();
        EXPECT_TRUE(found) << found.error().what;
        return found.value_or(std::set<std::uint32_t>{});
    }
    static std::set<std::uint32_t> named(const std::set<std::string>& names) {
        std::set<std::uint32_t> all;
        for (const auto& name : names)
            all.insert(if_nametoindex(name.c_str()));
        return all;
    }
};

TEST_F(DefaultInterfacesTest, ThoseOfBothFamiliesAndNoOthers) {
    EXPECT_THAT(interfaces(), IsEmpty());
    ip("route add default via 10.9.1.1");
    EXPECT_EQ(interfaces(), named({"d1"}));
    ip("-6 route add default via fd09:2::1");
    ip("route add 10.99.0.0/16 via 10.9.3.1");
    EXPECT_EQ(interfaces(), named({"d1", "d2"}));
}

TEST_F(DefaultInterfacesTest, EachNextHopOfAMultipathRoute) {
    ip("route add default nexthop via 10.9.1.1 nexthop via 10.9.3.1");
    EXPECT_EQ(interfaces(), named({"d1", "d3"}));
    ip("route del default");
    ip("-6 route add default nexthop via fd09:2::1 nexthop via fd09:3::1");
    EXPECT_EQ(interfaces(), named({"d2", "d3"}));
}

TEST_F(DefaultInterfacesTest, NotThoseOfOtherTablesAndNotWhatIsUnreachable) {
    ip("route add default via 10.9.1.1 table 100");
    ip("route add unreachable default metric 500");
    ip("-6 route add unreachable default metric 500");
    EXPECT_THAT(interfaces(), IsEmpty());
    ip("route del unreachable default metric 500");
    ip("-6 route del unreachable default metric 500");
}

} // namespace
} // namespace weir::test
