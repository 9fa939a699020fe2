// SPDX-License-Identifier: Apache-2.0
// Configurations as they are found on nodes, edited as text.
#include "agent/cni/conflist.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace weir {
namespace {

using nlohmann::json;

constexpr const char* kFlannel = R"({
  "name": "cbr0",
  "cniVersion": "0.3.1",
  "plugins": [
    {
      "type": "flannel",
      "delegate": {
        "hairpinMode": true, "note": "a ] and a } in \"text\" \\"
      }
    },
    {
      "type": "portmap",
      "capabilities": { "portMappings": true }
    }
  ]
}
)";
constexpr const char* kOneLine =
    R"({"cniVersion":"1.0.0","plugins":[{"type":"bridge"}],"name":"n"})";
constexpr const char* kTabs =
    "\n{ \"plugins\" : [ ] , \"name\":\"n\",\r\n\t\"disableCheck\": false, \"n\": -1.5e3,\r\n"
    "\t\"plugins\": [\r\n\t\t{\"type\": \"ptp\", \"plugins\": [1]}\r\n\t] }";

TEST(ConflistTest, PuttingInAndTakingOutAreInverse) {
    const std::string plugin = weir_plugin("/run/weir/cni.sock");
    for (const std::string text : {kFlannel, kOneLine, kTabs}) {
        ASSERT_TRUE(is_usable_conflist(text)) << text;
        const std::string chained = chain_plugin(text, plugin);
        const json list = json::parse(chained);
        EXPECT_EQ(list["plugins"].size(), json::parse(text)["plugins"].size() + 1);
        EXPECT_EQ(list["plugins"].back(),
                  (json{{"type", "weir-cni"}, {"socket", "/run/weir/cni.sock"}}));
        EXPECT_EQ(chain_plugin(chained, plugin), chained);
        EXPECT_EQ(unchain_plugin(chained), text);
        EXPECT_EQ(unchain_plugin(text), text);
    }
    EXPECT_NE(
        chain_plugin(kFlannel, plugin)
            .find("    },\n    {\"type\": \"weir-cni\", \"socket\": \"/run/weir/cni.sock\"}\n  ]"),
        std::string::npos);
}

TEST(ConflistTest, AnotherSocketIsPutInPlace) {
    const std::string one = chain_plugin(kFlannel, weir_plugin("/run/one/cni.sock"));
    const std::string two = chain_plugin(one, weir_plugin("/run/two/cni.sock"));
    EXPECT_EQ(two, chain_plugin(kFlannel, weir_plugin("/run/two/cni.sock")));
    EXPECT_EQ(unchain_plugin(two), kFlannel);
}

TEST(ConflistTest, IsTakenOutWhereverItIs) {
    const auto list = [](const std::string& plugins) {
        return R"({"name": "n", "plugins": [)" + plugins + "]}";
    };
    const std::string ours = R"({"socket":"/x", "type": "weir-cni"})";
    EXPECT_EQ(unchain_plugin(list(ours + ", {\"type\": \"a\"}")), list("{\"type\": \"a\"}"));
    EXPECT_EQ(unchain_plugin(list("{\"type\": \"a\"} , " + ours + ", {\"type\": \"b\"}")),
              list("{\"type\": \"a\"}, {\"type\": \"b\"}"));
    EXPECT_EQ(unchain_plugin(list(ours + ", " + ours)), list(""));
    // Written anew by somebody: the text is theirs, the plugin ours.
    const std::string anew = json::parse(chain_plugin(kFlannel, weir_plugin("/x"))).dump();
    EXPECT_EQ(unchain_plugin(anew), json::parse(kFlannel).dump());
}

TEST(ConflistTest, WhatRuntimesCannotUse) {
    for (const char* text :
         {"", "{", "[]", "{}", R"({"name": "n"})", R"({"plugins": [{"type": "a"}]})",
          R"({"name": "n", "plugins": []})", R"({"name": "n", "plugins": [1]})",
          R"({"name": "", "plugins": [{"type": "a"}]})",
          R"({"name": "n", "plugins": [{"type": 1}]})"}) {
        EXPECT_FALSE(is_usable_conflist(text)) << text;
        EXPECT_FALSE(is_usable_conf(text)) << text;
    }
    EXPECT_TRUE(is_usable_conf(R"({"name": "n", "type": "bridge"})"));
    EXPECT_FALSE(is_usable_conflist(R"({"name": "n", "type": "bridge"})"));
}

TEST(ConflistTest, SinglePluginBecomesAList) {
    const std::string conf =
        "\n{\n  \"cniVersion\": \"0.4.0\", \"name\": \"net \\\"x\\\"\",\n"
        "  \"type\": \"bridge\", \"ipam\": {}\n}\n\n";
    const std::string list = conflist_of(conf);
    ASSERT_TRUE(is_usable_conflist(list)) << list;
    const json parsed = json::parse(list);
    EXPECT_EQ(parsed["name"], "net \"x\"");
    EXPECT_EQ(parsed["cniVersion"], "0.4.0");
    EXPECT_EQ(parsed["plugins"], json::array({json::parse(conf)}));
    EXPECT_EQ(json::parse(chain_plugin(list, weir_plugin("/x")))["plugins"].size(), 2u);
    EXPECT_TRUE(is_usable_conflist(conflist_of(R"({"name": "n", "type": "bridge"})")));
}

} // namespace
} // namespace weir
