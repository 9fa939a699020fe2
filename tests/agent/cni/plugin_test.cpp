// SPDX-License-Identifier: Apache-2.0
// What a container runtime sees of weir-cni, whatever the agent says.
#include "agent/cni/plugin.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace weir {
namespace {

using nlohmann::json;

constexpr const char* kArgs =
    "IgnoreUnknown=1;K8S_POD_NAMESPACE=shop;K8S_POD_NAME=web;K8S_POD_UID=0123;K8S_EMPTY=";

json previous() {
    return {{"cniVersion", "1.0.0"},
            {"interfaces", json::array({{{"name", "veth1"}},
                                        {{"name", "eth0"}, {"sandbox", "/run/netns/web"}},
                                        {{"name", "net1"}, {"sandbox", "/run/netns/web"}}})},
            {"ips", json::array({{{"address", "10.0.0.7/24"}, {"interface", 1}},
                                 {{"address", "fd00::7/64"}},
                                 {{"address", "10.0.0.8/24"}, {"interface", 0}},
                                 {{"address", "192.168.0.1/24"}, {"interface", 2}}})},
            {"dns", {{"nameservers", json::array({"10.96.0.10"})}}}};
}

json config() {
    return {{"cniVersion", "1.0.0"},
            {"name", "cluster"},
            {"type", "weir-cni"},
            {"socket", "/run/x/cni.sock"},
            {"prevResult", previous()}};
}

// Runs the plugin against an agent that answers as it is told.
struct PluginTest : ::testing::Test {
    json run(const std::string& command, const json& with) {
        PluginInput input{.command = command,
                          .container = container,
                          .netns = netns,
                          .interface = "eth0",
                          .args = args,
                          .config = with.is_string() ? with.get<std::string>() : with.dump()};
        asked.clear();
        const auto output = run_plugin(input, [&](const std::string& at, const CniRequest& request,
                                                  std::chrono::milliseconds patience) {
            socket = at;
            asked.push_back(request);
            timeout = patience;
            return reply;
        });
        status = output.status;
        text = output.text;
        return json::parse(output.text, nullptr, false);
    }
    int code(const std::string& command, const json& with) {
        const json answer = run(command, with);
        return status == 0 ? 0 : answer.value("code", -1);
    }

    std::string container = "abc";
    std::string netns = "/run/netns/web";
    std::string args = kArgs;
    std::expected<CniReply, std::string> reply = CniReply();

