// SPDX-License-Identifier: Apache-2.0
#include "agent/kube/manifest_set.h"

#include <gmock/gmock.h>
#include <sys/stat.h>

#include <filesystem>

#include "tests/agent/kube/manifest_support.h"

namespace weir {
namespace {

using Time = ManifestSet::Time;
using testing::HasSubstr;

constexpr Time kNow{std::chrono::seconds(1000)};
constexpr Time kLater{std::chrono::seconds(2000)};
constexpr const char* kBroken = "a: [\n";

TEST(ManifestSet, AFileBringsChangesAndTakesItsObjects) {
    ManifestSet set;
    set.update("d/a.yaml", policy_yaml("x", "p"), kNow);
    Change change = set.take_change();
    ASSERT_EQ(change.upserts.size(), 1U);
    EXPECT_EQ(origin_of(change.upserts[0]).file.get(), "d/a.yaml");
    EXPECT_EQ(origin_of(change.upserts[0]).line, 1U);

    set.update("d/a.yaml", policy_yaml("x", "p") + "# comment\n", kNow);
    EXPECT_TRUE(set.take_change().is_empty());
    set.update("d/a.yaml", policy_yaml("x", "p", "db"), kNow);
    EXPECT_EQ(selected_label(set.take_change().upserts.at(0)), "db");
    set.update("d/a.yaml", policy_yaml("x", "q"), kNow);
    change = set.take_change();
    EXPECT_EQ(change.upserts.size(), 1U);
    EXPECT_EQ(change.erasures, std::vector{policy_key("x", "p")});
    set.remove("d/a.yaml");
    EXPECT_EQ(set.take_change().erasures, std::vector{policy_key("x", "q")});
    EXPECT_EQ(set.status().files, 0U);
}

TEST(ManifestSet, NeverSeenValidIsAbsent) {
    ManifestSet set;
    set.update("a", bad_policy_yaml("x", "bad") + "---\n" + policy_yaml("x", "good"), kNow);
    const Change change = set.take_change();
    ASSERT_EQ(change.upserts.size(), 1U);
    EXPECT_EQ(key_of(change.upserts[0]), policy_key("x", "good"));
    EXPECT_TRUE(set.status().kept.empty());
    EXPECT_EQ(set.take_problems().size(), 1U);
}

TEST(ManifestSet, InvalidKeepsTheLastValidVersionUntilItsDocumentGoes) {
    ManifestSet set;
    set.update("a", policy_yaml("x", "p") + "---\n" + policy_yaml("x", "q"), kNow);
    static_cast<void>(set.take_change());
    set.update("a", bad_policy_yaml("x", "p") + "---\n" + policy_yaml("x", "q", "db"), kLater);
    EXPECT_EQ(key_of(set.take_change().upserts.at(0)), policy_key("x", "q"));
    ManifestStatus status = set.status();
    ASSERT_EQ(status.kept.size(), 1U);
    EXPECT_EQ(status.kept[0].key, policy_key("x", "p"));
    EXPECT_EQ(status.kept[0].since, kLater);
    EXPECT_THAT(status.kept[0].why, HasSubstr("unknown protocol"));
    EXPECT_EQ(status.objects[static_cast<std::size_t>(Kind::kNetworkPolicy)], 2U);
    // Corrected to what it was: nothing changes in force.
    set.update("a", policy_yaml("x", "p"), kLater);
    const Change change = set.take_change();
    EXPECT_TRUE(change.upserts.empty());
    EXPECT_EQ(change.erasures, std::vector{policy_key("x", "q")});
    EXPECT_TRUE(set.status().kept.empty());
    // Its document goes while it is invalid.
    set.update("a", bad_policy_yaml("x", "p"), kLater);
    EXPECT_TRUE(set.take_change().is_empty());
    set.update("a", "", kLater);
    EXPECT_EQ(set.take_change().erasures, std::vector{policy_key("x", "p")});
}

TEST(ManifestSet, WhatCannotBeIdentifiedKeepsEverythingOfItsFile) {
    for (const std::string& text :
         {std::string(kBroken), policy_yaml("x", "P"), std::string("kind: NetworkPolicy\n"),
          policy_yaml("x", "q") + "---\n" + kBroken}) {
        ManifestSet set;
        set.update("a", policy_yaml("x", "p"), kNow);
        static_cast<void>(set.take_change());
        set.update("a", text, kNow);
        EXPECT_TRUE(set.take_change().erasures.empty()) << text;
        EXPECT_EQ(set.status().kept.size(), 1U) << text;
        set.remove("a");
        EXPECT_THAT(set.take_change().erasures, testing::Contains(policy_key("x", "p"))) << text;
    }
}

TEST(ManifestSet, AnUnreadableFileKeepsItsObjects) {
    ManifestSet set;
    set.update("a", policy_yaml("x", "p"), kNow);
    static_cast<void>(set.take_change());
    set.fail("a", "cannot be opened: Permission denied", kLater);
    EXPECT_TRUE(set.take_change().is_empty());
    EXPECT_EQ(set.status().kept.at(0).why, "cannot be opened: Permission denied");
    set.update("a", policy_yaml("x", "p"), kLater);
    EXPECT_TRUE(set.take_change().is_empty());
    EXPECT_TRUE(set.status().kept.empty());
    EXPECT_TRUE(set.status().problems.empty());
}

TEST(ManifestSet, AnObjectThatMovesBetweenFilesDoesNotVanish) {
    for (const bool is_removed_first : {true, false}) {
        ManifestSet set;
        set.update("a", policy_yaml("x", "p"), kNow);
        static_cast<void>(set.take_change());
        if (is_removed_first) set.remove("a");
        set.update("b", policy_yaml("x", "p"), kNow);
        if (!is_removed_first) set.remove("a");
        const Change change = set.take_change();
        EXPECT_TRUE(change.erasures.empty());
        ASSERT_EQ(change.upserts.size(), 1U);
        EXPECT_EQ(origin_of(change.upserts[0]).file.get(), "b");
    }
}

TEST(ManifestSet, OfDuplicatesTheFirstByPathAndPositionWins) {
    ManifestSet set;
    set.update("b", policy_yaml("x", "p", "second"), kNow);
    EXPECT_EQ(selected_label(set.take_change().upserts.at(0)), "second");
    set.update("a", policy_yaml("x", "p", "first") + "---\n" + policy_yaml("x", "p", "third"),
               kNow);
    EXPECT_EQ(selected_label(set.take_change().upserts.at(0)), "first");
    const std::vector<Problem> problems = set.status().problems;
    ASSERT_EQ(problems.size(), 2U);
    EXPECT_EQ(problems[0].file, "a");
    EXPECT_EQ(problems[0].line, 9U);
    EXPECT_THAT(problems[0].what, HasSubstr("line 1"));
    EXPECT_EQ(problems[1].file, "b");
    EXPECT_THAT(problems[1].what, HasSubstr("a:1"));
    set.remove("a");
    EXPECT_EQ(selected_label(set.take_change().upserts.at(0)), "second");
    EXPECT_TRUE(set.status().problems.empty());
}

TEST(ManifestSet, OneNoticePerIgnoredKind) {
    ManifestSet set;
    const std::string deployment = "{apiVersion: apps/v1, kind: Deployment, metadata: {name: d}}\n";
    set.update("a", deployment + "---\n" + deployment, kNow);
    set.update("b", deployment, kNow);
    static_cast<void>(set.take_change());
    const std::vector<Problem> problems = set.take_problems();
    ASSERT_EQ(problems.size(), 1U);
    EXPECT_EQ(problems[0].severity, Severity::kNotice);
    EXPECT_THAT(set.status().problems.at(0).what, HasSubstr("Deployment (apps/v1) are ignored: 3"));
}

class StoredManifestSet : public testing::Test {
protected:
    StoredManifestSet() : store_(*ManifestStore::open(folder_.path("state/manifests"))) {}

