// SPDX-License-Identifier: Apache-2.0
#include "agent/report/turns.h"

#include <gmock/gmock.h>

#include <set>

#include "agent/report/token_bucket.h"

namespace weir {
namespace {

using namespace std::chrono_literals;

TEST(Turns, EveryObjectHasEveryNodeAtAnotherTurn) {
    const std::vector<std::string> nodes = {"n3", "n1", "n2"};
    std::set<std::string> firsts;
    for (int i = 0; i < 50; ++i) {
        const std::string uid = "uid-" + std::to_string(i);
        std::set<std::size_t> turns;
        for (const auto& node : nodes) {
            turns.insert(Turns(node, nodes).before(uid));
            if (Turns(node, nodes).before(uid) == 0) firsts.insert(node);
        }
        EXPECT_EQ(turns, (std::set<std::size_t>{0, 1, 2})) << uid;
    }
    EXPECT_EQ(firsts.size(), 3U) << "the work is shared";
}

TEST(Turns, ANodeThatTheApiDoesNotKnowCountsToo) {
    EXPECT_EQ(Turns("n1", {}).before("uid"), 0U);
    EXPECT_LT(Turns("n9", {"n1", "n2"}).before("uid"), 3U);
}

TEST(Turns, JitterDiffersFromNodeToNode) {
    EXPECT_NE(Turns("n1", {}).jitter("uid"), Turns("n2", {}).jitter("uid"));
    EXPECT_LT(Turns("n1", {}).jitter("uid"), 2s);
}

TEST(TokenBucket, HasSoManyAtOnceAndOneMoreAfterEachWhile) {
    TokenBucket::Time now{1h};
    TokenBucket bucket(2, 10s);
    EXPECT_TRUE(bucket.is_full(now));
    EXPECT_TRUE(bucket.take(now));
    EXPECT_TRUE(bucket.take(now));
    EXPECT_FALSE(bucket.take(now));
    EXPECT_EQ(bucket.next(now), now + 10s);
    EXPECT_FALSE(bucket.take(now + 9s));
    EXPECT_TRUE(bucket.take(now + 10s));
    EXPECT_FALSE(bucket.take(now + 19s));
    EXPECT_TRUE(bucket.take(now + 20s));
    EXPECT_FALSE(bucket.is_full(now + 39s));
    EXPECT_TRUE(bucket.is_full(now + 40s));
}

} // namespace
} // namespace weir
