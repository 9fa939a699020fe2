// SPDX-License-Identifier: Apache-2.0
// The bash script is run by bash itself; zsh and fish need not be installed.
#include "agent/cli/completion.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <array>
#include <cstdio>
#include <fstream>
#include <sstream>

#include "agent/cli/tree.h"

namespace weir::cli {
namespace {

class CompletionTest : public testing::Test {
protected:
    CompletionTest() : tree_(command_tree(options_)) {}

    void SetUp() override {
        script_ = testing::TempDir() + "weir-completion-" + std::to_string(::getpid());
        std::ofstream(script_) << bash_completion(*tree_);
    }
    void TearDown() override { std::remove(script_.c_str()); }

    // What bash offers after these words; the last one is being written.
    std::vector<std::string> offers(const std::string& words) {
        const std::string command = "bash --norc -c 'source " + script_ + "; COMP_WORDS=(" + words +
                                    "); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _weir; "
                                    "printf \"%s\\n\" \"${COMPREPLY[@]}\"'";
        std::vector<std::string> lines;
        FILE* pipe = ::popen(command.c_str(), "r");
        std::array<char, 256> line{};
        while (std::fgets(line.data(), line.size(), pipe) != nullptr) {
            std::string text = line.data();
            text.pop_back();
            if (!text.empty()) lines.push_back(text);
        }
        EXPECT_EQ(::pclose(pipe), 0);
        return lines;
    }

    Options options_;
    std::unique_ptr<CLI::App> tree_;
    std::string script_;
};

TEST_F(CompletionTest, BashTakesTheScript) {
    EXPECT_EQ(std::system(("bash -n " + script_).c_str()), 0);
}

TEST_F(CompletionTest, OffersCommands) {
    EXPECT_THAT(offers("weir \"\""),
                testing::IsSupersetOf({"status", "endpoint", "flows", "check"}));
    EXPECT_THAT(offers("weir st"), testing::ElementsAre("status"));
    EXPECT_THAT(offers("weir endpoint \"\""),
                testing::UnorderedElementsAre("add", "remove", "list"));
}

TEST_F(CompletionTest, OffersOptionsOfTheCommandAndTheGlobalOnes) {
    const auto options = offers("weir endpoint add --");
    EXPECT_THAT(options, testing::IsSupersetOf({"--netns", "--interface", "--run-dir", "--help"}));
    EXPECT_THAT(options, testing::Not(testing::Contains("--follow")));
}

TEST_F(CompletionTest, OffersTheWordsOfAnOption) {
    EXPECT_THAT(offers("weir status -o \"\""), testing::UnorderedElementsAre("table", "json"));
    EXPECT_THAT(offers("weir flows --verdict d"), testing::ElementsAre("deny"));
}

TEST_F(CompletionTest, LeavesFilesToTheShell) {
    EXPECT_THAT(offers("weir check \"\""), testing::IsEmpty());
    EXPECT_THAT(offers("weir endpoint add --netns \"\""), testing::IsEmpty());
}

TEST_F(CompletionTest, OtherShellsGetTheSameTree) {
    EXPECT_THAT(zsh_completion(*tree_), testing::HasSubstr("weir endpoint add"));
    EXPECT_THAT(fish_completion(*tree_), testing::HasSubstr("-l netns -r"));
    EXPECT_THAT(fish_completion(*tree_), testing::HasSubstr("-f -a 'allow deny audit'"));
}

} // namespace
} // namespace weir::cli
