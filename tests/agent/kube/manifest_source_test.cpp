// SPDX-License-Identifier: Apache-2.0
// The watch on a real directory. Each test runs the source's io_context until what it waits for is
// in force, or long enough to say that nothing happens.
#include "agent/kube/manifest_source.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <filesystem>
#include <fstream>
#include <map>

#include "loader/fd.h"
#include "tests/agent/kube/manifest_support.h"

namespace weir {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using testing::HasSubstr;

class WatchedFolder : public testing::Test {
protected:
    WatchedFolder() { fs::create_directories(dir()); }

    std::string dir(std::string_view below = {}) const {
        return folder_.path(below.empty() ? "dir" : "dir/" + std::string(below));
    }

    Result<> start() {
        in_force_.clear();
        source_ = std::make_unique<ManifestSource>(
            context_, ManifestOptions{dir(), folder_.path("state"), 10ms, 50ms},
            [this](Change change) { take(change); },
            [this](const Problem& problem) { problems_.push_back(problem); });
        return source_->start();
    }

    void take(const Change& change) {
        ++changes_;
        for (const Object& object : change.upserts) {
            in_force_[to_string(key_of(object))] =
                std::holds_alternative<NetworkPolicy>(object) ? selected_label(object) : "";
        }
        for (const ObjectKey& key : change.erasures)
            in_force_.erase(to_string(key));
    }

    // Runs until the policy selects this label ("": is gone).
    bool becomes(const std::string& policy, const std::string& label,
                 std::chrono::milliseconds limit = 5s) {
        const auto is_so = [&] {
            const auto found = in_force_.find("NetworkPolicy " + policy);
            return found == in_force_.end() ? label.empty() : found->second == label;
        };
        const auto end = std::chrono::steady_clock::now() + limit;
        while (!is_so() && std::chrono::steady_clock::now() < end) {
            context_.restart();
            context_.run_for(5ms);
        }
        return is_so();
    }

    void settle() {
        context_.restart();
        context_.run_for(150ms);
    }

