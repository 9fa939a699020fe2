// SPDX-License-Identifier: Apache-2.0
#include "agent/cli/ends.h"

#include <gtest/gtest.h>

namespace weir::cli {
namespace {

TEST(ParseDestination, EveryForm) {
    struct Case {
        const char* text;
        const char* end;
        int port;
        const char* protocol;
    };
    for (const auto& [text, end, port, protocol] : {
             Case{"shop/db:5432", "shop/db", 5432, "TCP"},
             Case{"kube-system/dns:53/UDP", "kube-system/dns", 53, "UDP"},
             Case{"node/n1:10250", "node/n1", 10250, "TCP"},
             Case{"10.0.0.1:80/SCTP", "10.0.0.1", 80, "SCTP"},
             Case{"[fd00::1]:443", "fd00::1", 443, "TCP"},
             Case{"[fd00::1]:53/udp", "fd00::1", 53, "udp"},
             Case{"shop/web:ICMP", "shop/web", 0, "ICMP"},
         }) {
        const auto parsed = parse_destination(text);
        ASSERT_TRUE(parsed) << text;
        EXPECT_EQ(parsed->end, end) << text;
        EXPECT_EQ(parsed->port, port) << text;
        EXPECT_EQ(parsed->protocol, protocol) << text;
    }
}

TEST(ParseDestination, RefusesWhatIsNoDestination) {
    for (const char* text :
         {"", "shop/db", ":80", "shop/db:", "shop/db:0", "shop/db:65536", "shop/db:80/",
          "shop/db:80x", "fd00::1:80", "[fd00::1]", "shop/db:-1"}) {
        EXPECT_FALSE(parse_destination(text)) << text;
    }
}

TEST(ParsePodName, NeedsBothParts) {
    const auto name = parse_pod_name("shop/web");
    ASSERT_TRUE(name);
    EXPECT_EQ(name->ns, "shop");
    EXPECT_EQ(name->name, "web");
    for (const char* text : {"", "web", "/web", "shop/", "shop/web/x"}) {
        EXPECT_FALSE(parse_pod_name(text)) << text;
    }
}

TEST(ParseObject, TakesKindNamespaceAndName) {
    const auto full = parse_object("networkpolicy/shop/deny");
    ASSERT_TRUE(full);
    EXPECT_EQ(full->kind, "NetworkPolicy");
    EXPECT_EQ(full->ns, "shop");
    EXPECT_EQ(full->name, "deny");
    const auto cluster = parse_object("AdminNetworkPolicy/quarantine");
    ASSERT_TRUE(cluster);
    EXPECT_EQ(cluster->kind, "AdminNetworkPolicy");
    EXPECT_EQ(cluster->ns, "");
    const auto namespaced = parse_object("shop/deny");
    ASSERT_TRUE(namespaced);
    EXPECT_EQ(namespaced->kind, "");
    EXPECT_EQ(namespaced->ns, "shop");
    EXPECT_EQ(parse_object("deny")->name, "deny");
    for (const char* wrong : {"", "/", "a/", "/a", "Widget/shop/deny", "a/b/c/d"}) {
        EXPECT_FALSE(parse_object(wrong)) << wrong;
    }
}

} // namespace
} // namespace weir::cli
