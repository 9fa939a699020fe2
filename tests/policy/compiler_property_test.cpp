// SPDX-License-Identifier: Apache-2.0
// Random clusters, policies and live changes: after every revision the compiled tables agree with
// the naive evaluator, and after every single write of it each verdict is the old or the new one.
// Every run takes other seeds and prints them; WEIR_SEED and WEIR_CASES choose what is run.
#include <gtest/gtest.h>
#include <netinet/in.h>

#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <map>
#include <numeric>
#include <string>

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

// What a run has met, for the summary and for the check that it was worth something.
struct Tally {
    std::size_t revisions = 0;
    std::map<std::string, std::size_t> seen;

    void add(const Replica& replica) {
        revisions += replica.revisions();
        for (const auto& [what, count] : replica.seen())
            seen[what] += count;
    }
};

// One cluster through its life.
void live(std::uint64_t seed, bool every_write, Tally& tally) {
    RandomCluster random(seed);
    if (seed % 4 == 0) random.use_network_policies_only();
    Limits limits;
    if (random.chance(15)) {
        limits.rules = static_cast<std::uint32_t>(20 + random.below(100));
        limits.intervals = 128;
    }
    Replica replica(limits, all_slots(), RandomCluster::addresses(), all_probes());
    replica.apply(random.change(20));
    for (const auto slot : all_slots()) {
        auto local = random.local();
        local.slot = slot;
        replica.set_local(local);
    }
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
    tally.add(replica);
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

// Every fourth cluster knows NetworkPolicy alone.
Tally live_many(const char* what, std::uint64_t cases, bool every_write) {
    const auto first =
        from_environment("WEIR_SEED", static_cast<std::uint64_t>(std::time(nullptr)));
    cases = from_environment("WEIR_CASES", cases);
    std::printf("WEIR_SEED=%llu WEIR_CASES=%llu\n", static_cast<unsigned long long>(first),
                static_cast<unsigned long long>(cases));
    Tally tally;
    for (auto seed = first; seed < first + cases && !testing::Test::HasFatalFailure(); ++seed)
        live(seed, every_write, tally);
    std::printf("%zu %s\n", tally.revisions, what);
    for (const auto& [verdict, count] : tally.seen)
        std::printf("%10zu %s\n", count, verdict.c_str());
    return tally;
}

TEST(CompilerProperty, AgreesWithTheNaiveEvaluator) {
    const auto tally = live_many("revisions, compared verdict by verdict:", 180, false);
    if (std::getenv("WEIR_CASES") != nullptr) return;
    EXPECT_GT(tally.revisions, 2000U);
    for (const char* word : {"allowed", "denied", "audited"})
        for (const char* kind : {"NetworkPolicy", "ClusterNetworkPolicy", "AdminNetworkPolicy",
                                 "BaselineAdminNetworkPolicy", "AuthorizationPolicy"})
            EXPECT_TRUE(tally.seen.contains(std::string(word) + " by " + kind)) << word << kind;
}

TEST(CompilerProperty, EveryWriteShowsTheOldOrTheNewRevision) {
    live_many("revisions, watched write by write:", 12, true);
}

} // namespace
} // namespace weir::test
