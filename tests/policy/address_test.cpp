// SPDX-License-Identifier: Apache-2.0
#include "policy/address.h"

#include <gtest/gtest.h>

namespace weir {
namespace {

TEST(Address, ReadsWhatTheApiServerAccepts) {
    for (const auto* text :
         {"10.0.0.1", "0.0.0.0", "255.255.255.255", "::", "::1", "2001:db8::1"}) {
        const auto address = Address::parse(text);
        ASSERT_TRUE(address) << text;
        EXPECT_EQ(text, address->to_string());
    }
    EXPECT_EQ("2001:db8::1", Address::parse("2001:DB8:0:0::0001")->to_string());
    EXPECT_TRUE(Address::parse("10.0.0.1")->is_v4());
    EXPECT_FALSE(Address::parse("::1")->is_v4());
}

TEST(Address, RefusesEverythingElse) {
    for (const auto* text : {"", "10.0.0", "10.0.0.256", "10.0.0.01", "010.0.0.1", " 10.0.0.1",
                             "10.0.0.1/8", "::ffff:10.0.0.1", "::ffff:a00:1", "fe80::1%eth0",
                             "1:2:3:4:5:6:7:8:9", "host", "fd00::1::2"}) {
        EXPECT_FALSE(Address::parse(text)) << text;
    }
    EXPECT_FALSE(Address::parse(std::string(500, '1')));
    EXPECT_FALSE(Address::parse(std::string_view("10.0.0.1\0", 9)));
}

TEST(Cidr, ClearsHostBitsAndWritesTheLengthOfItsFamily) {
    EXPECT_EQ("10.1.0.0/16", Cidr::parse("10.1.2.3/16")->to_string());
    EXPECT_EQ("0.0.0.0/0", Cidr::parse("1.2.3.4/0")->to_string());
    EXPECT_EQ("fd00::/12", Cidr::parse("fd0f::1/12")->to_string());
    EXPECT_EQ(104, Cidr::parse("10.0.0.0/8")->prefix_length);
}

TEST(Cidr, RefusesBadLengths) {
    for (const auto* text : {"10.0.0.0", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/08", "10.0.0.0/-1",
                             "10.0.0.0/8x", "::/129", "::/1000", "/8", "::ffff:0:0/96"}) {
        EXPECT_FALSE(Cidr::parse(text)) << text;
    }
}

TEST(Cidr, HoldsAddressesOfItsFamilyOnly) {
    const auto all_v6 = *Cidr::parse("::/0");
    EXPECT_TRUE(all_v6.contains(*Address::parse("fd00::1")));
    EXPECT_FALSE(all_v6.contains(*Address::parse("10.0.0.1")));
    EXPECT_FALSE(all_v6.contains(*Cidr::parse("0.0.0.0/0")));
    const auto ten = *Cidr::parse("10.0.0.0/8");
    EXPECT_TRUE(ten.contains(*Address::parse("10.255.255.255")));
    EXPECT_FALSE(ten.contains(*Address::parse("11.0.0.0")));
    EXPECT_TRUE(ten.contains(*Cidr::parse("10.0.0.0/9")));
    EXPECT_FALSE(ten.contains(*Cidr::parse("10.0.0.0/7")));
}

} // namespace
} // namespace weir
