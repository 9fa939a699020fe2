// SPDX-License-Identifier: Apache-2.0
// A node's folders before, with and after weir-cni.
#include "agent/cni/install.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>

#include "agent/cni/conflist.h"
#include "tests/support/lab_process.h"

namespace weir {
namespace {

using testing::HasSubstr;
namespace fs = std::filesystem;

constexpr const char* kList =
    "{\n\t\"name\": \"a\",\n\t\"plugins\": [\n\t\t{\"type\": \"bridge\"}\n\t]\n}";
constexpr const char* kConf = "{ \"name\": \"b\", \"type\": \"bridge\" }\n";

struct InstallTest : ::testing::Test {
    InstallTest() {
        fs::create_directory(places.conf_dir);
        fs::create_directory(places.bin_dir);
        write_file(places.program, "program");
    }

    void put(const std::string& name, const std::string& text) const {
        write_file(places.conf_dir / name, text);
    }
    std::string get(const std::string& name) const { return read_file(places.conf_dir / name); }
    // Every file of both folders.
    std::map<std::string, std::string> all() const {
        std::map<std::string, std::string> files;
        for (const auto& folder : {places.conf_dir, places.bin_dir})
            for (const auto& entry : fs::directory_iterator(folder))
                files[entry.path().filename()] = read_file(entry.path());
        return files;
    }
    // The name of the list that it is chained in, or what went wrong.
    std::string install() const {
        const auto installed = install_cni(places);
        if (!installed) return installed.error().what;
        return installed->conflist.filename().string() +
               (installed->is_changed ? "" : " as before");
    }
    void uninstall() const {
        const auto done = uninstall_cni(places);
        EXPECT_TRUE(done) << done.error().what;
    }
    std::string chained(const std::string& list) const {
        return chain_plugin(list, weir_plugin(places.socket));
    }

    TempDirectory directory;
    CniPlaces places{.conf_dir = directory.path() + "/net.d",
                     .bin_dir = directory.path() + "/bin",
                     .program = directory.path() + "/weir-cni",
                     .socket = "/run/weir/cni.sock"};
};

TEST_F(InstallTest, LeavesTheNodeAsItWas) {
    put("10-a.conflist", kList);
    put("20-b.conflist", kList);
    const auto before = all();
    ASSERT_EQ(::chmod((places.conf_dir / "10-a.conflist").c_str(), 0640), 0);
    EXPECT_EQ(install(), "10-a.conflist");
    EXPECT_EQ(install(), "10-a.conflist as before");
    EXPECT_EQ(get("10-a.conflist"), chained(kList));
    EXPECT_EQ(get("20-b.conflist"), kList) << "only the first is used";
    struct stat status{};
    ASSERT_EQ(::stat((places.bin_dir / "weir-cni").c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 07777, 0755u);
    ASSERT_EQ(::stat((places.conf_dir / "10-a.conflist").c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 07777, 0640u);
    uninstall();
    EXPECT_EQ(all(), before);
    uninstall();
    EXPECT_EQ(all(), before);
}

TEST_F(InstallTest, TakesTheFirstThatARuntimeCanUse) {
    EXPECT_EQ(install(), "") << "none";
    put("00-broken.conflist", "{");
    put("01-empty.conflist", R"({"name": "n", "plugins": []})");
    put("02-other.txt", kList);
    put("03-old.conflist.weir-saved~", kList);
    put("20-b.conflist", kList);
    EXPECT_EQ(install(), "20-b.conflist");
    put("10-a.conflist", kList); // somebody's new first one
    EXPECT_EQ(install(), "10-a.conflist");
    uninstall();
    EXPECT_EQ(get("10-a.conflist"), kList);
    EXPECT_EQ(get("20-b.conflist"), kList);
}

TEST_F(InstallTest, SinglePluginIsConvertedAndComesBack) {
    for (const char* name : {"10-b.conf", "10-b.json"}) {
        put(name, kConf);
        const auto before = all();
        EXPECT_EQ(install(), "10-b.conflist");
        EXPECT_EQ(install(), "10-b.conflist as before");
        EXPECT_EQ(get("10-b.conflist"), chained(conflist_of(kConf)));
        EXPECT_FALSE(fs::exists(places.conf_dir / name));
        uninstall();
        auto after = all();
        EXPECT_EQ(after, before);
        fs::remove(places.conf_dir / name);
    }
}

// Its author writes the single plugin again: the conversion is done again.
TEST_F(InstallTest, SinglePluginThatIsWrittenAnew) {
    put("10-b.conf", kConf);
    EXPECT_EQ(install(), "10-b.conflist");
    const std::string anew = R"({"name": "c", "type": "ptp"})";
    put("10-b.conf", anew);
    EXPECT_EQ(install(), "10-b.conflist");
    EXPECT_EQ(get("10-b.conflist"), chained(conflist_of(anew)));
    // And a crash between the two steps of a conversion is made good.
    fs::rename(places.conf_dir / "10-b.conf.weir-saved", places.conf_dir / "10-b.conf");
    EXPECT_EQ(install(), "10-b.conflist");
    uninstall();
    EXPECT_EQ(get("10-b.conf"), anew);
    EXPECT_FALSE(fs::exists(places.conf_dir / "10-b.conflist"));
}

TEST_F(InstallTest, WhatOthersChangedStays) {
    put("10-b.conf", kConf);
    put("20-c.conflist", kList);
    EXPECT_EQ(install(), "10-b.conflist");
    auto list = nlohmann::json::parse(get("10-b.conflist"));
    list["plugins"].insert(list["plugins"].begin() + 1, nlohmann::json{{"type", "portmap"}});
    put("10-b.conflist", list.dump());
    EXPECT_EQ(install(), "10-b.conflist as before");
    uninstall();
    list["plugins"].erase(2);
    EXPECT_EQ(nlohmann::json::parse(get("10-b.conflist")), list);
    EXPECT_EQ(all().size(), 2u) << "nothing saved is left";
}

TEST_F(InstallTest, ErrorsNameWhatIsInTheWay) {
    put("10-b.conf", kConf);
    put("10-b.conflist", kList);
    EXPECT_THAT(install(), HasSubstr("10-b.conflist is in the way"));
    EXPECT_EQ(get("10-b.conf"), kConf);
    EXPECT_EQ(get("10-b.conflist"), kList);
    fs::remove_all(places.bin_dir);
    EXPECT_THAT(install(), HasSubstr("no folder " + places.bin_dir.string()));
    fs::remove(places.program);
    EXPECT_THAT(install(), HasSubstr("read " + places.program.string()));
    fs::create_directory(places.bin_dir);
    write_file(places.program, "program");
    fs::remove_all(places.conf_dir);
    EXPECT_THAT(install(), HasSubstr("read the folder " + places.conf_dir.string()));
}

} // namespace
} // namespace weir
