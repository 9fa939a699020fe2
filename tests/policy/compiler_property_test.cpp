// SPDX-License-Identifier: Apache-2.0
// Random clusters, policies and live changes: after every revision the compiled tables agree with
// the naive evaluator, and after every single write of it each verdict is the old or the new one.
// WEIR_SEED and WEIR_CASES choose what is run; a failure prints its seed.
#include <gtest/gtest.h>
#include <netinet/in.h>

#include <cstdlib>
#include <numeric>

#include "tests/policy/random_cluster.h"
#include "tests/policy/replica.h"

namespace weir::test {
namespace {

std::uint64_t from_environment(const char* name, std::uint64_t otherwise) {
    const char* text = std::getenv(name);
    return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

std::vector<std::uint32_t> all_slots() {
    std::vector<std::uint32_t> slots(RandomCluster::kSlots);
    std::iota(slots.begin(), slots.end(), 0U);
    return slots;
}

std::vector<Probe> all_probes() {
    return {{IPPROTO_TCP, 80}, {IPPROTO_TCP, 443}, {IPPROTO_UDP, 81}, {IPPROTO_ICMP, 0}};
}

void change_desired(RandomCluster& random, Replica& replica, std::size_t objects) {
    replica.apply(random.change(objects));
    if (random.chance(25)) {
        replica.set_local(random.local());
    }
    if (random.chance(5)) {
        replica.erase_local(static_cast<std::uint32_t>(random.below(RandomCluster::kSlots)));
    }
}

// One cluster through its life.
void live(std::uint64_t seed, bool every_write, bool all_kinds) {
    RandomCluster random(seed);
    if (!all_kinds) random.use_network_policies_only();
    Limits limits;
    if (random.chance(15)) {
        limits.rules = static_cast<std::uint32_t>(20 + random.below(100));
        limits.intervals = 128;
    }
    Replica replica(limits, all_slots(), RandomCluster::addresses(), all_probes());
    replica.apply(random.change(12));
    replica.set_local(random.local());
    replica.set_local(random.local());
    for (int step = 0; step < 12; ++step) {
        ASSERT_EQ("", replica.revise(every_write)) << "WEIR_SEED=" << seed << " step " << step;
        if (random.chance(60)) {
            ASSERT_EQ("", replica.collect(random.below(3)))
                << "WEIR_SEED=" << seed << " step " << step;
        }
        change_desired(random, replica, 1 + random.below(5));
        if (random.chance(8)) {
            ASSERT_EQ("", replica.restart_after(random.below(replica.writes() + 1)));
        }
    }
    // Nothing leaks: without endpoints nothing is left.
    for (const auto slot : all_slots()) {
        replica.erase_local(slot);
    }
    // A full map may need to be emptied of garbage before the last revision fits.
    for (int round = 0; round < 3; ++round) {
        ASSERT_EQ("", replica.revise(every_write)) << "WEIR_SEED=" << seed << " last";
        ASSERT_EQ("", replica.collect(0)) << "WEIR_SEED=" << seed << " last";
    }
    if (!replica.did_fit()) {
        return;
    }
    const auto usage = replica.compiler().usage();
    EXPECT_EQ(0U, usage.peers + usage.prefixes + usage.tables + usage.rules + usage.intervals)
        << "WEIR_SEED=" << seed << " peers " << usage.peers << " prefixes " << usage.prefixes
        << " tables " << usage.tables << " rules " << usage.rules << " intervals "
        << usage.intervals;
}

void live_many(std::uint64_t otherwise_first, std::uint64_t otherwise_cases, bool every_write,
               bool all_kinds) {
    const auto first = from_environment("WEIR_SEED", otherwise_first);
    const auto cases = from_environment("WEIR_CASES", otherwise_cases);
    for (auto seed = first; seed < first + cases && !testing::Test::HasFatalFailure(); ++seed) {
        live(seed, every_write, all_kinds);
    }
}

TEST(CompilerProperty, AgreesWithTheNaiveEvaluator) {
    live_many(1, 60, false, false);
}

TEST(CompilerProperty, EveryWriteShowsTheOldOrTheNewRevision) {
    live_many(1'000'000, 12, true, false);
}

// Until the compiler knows them.
TEST(CompilerProperty, DISABLED_AllKindsAgreeWithTheNaiveEvaluator) {
    live_many(1, 60, false, true);
}

TEST(CompilerProperty, DISABLED_AllKindsShowTheOldOrTheNewRevision) {
    live_many(1'000'000, 12, true, true);
}

} // namespace
} // namespace weir::test
