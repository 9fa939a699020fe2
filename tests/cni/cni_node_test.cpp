// SPDX-License-Identifier: Apache-2.0
// What happens to a node: many pods at once, pods that were there before, programs that somebody
// takes off, and who else writes its CNI configuration.
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <filesystem>
#include <future>
#include <nlohmann/json.hpp>

#include "tests/cni/cni_fixture.h"

namespace weir {
namespace {

using nlohmann::json;
using Names = std::vector<std::string>;
namespace fs = std::filesystem;

class CniNodeTest : public CniTest {
protected:
    // Pods without a plugin that makes their interfaces: what is measured is weir-cni.
    std::vector<Sandbox> make_bare(int count) {
        std::string lines;
        json items = json::array();
        std::vector<Sandbox> sandboxes;
        for (int i = 0; i < count; ++i) {
            const std::string n = std::to_string(i);
            lines += "link add pod" + n + " type veth peer name eth" + n + " netns " +
                     crowd_.name() + "\nlink set pod" + n + " up\n";
            sandboxes.push_back({.container = "bare" + n,
                                 .ns = "shop",
                                 .name = "pod" + n,
                                 .uid = {},
                                 .netns = crowd_.path(),
                                 .interface = "eth" + n});
            items.push_back({{"apiVersion", "v1"},
                             {"kind", "Pod"},
                             {"metadata", {{"namespace", "shop"}, {"name", "pod" + n}}},
                             {"spec", {{"nodeName", "n1"}}}});
        }
        bridged_.netns->ip(lines);
        lab_.write_manifest("crowd.json",
                            json{{"apiVersion", "v1"}, {"kind", "List"}, {"items", items}}.dump());
        return sandboxes;
    }

    static json result_of(const Sandbox& sandbox, int number) {
        const std::string n = std::to_string(number);
        return {{"cniVersion", "1.0.0"},
                {"interfaces",
                 json::array({{{"name", sandbox.interface}, {"sandbox", sandbox.netns}}})},
                {"ips", json::array({{{"address", "10.9.0." + n + "/24"}, {"interface", 0}},
                                     {{"address", "fd09::" + n + "/64"}, {"interface", 0}}})}};
    }

