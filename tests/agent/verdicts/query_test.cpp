// SPDX-License-Identifier: Apache-2.0
#include "agent/verdicts/query.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>

namespace weir {
namespace {

TEST(ParseQuery, ReadsAFlow) {
    const auto query = parse_query(
        R"({"src":"a/x","dst":"b/y","port":80,"protocol":"udp","family":"IPv6","note":[1]})");
    EXPECT_EQ(query.error, "");
    EXPECT_EQ(query.source, "a/x");
    EXPECT_EQ(query.destination, "b/y");
    EXPECT_EQ(query.port, 80);
    EXPECT_EQ(query.protocol, IPPROTO_UDP);
    EXPECT_EQ(query.is_v4, false);
    EXPECT_EQ(query.echo,
              R"({"src":"a/x","dst":"b/y","port":80,"protocol":"udp","family":"IPv6","note":[1])");
}

TEST(ParseQuery, ProtocolAndFamilyMayBeMissing) {
    const auto query = parse_query(R"({"src":"a/x","dst":"b/y","port":80})");
    EXPECT_EQ(query.error, "");
    EXPECT_EQ(query.protocol, IPPROTO_TCP);
    EXPECT_EQ(query.is_v4, std::nullopt);
}

TEST(ParseQuery, EchoesWhatTheUserWroteButNoEarlierAnswer) {
    const auto query =
        parse_query(R"({"src":"a/x","verdict":"deny","dst":"b/y","port":80,"rule":{}})");
    EXPECT_EQ(query.error, "");
    EXPECT_EQ(query.echo, R"({"src":"a/x","dst":"b/y","port":80)");
    EXPECT_EQ(parse_query("x\"\xff").echo, "{\"input\":\"x\\\"\xef\xbf\xbd\"");
    const auto empty = parse_query(R"({"error":"x"})");
    EXPECT_EQ(empty.echo, "{");
    EXPECT_FALSE(empty.has_fields);
}

TEST(ParseQuery, NamesTheFieldThatIsWrong) {
    struct Case {
        const char* line;
        const char* error;
    };
    for (const auto& [line, error] : {
             Case{"nonsense", "not a JSON object"},
             Case{"[1]", "not a JSON object"},
             Case{"{\"src\":", "not a JSON object"},
             Case{R"({"dst":"b/y","port":80})", "src: missing"},
             Case{R"({"src":1,"dst":"b/y","port":80})", "src: must be a string"},
             Case{R"({"src":"a/x","port":80})", "dst: missing"},
             Case{R"({"src":"a/x","dst":"b/y"})", "port: must be"},
             Case{R"({"src":"a/x","dst":"b/y","port":"80"})", "port: must be"},
             Case{R"({"src":"a/x","dst":"b/y","port":65536})", "port: must be"},
             Case{R"({"src":"a/x","dst":"b/y","port":80.5})", "port: must be"},
             Case{R"({"src":"a/x","dst":"b/y","port":80,"protocol":"ICMP"})", "protocol 'ICMP'"},
             Case{R"({"src":"a/x","dst":"b/y","port":80,"family":"v4"})", "family 'v4'"},
         }) {
        EXPECT_THAT(parse_query(line).error, testing::StartsWith(error)) << line;
    }
}

} // namespace
} // namespace weir