    TemporaryFolder folder_;
    boost::asio::io_context context_;
    std::unique_ptr<ManifestSource> source_;
    std::map<std::string, std::string> in_force_;
    std::vector<Problem> problems_;
    int changes_ = 0;
};

TEST_F(WatchedFolder, FirstChangeIsTheWholeDirectory) {
    folder_.write("dir/a.yaml", policy_yaml("x", "a"));
    folder_.write("dir/sub/deep/b.yaml", policy_yaml("x", "b"));
    ASSERT_TRUE(start());
    EXPECT_EQ(changes_, 1);
    EXPECT_EQ(in_force_.size(), 2U);
    EXPECT_TRUE(source_->status().has_synced);
    EXPECT_FALSE(source_->status().away);
}

TEST_F(WatchedFolder, AnEmptyDirectoryIsAChangeAndAMissingOneAnError) {
    ASSERT_TRUE(start());
    EXPECT_EQ(changes_, 1);
    fs::remove_all(dir());
    const Result<> missing = start();
    ASSERT_FALSE(missing);
    EXPECT_THAT(missing.error().what, HasSubstr("create the directory"));
}

TEST_F(WatchedFolder, FollowsWritesRenamesAndDeletions) {
    ASSERT_TRUE(start());
    folder_.write("dir/a.yaml", policy_yaml("x", "p", "one"));
    EXPECT_TRUE(becomes("x/p", "one"));
    folder_.write("dir/a.yaml", policy_yaml("x", "p", "two"));
    EXPECT_TRUE(becomes("x/p", "two"));
    fs::rename(folder_.write("dir/.a.yaml.tmp", policy_yaml("x", "p", "three")), dir("a.yaml"));
    EXPECT_TRUE(becomes("x/p", "three"));
    fs::rename(dir("a.yaml"), dir("a.txt"));
    EXPECT_TRUE(becomes("x/p", ""));
    fs::create_hard_link(dir("a.txt"), dir("b.yaml"));
    EXPECT_TRUE(becomes("x/p", "three"));
    fs::remove(dir("b.yaml"));
    EXPECT_TRUE(becomes("x/p", ""));
}

TEST_F(WatchedFolder, FollowsFoldersThatComeMoveAndGo) {
    ASSERT_TRUE(start());
    folder_.write("dir/a/b/p.yaml", policy_yaml("x", "p"));
    EXPECT_TRUE(becomes("x/p", "web"));
    fs::rename(dir("a"), dir("c"));
    settle();
    EXPECT_TRUE(becomes("x/p", "web"));
    folder_.write("dir/c/b/p.yaml", policy_yaml("x", "p", "db"));
    EXPECT_TRUE(becomes("x/p", "db"));
    fs::rename(dir("c"), folder_.path("outside"));
    EXPECT_TRUE(becomes("x/p", ""));
    fs::rename(folder_.path("outside"), dir("d"));
    EXPECT_TRUE(becomes("x/p", "db"));
    fs::remove_all(dir("d"));
    EXPECT_TRUE(becomes("x/p", ""));
}

TEST_F(WatchedFolder, AHalfWrittenFileIsNeverRead) {
    folder_.write("dir/a.yaml", policy_yaml("x", "p", "one"));
    const std::string text = policy_yaml("x", "p", "two") + "---\n" + policy_yaml("x", "q");
    for (const bool starts_late : {false, true}) {
        if (!starts_late) {
            ASSERT_TRUE(start());
        }
        Fd writer(::open(dir("a.yaml").c_str(), O_WRONLY | O_TRUNC));
        ASSERT_EQ(::write(writer.value(), text.data(), 230), 230);
        if (starts_late) { // an agent that starts while it is written
            ASSERT_TRUE(start());
        }
        fs::permissions(dir("a.yaml"), fs::perms::owner_all); // an event that is no close
        settle();
        EXPECT_EQ(in_force_.size(), 1U);
        EXPECT_TRUE(becomes("x/p", starts_late ? "two" : "one", 100ms));
        ASSERT_GT(::write(writer.value(), text.data() + 230, text.size() - 230), 0);
        writer = Fd();
        EXPECT_TRUE(becomes("x/q", "web"));
        folder_.write("dir/a.yaml", policy_yaml("x", "p", "two"));
        EXPECT_TRUE(becomes("x/q", ""));
    }
}

TEST_F(WatchedFolder, AConfigMapSwapIsOneChange) {
    folder_.write("dir/..1/a.yaml", policy_yaml("x", "p", "one"));
    folder_.write("dir/..1/b.yaml", policy_yaml("x", "q", "one"));
    folder_.write("dir/..2/a.yaml", policy_yaml("x", "p", "two"));
    folder_.write("dir/..2/b.yaml", policy_yaml("x", "q", "two"));
    fs::create_symlink("..1", dir("..data"));
    fs::create_symlink("..data/a.yaml", dir("a.yaml"));
    fs::create_symlink("..data/b.yaml", dir("b.yaml"));
    ASSERT_TRUE(start());
    EXPECT_EQ(in_force_.size(), 2U);
    fs::create_symlink("..2", dir("..data_tmp"));
    fs::rename(dir("..data_tmp"), dir("..data"));
    fs::remove_all(dir("..1"));
    EXPECT_TRUE(becomes("x/p", "two"));
    EXPECT_TRUE(becomes("x/q", "two", 0ms));
    settle();
    EXPECT_EQ(changes_, 2);
}

TEST_F(WatchedFolder, ALinkedFileIsFollowedToItsTarget) {
    const std::string target = folder_.write("elsewhere/p", policy_yaml("x", "p", "one"));
    fs::create_symlink(target, dir("a.yaml"));
    fs::create_symlink(target, dir("b.yaml"));
    ASSERT_TRUE(start());
    EXPECT_TRUE(becomes("x/p", "one"));
    folder_.write("elsewhere/p", policy_yaml("x", "p", "two"));
    EXPECT_TRUE(becomes("x/p", "two"));
    fs::rename(folder_.write("elsewhere/n", policy_yaml("x", "p", "three")), target);
    EXPECT_TRUE(becomes("x/p", "three"));
    fs::remove(target); // dangling: unreadable, not deleted
    settle();
    EXPECT_TRUE(becomes("x/p", "three"));
    EXPECT_EQ(source_->status().kept.size(), 1U);
    fs::remove(dir("a.yaml"));
    fs::remove(dir("b.yaml"));
    EXPECT_TRUE(becomes("x/p", ""));
}

TEST_F(WatchedFolder, InvalidStaysInForceAcrossARestart) {
    folder_.write("dir/a.yaml", policy_yaml("x", "p", "one"));
    folder_.write("dir/b.yaml", policy_yaml("x", "q", "one"));
    ASSERT_TRUE(start());
    folder_.write("dir/a.yaml", bad_policy_yaml("x", "p"));
    settle();
    EXPECT_TRUE(becomes("x/p", "one"));
    ASSERT_FALSE(problems_.empty());
    source_.reset();
    fs::remove(dir("b.yaml")); // deleted while the agent is away
    ASSERT_TRUE(start());
    EXPECT_EQ(in_force_.size(), 1U);
    EXPECT_TRUE(becomes("x/p", "one"));
    EXPECT_EQ(source_->status().kept.size(), 1U);
    fs::remove(dir("a.yaml"));
    EXPECT_TRUE(becomes("x/p", ""));
}

TEST_F(WatchedFolder, ADirectoryThatVanishesKeepsItsStateAndIsPickedUpAgain) {
    folder_.write("dir/a.yaml", policy_yaml("x", "p", "one"));
    folder_.write("dir/b.yaml", policy_yaml("x", "q", "one"));
    ASSERT_TRUE(start());
    fs::rename(dir(), folder_.path("away"));
    settle();
    EXPECT_EQ(in_force_.size(), 2U);
    EXPECT_TRUE(source_->status().away);
    ASSERT_FALSE(problems_.empty());
    EXPECT_THAT(problems_.back().what, HasSubstr("vanished"));
    fs::remove(folder_.path("away/b.yaml"));
    fs::rename(folder_.path("away"), dir());
    EXPECT_TRUE(becomes("x/q", ""));
    EXPECT_FALSE(source_->status().away);
    folder_.write("dir/a.yaml", policy_yaml("x", "p", "two"));
    EXPECT_TRUE(becomes("x/p", "two"));
}

TEST_F(WatchedFolder, ADirectoryThatIsReplacedIsReadAnew) {
    folder_.write("dir/a.yaml", policy_yaml("x", "p", "one"));
    ASSERT_TRUE(start());
    folder_.write("new/a.yaml", policy_yaml("x", "p", "two"));
    fs::rename(dir(), folder_.path("old"));
    fs::rename(folder_.path("new"), dir());
    EXPECT_TRUE(becomes("x/p", "two"));
    folder_.write("old/a.yaml", policy_yaml("x", "p", "three"));
    settle();
    EXPECT_TRUE(becomes("x/p", "two"));
}

TEST_F(WatchedFolder, AThousandFilesAreFewChanges) {
    ASSERT_TRUE(start());
    for (int i = 0; i < 1000; ++i) {
        folder_.write("dir/" + std::to_string(i) + ".yaml",
                      policy_yaml("x", "p" + std::to_string(i)));
    }
    EXPECT_TRUE(becomes("x/p999", "web"));
    EXPECT_EQ(in_force_.size(), 1000U);
    EXPECT_LE(changes_, 3);
}

// The queue runs over while nobody reads it: the event of late.yaml is lost.
TEST_F(WatchedFolder, AnOverflowOfTheQueueLosesNothing) {
    ASSERT_TRUE(start());
    int queue = 0;
    std::ifstream("/proc/sys/fs/inotify/max_queued_events") >> queue;
    ASSERT_GT(queue, 0);
    const std::string one = folder_.write("dir/1.txt", "");
    const std::string two = dir("2.txt");
    for (int events = 0; events <= queue + 100; events += 4) { // two for each rename
        ASSERT_EQ(::rename(one.c_str(), two.c_str()), 0);
        ASSERT_EQ(::rename(two.c_str(), one.c_str()), 0);
    }
    folder_.write("dir/late.yaml", policy_yaml("x", "late"));
    EXPECT_TRUE(becomes("x/late", "web"));
}

TEST_F(WatchedFolder, StoppedMeansQuiet) {
    ASSERT_TRUE(start());
    folder_.write("dir/a.yaml", policy_yaml("x", "p"));
    source_->stop();
    settle();
    EXPECT_EQ(changes_, 1);
    source_.reset();
    settle();
}

} // namespace
} // namespace weir
