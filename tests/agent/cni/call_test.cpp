// SPDX-License-Identifier: Apache-2.0
// Both ends of the socket.
#include "agent/cni/call.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <boost/asio/io_context.hpp>
#include <cstdlib>
#include <filesystem>
#include <future>
#include <thread>

#include "agent/cni/server.h"

namespace weir {
namespace {

struct CallTest : ::testing::Test {
    CallTest() {
        auto started = CniServer::start(
            context, directory,
            [this](const CniRequest& request, std::function<void(const CniReply&)> done) {
                if (request.command == "LATE" || request.pod_name == "late") {
                    late.push_back(std::move(done));
                } else if (request.command == "GC") {
                    done(std::unexpected(
                        CniError{11, std::to_string(request.valid.size()), "details"}));
                } else {
                    done({});
                }
            });
        server = std::move(started.value());
        thread = std::thread([this] { context.run(); });
    }
    ~CallTest() override {
        context.stop();
        if (thread.joinable()) thread.join();
        server.reset();
        std::filesystem::remove_all(directory);
    }

    auto call(const CniRequest& request, std::chrono::milliseconds timeout = patience) {
        return call_agent(directory + "/cni.sock", request, timeout);
    }

    static constexpr std::chrono::milliseconds patience{5000};
    std::string directory = [] {
        char path[] = "/tmp/weir-call-XXXXXX";
        return std::string(::mkdtemp(path));
    }();
    boost::asio::io_context context;
    std::vector<std::function<void(const CniReply&)>> late;
    std::unique_ptr<CniServer> server;
    std::thread thread;
};

TEST_F(CallTest, IsAnswered) {
    struct stat status{};
    ASSERT_EQ(::stat((directory + "/cni.sock").c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777, 0600u);
    const auto done = call({.command = "STATUS"});
    ASSERT_TRUE(done) << done.error();
    EXPECT_TRUE(*done);
    // More than fits into the socket's buffer at once.
    CniRequest garbage{.command = "GC"};
    garbage.valid.assign(20'000, {std::string(64, 'a'), "eth0"});
    const auto refused = call(garbage);
    ASSERT_TRUE(refused) << refused.error();
    EXPECT_EQ(refused->error(), (CniError{11, "20000", "details"}));
}

TEST_F(CallTest, WaitsUntilItsTimeIsUp) {
    const auto timed_out = call({.command = "LATE"}, std::chrono::milliseconds(50));
    ASSERT_FALSE(timed_out);
    EXPECT_EQ(timed_out.error(), "Connection timed out");
    EXPECT_FALSE(call_agent("/nonexistent/cni.sock", {}, patience));
    EXPECT_FALSE(call_agent(std::string(200, 'x'), {}, patience));
}

// One agent takes over from another: what the first has not answered, the second does.
TEST_F(CallTest, AnAddOutlivesTheAgentThatWasAsked) {
    const CniRequest add{.command = "ADD", .pod_name = "late"};
    auto asked = std::async(std::launch::async, [&] { return call(add); });
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    context.stop();
    thread.join();
    late.clear(); // its connections go with it
    server.reset();
    std::filesystem::remove(directory + "/cni.sock");
    EXPECT_EQ(asked.wait_for(std::chrono::milliseconds(200)), std::future_status::timeout);
    boost::asio::io_context second;
    const auto successor =
        CniServer::start(second, directory, [](const CniRequest&, const auto& done) { done({}); });
    ASSERT_TRUE(successor);
    std::thread runner([&] { second.run_for(patience); });
    const auto reply = asked.get();
    EXPECT_TRUE(reply && *reply) << (reply ? reply->error().message : reply.error());
    second.stop();
    runner.join();
}

TEST_F(CallTest, TooLongARequestIsCutOff) {
    CniRequest garbage{.command = "GC"};
    garbage.valid.assign(60'000, {std::string(64, 'a'), "eth0"});
    EXPECT_FALSE(call(garbage));
    EXPECT_TRUE(call({.command = "STATUS"}));
}

} // namespace
} // namespace weir