    // What a restarted agent has in force when it finds this content (nothing: unreadable).
    Change restart(const char* file, std::optional<std::string> content, Time now = kLater) {
        set_.emplace(&store_);
        if (content) {
            set_->update(file, *content, now);
        } else {
            set_->fail(file, "unreadable", now);
        }
        Change change = set_->take_change();
        set_->save();
        return change;
    }

    TemporaryFolder folder_;
    ManifestStore store_;
    std::optional<ManifestSet> set_;
};

TEST_F(StoredManifestSet, TheLastValidVersionSurvivesRestarts) {
    const std::string both = policy_yaml("x", "p", "one") + "---\n" + policy_yaml("x", "q");
    EXPECT_EQ(restart("a", both).upserts.size(), 2U);
    EXPECT_EQ(restart("a", kBroken).upserts.size(), 2U);
    EXPECT_EQ(restart("a", std::nullopt).upserts.size(), 2U);
    // Invalid, with one of the two documents gone.
    Change change = restart("a", bad_policy_yaml("x", "p"), Time{std::chrono::seconds(3000)});
    ASSERT_EQ(change.upserts.size(), 1U);
    EXPECT_EQ(selected_label(change.upserts[0]), "one");
    EXPECT_EQ(origin_of(change.upserts[0]).line, 1U);
    change = restart("a", bad_policy_yaml("x", "p") + "# again\n");
    ASSERT_EQ(change.upserts.size(), 1U);
    ASSERT_EQ(set_->status().kept.size(), 1U);
    EXPECT_EQ(set_->status().kept[0].since, kLater); // kept in the syntax error already
    // Corrected: what was kept is forgotten.
    EXPECT_EQ(restart("a", policy_yaml("x", "q")).upserts.size(), 1U);
    change = restart("a", kBroken);
    ASSERT_EQ(change.upserts.size(), 1U);
    EXPECT_EQ(key_of(change.upserts[0]), policy_key("x", "q"));
}

TEST_F(StoredManifestSet, AnObjectOfALaterDocumentKeepsItsLine) {
    const std::string first = policy_yaml("x", "p");
    restart("a", first + "---\n" + policy_yaml("x", "q"));
    restart("a", first + "---\n" + bad_policy_yaml("x", "q"));
    const Change change = restart("a", first + "---\n" + bad_policy_yaml("x", "q"));
    ASSERT_EQ(change.upserts.size(), 2U);
    EXPECT_EQ(set_->status().kept.at(0).origin.line, 9U);
}

TEST_F(StoredManifestSet, AKeptVersionIsNeverTheOlderOfTwo) {
    restart("a", policy_yaml("x", "p", "one"));
    set_->update("a", policy_yaml("x", "p", "two"), kNow); // not saved yet ...
    set_->update("a", bad_policy_yaml("x", "p"), kNow);    // ... when it becomes invalid
    static_cast<void>(set_->take_change());
    set_->save();
    EXPECT_EQ(selected_label(restart("a", kBroken).upserts.at(0)), "two");
}

TEST_F(StoredManifestSet, FilesArePrivateSmallInNumberAndForgotten) {
    restart("a", policy_yaml("x", "p"));
    set_->update("b", policy_yaml("x", "q"), kNow);
    set_->save();
    std::size_t count = 0;
    for (const auto& entry : std::filesystem::directory_iterator(folder_.path("state/manifests"))) {
        struct stat info{};
        ASSERT_EQ(::stat(entry.path().c_str(), &info), 0);
        EXPECT_EQ(info.st_mode & 0777, 0600U);
        ++count;
    }
    EXPECT_EQ(count, 2U);
    set_->remove("a");
    store_.retain({"c"});
    EXPECT_TRUE(store_.files().empty());
    EXPECT_TRUE(restart("a", kBroken).is_empty());
}

TEST_F(StoredManifestSet, ADamagedStoreIsReportedAndEndsNothing) {
    restart("a", policy_yaml("x", "p"));
    for (const auto& entry : std::filesystem::directory_iterator(folder_.path("state/manifests"))) {
        std::filesystem::resize_file(entry.path(), 10);
    }
    EXPECT_TRUE(restart("a", kBroken).is_empty());
    EXPECT_GE(set_->take_problems().size(), 2U);
    EXPECT_EQ(restart("a", policy_yaml("x", "p")).upserts.size(), 1U);
}

} // namespace
} // namespace weir
