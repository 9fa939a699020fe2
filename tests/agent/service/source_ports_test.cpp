// SPDX-License-Identifier: Apache-2.0
// Which source ports are for forwarded connections.
#include <gtest/gtest.h>

#include <string>

#include "agent/service/source_ports.h"

namespace weir {
namespace {

const std::string kLocal = "32768\t60999";

TEST(SourcePorts, SourcePortsAreThoseAboveTheNodesOwn) {
    EXPECT_EQ(choose_source_ports("auto", kLocal, ""), (SourcePorts{61'000, 65'535}));
    EXPECT_EQ(choose_source_ports("61000-62000", kLocal, ""), (SourcePorts{61'000, 62'000}));
    EXPECT_EQ(choose_source_ports("2000-3000", kLocal, ""), (SourcePorts{2'000, 3'000}));
}

TEST(SourcePorts, ASourcePortOfTheNodesOwnSocketsIsRefused) {
    const auto refused = choose_source_ports("60000-62000", kLocal, "60000-60998");
    ASSERT_FALSE(refused);
    EXPECT_NE(refused.error().what.find("60999"), std::string::npos) << refused.error().what;
    EXPECT_NE(refused.error().what.find("ip_local_reserved_ports"), std::string::npos);
    EXPECT_TRUE(choose_source_ports("60000-62000", kLocal, "8080,60000-60999"));
}

TEST(SourcePorts, ALocalRangeUpToTheTopLeavesNoneForAuto) {
    const auto refused = choose_source_ports("auto", "1024\t65535", "");
    ASSERT_FALSE(refused);
    EXPECT_NE(refused.error().what.find("--snat-ports"), std::string::npos);
}

TEST(SourcePorts, WhatIsNoRangeOfPortsIsRefused) {
    for (const char* text : {"", "61000", "61000-", "61000-65536", "61000-61010", "80-600",
                             "65000-61000", "61000-62000x"})
        EXPECT_FALSE(parse_port_range(text)) << text;
}

} // namespace
} // namespace weir