    CniRuntime runtime_{bridged_, bridge_conflist(bridged_, 1, "1.0.0")};
    Netns crowd_{"crowd"};
};

TEST_F(CniNodeTest, TwoHundredAtOnce) {
    constexpr int kPods = 200;
    const auto sandboxes = make_bare(kPods);
    bridged_.start_agent();
    std::vector<std::future<CniOutcome>> adding;
    for (int i = 0; i < kPods; ++i)
        adding.push_back(std::async(std::launch::async, [&, i] {
            return runtime_.add_to(result_of(sandboxes[static_cast<std::size_t>(i)], i % 250 + 1),
                                   sandboxes[static_cast<std::size_t>(i)]);
        }));
    int added = 0;
    for (auto& outcome : adding) {
        const CniOutcome done = outcome.get();
        added += done.is_ok ? 1 : 0;
        if (!done.is_ok) ADD_FAILURE() << done.result;
    }
    EXPECT_EQ(added, kPods);
    const json status = bridged_.weir_json({"status"});
    EXPECT_EQ(status["endpoints"], kPods);
    EXPECT_EQ(status["hooks_attached"], kPods * 2);
    EXPECT_TRUE(status["unknown_pods"].empty());
    // The addresses of the result are the pod's, though its interface has none.
    const json listed = bridged_.weir_json({"endpoint", "list"})["endpoints"];
    EXPECT_NE(listed[0]["addresses"].dump().find("10.9.0."), std::string::npos);
    EXPECT_NE(listed[0]["addresses"].dump().find("fd09::"), std::string::npos);
}

// The figure is for the bench's reader; on a machine that is busy otherwise it says nothing.
TEST_F(CniNodeTest, AddIsQuick) {
    constexpr int kPods = 110;
    const auto sandboxes = make_bare(kPods);
    bridged_.start_agent();
    std::vector<double> milliseconds;
    for (int i = 0; i < kPods; ++i) {
        const auto& sandbox = sandboxes[static_cast<std::size_t>(i)];
        const CniOutcome outcome = runtime_.add_to(result_of(sandbox, i + 1), sandbox);
        ASSERT_TRUE(outcome.is_ok) << outcome.result;
        milliseconds.push_back(static_cast<double>(outcome.last.count()) / 1000);
    }
    std::ranges::sort(milliseconds);
    std::printf("weir-cni ADD, 110 pods one after the other: p50 %.1f ms, p99 %.1f ms (limit 15)\n",
                milliseconds[kPods / 2], milliseconds[kPods - 2]);
    RecordProperty("cni_add_p50_ms", std::to_string(milliseconds[kPods / 2]));
    RecordProperty("cni_add_p99_ms", std::to_string(milliseconds[kPods - 2]));
    EXPECT_LT(milliseconds[kPods / 2], 100);
}

TEST_F(CniNodeTest, PodsThatWereThereAreProtected) {
    json without = runtime_.conflist();
    without["plugins"].erase(1);
    CniRuntime earlier(bridged_, without);
    lab_.write_manifest("policy.yaml", kOnlyClients);
    const Pod server = start(earlier, "server", "server");
    const Pod stranger = start(earlier, "stranger", "other");
    EXPECT_EQ(reach(stranger, server), "46");
    bridged_.start_agent({"--cni-cache-dir", earlier.cache_directory()});
    EXPECT_EQ(endpoints(bridged_), (Names{"server", "stranger"}));
    EXPECT_EQ(reach(stranger, server), "none");
    EXPECT_EQ(reach(server, stranger), "46");
    // The runtime's DEL and GC know them from here on.
    EXPECT_TRUE(runtime_.check(server.sandbox).is_ok);
    EXPECT_TRUE(runtime_.gc({server.sandbox}).is_ok);
    EXPECT_EQ(endpoints(bridged_), (Names{"server"}));
    EXPECT_TRUE(runtime_.del(server.sandbox).is_ok);
    EXPECT_EQ(endpoints(bridged_), Names{});
}

TEST_F(CniNodeTest, LostProgramsAreAttachedAgain) {
    lab_.write_manifest("policy.yaml", kOnlyClients);
    bridged_.start_agent();
    const Pod server = start(runtime_, "server", "server");
    const Pod stranger = start(runtime_, "stranger", "other");
    EXPECT_EQ(reach(stranger, server), "none");
    const auto detach_all = [&] {
        int detached = 0;
        for (const auto& entry : fs::recursive_directory_iterator(bridged_.bpffs())) {
            const std::string pin = entry.path().filename();
            if (!pin.ends_with("-ingress") && !pin.ends_with("-egress")) continue;
            const auto done =
                run_command({"/usr/sbin/bpftool", "link", "detach", "pinned", entry.path()});
            detached += done.ok() ? 1 : 0;
        }
        return detached;
    };
    ::kill(bridged_.agent_pid(), SIGSTOP);
    EXPECT_EQ(detach_all(), 4);
    EXPECT_EQ(reach(stranger, server), "46") << "that is what it costs";
    ::kill(bridged_.agent_pid(), SIGCONT);
    const auto is_mended = [&] { return bridged_.metric("weir_hooks_mended_total") == 2; };
    EXPECT_TRUE(eventually(is_mended, std::chrono::seconds(8)));
    EXPECT_EQ(reach(stranger, server), "none");
    EXPECT_TRUE(runtime_.check(server.sandbox).is_ok);
    EXPECT_EQ(bridged_.weir_json({"status"})["hooks_mended"], "2");
    EXPECT_EQ(detach_all(), 4); // it takes seconds until the agent looks again
    const CniOutcome checked = runtime_.check(server.sandbox);
    EXPECT_EQ(checked.code(), 100) << checked.failed << checked.result;
}

TEST_F(CniNodeTest, ChainIsKeptUntilItIsTakenOut) {
    const std::string conf_dir = bridged_.directory() + "/net.d";
    const std::string bin_dir = bridged_.directory() + "/bin";
    const std::string conflist = conf_dir + "/10-cluster.conflist";
    fs::create_directory(conf_dir);
    fs::create_directory(bin_dir);
    json without = runtime_.conflist();
    without["plugins"].erase(1);
    const std::string original = without.dump(3) + "\n\n";
    const auto is_chained = [&] {
        const json list = json::parse(read_file(conflist), nullptr, false);
        return list["plugins"].back() ==
               json{{"type", "weir-cni"}, {"socket", bridged_.run_directory() + "/cni.sock"}};
    };
    // Before there is a configuration.
    bridged_.start_agent({"--cni-conf-dir", conf_dir, "--cni-bin-dir", bin_dir});
    EXPECT_TRUE(fs::exists(bin_dir + "/weir-cni"));
    EXPECT_EQ(bridged_.metric("weir_cni_chained"), 0);
    write_file(conflist, original);
    EXPECT_TRUE(eventually(is_chained));
    write_file(conflist, original); // the cluster's CNI was upgraded
    EXPECT_TRUE(eventually(is_chained));
    EXPECT_TRUE(eventually([&] { return bridged_.metric("weir_cni_chain_mended_total") == 1; }));
    EXPECT_EQ(bridged_.metric("weir_cni_chained"), 1);

    const Arguments uninstall = {"uninstall", "--cni-conf-dir", conf_dir, "--cni-bin-dir", bin_dir};
    const auto refused = bridged_.weir(uninstall);
    EXPECT_EQ(refused.status, 1);
    EXPECT_NE(refused.err.find("stop it first"), std::string::npos) << refused.err;
    EXPECT_EQ(bridged_.stop_agent(), 0);
    EXPECT_TRUE(is_chained()) << "pods must not start without policy meanwhile";
    EXPECT_TRUE(bridged_.weir(uninstall).ok());
    EXPECT_EQ(read_file(conflist), original);
    EXPECT_FALSE(fs::exists(bin_dir + "/weir-cni"));
}

} // namespace
} // namespace weir
