// SPDX-License-Identifier: Apache-2.0
// Which interfaces lead outside, and which source ports are for forwarded connections.
#include <gtest/gtest.h>

#include <set>
#include <sstream>
#include <string>

#include "agent/service/default_routes.h"
#include "agent/service/source_ports.h"

namespace weir {
namespace {

const std::string kLocal = "32768\t60999";

TEST(UplinkSettings, TheInterfacesOfTheDefaultRoutesAreUplinks) {
    std::istringstream v4(
        "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"
        "eth0\t00000000\t010011AC\t0003\t0\t0\t0\t00000000\t0\t0\t0\n"
        "cni0\t0000F40A\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0\n");
    std::istringstream v6(
        "00000000000000000000000000000000 00 00000000000000000000000000000000 00 "
        "fe800000000000000000000000000001 00000400 00000001 00000000 00000003     eth1\n"
        "00000000000000000000000000000000 00 00000000000000000000000000000000 00 "
        "00000000000000000000000000000000 ffffffff 00000001 00000000 00200200       lo\n");
    EXPECT_EQ(default_route_interfaces(v4, v6), (std::set<std::string>{"eth0", "eth1"}));
}

TEST(UplinkSettings, SourcePortsAreThoseAboveTheNodesOwn) {
    EXPECT_EQ(choose_source_ports("auto", kLocal, ""), (SourcePorts{61'000, 65'535}));
    EXPECT_EQ(choose_source_ports("61000-62000", kLocal, ""), (SourcePorts{61'000, 62'000}));
    EXPECT_EQ(choose_source_ports("2000-3000", kLocal, ""), (SourcePorts{2'000, 3'000}));
}

TEST(UplinkSettings, ASourcePortOfTheNodesOwnSocketsIsRefused) {
    const auto refused = choose_source_ports("60000-62000", kLocal, "60000-60998");
    ASSERT_FALSE(refused);
    EXPECT_NE(refused.error().what.find("60999"), std::string::npos) << refused.error().what;
    EXPECT_NE(refused.error().what.find("ip_local_reserved_ports"), std::string::npos);
    EXPECT_TRUE(choose_source_ports("60000-62000", kLocal, "8080,60000-60999"));
}

TEST(UplinkSettings, ALocalRangeUpToTheTopLeavesNoneForAuto) {
    const auto refused = choose_source_ports("auto", "1024\t65535", "");
    ASSERT_FALSE(refused);
    EXPECT_NE(refused.error().what.find("--snat-ports"), std::string::npos);
}

TEST(UplinkSettings, WhatIsNoRangeOfPortsIsRefused) {
    for (const char* text : {"", "61000", "61000-", "61000-65536", "61000-61010", "80-600",
                             "65000-61000", "61000-62000x"})
        EXPECT_FALSE(parse_port_range(text)) << text;
}

} // namespace
} // namespace weir