    std::vector<CniRequest> asked;
    std::string socket;
    std::chrono::milliseconds timeout{};
    std::string text;
    int status = -1;
};

TEST_F(PluginTest, AddAsksAndPassesTheResultOn) {
    EXPECT_EQ(run("ADD", config()), previous());
    EXPECT_EQ(status, 0);
    EXPECT_EQ(socket, "/run/x/cni.sock");
    EXPECT_GT(timeout, std::chrono::seconds(30));
    ASSERT_EQ(asked.size(), 1u);
    const CniRequest expected{.command = "ADD",
                              .network = "cluster",
                              .attachment = {"abc", "eth0"},
                              .netns = "/run/netns/web",
                              .pod_namespace = "shop",
                              .pod_name = "web",
                              .pod_uid = "0123",
                              .addresses = {"10.0.0.7", "fd00::7", "10.0.0.8"},
                              .timeout_ms = 30'000};
    EXPECT_EQ(asked[0], expected);
    EXPECT_EQ(decode_request(encode(asked[0])), asked[0]);
    // In the order of the plugin before.
    run("ADD", json(R"({"prevResult": {"cniVersion": "1.0.0", "z": 1, "a": {"d": [], "c": 2}},
                        "name": "cluster", "cniVersion": "1.0.0"})"));
    std::erase_if(text, [](char c) { return c == ' ' || c == '\n'; });
    EXPECT_EQ(text, R"({"cniVersion":"1.0.0","z":1,"a":{"d":[],"c":2}})");
}

TEST_F(PluginTest, EveryVersionOfTheSpecification) {
    for (const char* version : {"0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"}) {
        json versioned = config();
        versioned["cniVersion"] = version;
        EXPECT_EQ(run("ADD", versioned)["cniVersion"], version);
        EXPECT_EQ(status, 0) << version;
    }
    for (const json& version : {json("0.2.0"), json("2.0.0"), json(1), json()}) {
        json versioned = config();
        versioned["cniVersion"] = version;
        EXPECT_EQ(code("ADD", versioned), 1) << version;
        EXPECT_TRUE(asked.empty());
    }
    const json versions = run("VERSION", {{"cniVersion", "1.1.0"}});
    EXPECT_EQ(versions["cniVersion"], "1.1.0");
    EXPECT_EQ(versions["supportedVersions"],
              json::array({"0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"}));
}

TEST_F(PluginTest, ErrorsOfTheAgentAreHandedOn) {
    reply = CniReply(std::unexpected(CniError{11, "pod shop/web is not known", "see status"}));
    EXPECT_EQ(run("ADD", config()), (json{{"cniVersion", "1.0.0"},
                                          {"code", 11},
                                          {"msg", "weir-cni: pod shop/web is not known"},
                                          {"details", "see status"}}));
    EXPECT_EQ(status, 1);
    EXPECT_EQ(decode_reply(encode(*reply)), *reply);
    EXPECT_EQ(decode_reply("{}"), CniReply());
    EXPECT_EQ(decode_reply("{\"error\": 1}"), std::nullopt);
    EXPECT_EQ(decode_reply(""), std::nullopt);
    EXPECT_EQ(decode_request("[]"), std::nullopt);
    EXPECT_EQ(decode_request("{\"command\": 1}"), std::nullopt);
}

TEST_F(PluginTest, AgentThatIsAway) {
    reply = std::unexpected("Connection refused");
    EXPECT_EQ(code("ADD", config()), 11);
    EXPECT_NE(text.find("Connection refused"), std::string::npos);
    EXPECT_NE(text.find("start the agent"), std::string::npos);
    EXPECT_EQ(code("CHECK", config()), 11);
    EXPECT_EQ(code("STATUS", config()), 50);
    EXPECT_EQ(code("DEL", config()), 0);
    EXPECT_EQ(text, "");
    json garbage = config();
    garbage["cni.dev/valid-attachments"] = json::array();
    EXPECT_EQ(code("GC", garbage), 11);
}

TEST_F(PluginTest, DelNeedsLittle) {
    json without = config();
    without.erase("prevResult");
    args = "";
    netns = "";
    EXPECT_EQ(code("DEL", without), 0);
    ASSERT_EQ(asked.size(), 1u);
    EXPECT_EQ(asked[0].attachment, (CniAttachment{"abc", "eth0"}));
    container = "";
    EXPECT_EQ(code("DEL", without), 4);
}

TEST_F(PluginTest, GarbageCollectionNamesWhatStays) {
    json garbage = config();
    garbage["cni.dev/valid-attachments"] =
        json::array({{{"containerID", "abc"}, {"ifname", "eth0"}},
                     {{"containerID", "def"}, {"ifname", "eth1"}}});
    EXPECT_EQ(code("GC", garbage), 0);
    EXPECT_EQ(asked.at(0).valid, (std::vector<CniAttachment>{{"abc", "eth0"}, {"def", "eth1"}}));
    EXPECT_EQ(asked.at(0).network, "cluster");
    EXPECT_EQ(code("GC", config()), 7) << "no list is not an empty one";
    EXPECT_TRUE(asked.empty());
}

TEST_F(PluginTest, WrongInputIsRefusedWithItsReason) {
    EXPECT_EQ(code("ADD", json("no json")), 6);
    EXPECT_EQ(code("ADD", json("[1]")), 6);
    EXPECT_EQ(code("ADD", json("")), 6);
    EXPECT_EQ(code("NONE", config()), 4);
    for (const json& result : {json(), json(1), json::array()}) {
        json with = config();
        with["prevResult"] = result;
        EXPECT_EQ(code("ADD", with), 7) << result;
        EXPECT_EQ(code("CHECK", with), 7) << result;
    }
    for (const json& seconds : {json(0), json(601), json(-1), json("30"), json(1.5)}) {
        json with = config();
        with["timeoutSeconds"] = seconds;
        EXPECT_EQ(code("ADD", with), 7) << seconds;
    }
    json odd = config();
    odd["prevResult"] = {{"interfaces", 1}, {"ips", json::array({1, {{"interface", 9}}})}};
    EXPECT_EQ(code("ADD", odd), 0) << "another plugin's result is not ours to judge";
    netns = "";
    EXPECT_EQ(code("ADD", config()), 4);
    netns = "/run/netns/web";
    args = "IgnoreUnknown=1;K8S_POD_NAMESPACE=shop";
    EXPECT_EQ(code("ADD", config()), 4);
    args = ";;=;K8S_POD_NAME";
    EXPECT_EQ(code("ADD", config()), 4);
    EXPECT_TRUE(asked.empty());
}

} // namespace
} // namespace weir
