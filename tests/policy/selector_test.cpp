// SPDX-License-Identifier: Apache-2.0
#include "policy/selector.h"

#include <gtest/gtest.h>

#include "tests/support/cluster.h"

namespace weir::test {
namespace {

using Operator = LabelRequirement::Operator;

TEST(Selector, EmptySelectsEverything) {
    EXPECT_TRUE(matches(everything(), {}));
    EXPECT_TRUE(matches(everything(), labels({{"app", "web"}})));
}

TEST(Selector, OperatorsAgreeWithTheApi) {
    const auto web = labels({{"app", "web"}, {"tier", ""}});
    const struct {
        const char* key;
        Operator op;
        std::initializer_list<std::string> values;
        bool expected;
    } cases[] = {
        {"app", Operator::kIn, {"db", "web"}, true}, {"app", Operator::kIn, {"db"}, false},
        {"gone", Operator::kIn, {""}, false},        {"tier", Operator::kIn, {""}, true},
        {"app", Operator::kNotIn, {"web"}, false},   {"app", Operator::kNotIn, {"db"}, true},
        {"gone", Operator::kNotIn, {"web"}, true},   {"app", Operator::kExists, {}, true},
        {"tier", Operator::kExists, {}, true},       {"gone", Operator::kExists, {}, false},
        {"app", Operator::kDoesNotExist, {}, false}, {"gone", Operator::kDoesNotExist, {}, true},
    };
    for (const auto& one : cases) {
        EXPECT_EQ(one.expected, matches(requirement(one.key, one.op, one.values), web))
            << one.key << " operator " << static_cast<int>(one.op);
    }
}

TEST(Selector, AllRequirementsMustHold) {
    const auto both = where({requirement("app", Operator::kIn, {"web"}),
                             requirement("canary", Operator::kDoesNotExist)});
    EXPECT_TRUE(matches(both, labels({{"app", "web"}})));
    EXPECT_FALSE(matches(both, labels({{"app", "web"}, {"canary", "1"}})));
    EXPECT_FALSE(matches(both, labels({{"app", "db"}})));
}

TEST(Selector, CanonicalFormForgetsOrderAndRepetition) {
    const auto one = where(
        {requirement("b", Operator::kIn, {"2", "1", "2"}), requirement("a", Operator::kExists)});
    const auto other =
        where({requirement("a", Operator::kExists), requirement("b", Operator::kIn, {"1", "2"}),
               requirement("a", Operator::kExists)});
    EXPECT_EQ(canonical(one), canonical(other));
}

} // namespace
} // namespace weir::test
