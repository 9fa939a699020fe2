// SPDX-License-Identifier: Apache-2.0
// Endpoints of real veths: what is read of them, slots, and what a new agent makes of the file.
#include "agent/endpoint/endpoint_table.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include "tests/loader/kernel_fixture.h"

namespace weir::test {
namespace {

namespace fs = std::filesystem;

bool contains(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

bool has(const PodInterface& interface, const char* address) {
    return std::ranges::find(interface.addresses, *Address::parse(address)) !=
           interface.addresses.end();
}

struct EndpointTest : ::testing::Test {
    EndpointTest() { enter_host_netns(); }

    std::string file() const { return directory.path() + "/endpoints.json"; }

    TempDirectory directory;
};

struct InterfaceTest : EndpointTest {
    std::string error_of(const std::string& netns, const std::string& interface) {
        const auto found = read_pod_interface(netns, interface);
        return found ? "" : found.error().what;
    }

    VethPod pod{"h0"};
};

TEST_F(InterfaceTest, IsReadWithItsHostSide) {
    pod.netns.ip(
        "link set eth0 address 02:11:22:33:44:55\n"
        "addr add 10.0.0.7/24 dev eth0\naddr add fd00::7/64 dev eth0 nodad");
    const auto interface = read_pod_interface(pod.netns.path(), "eth0");
    ASSERT_TRUE(interface) << interface.error().what;
    EXPECT_EQ(interface->host_ifindex, pod.ifindex);
    EXPECT_EQ(interface->host_name, "h0");
    EXPECT_EQ(interface->mac, (Mac{2, 0x11, 0x22, 0x33, 0x44, 0x55}));
    EXPECT_TRUE(has(*interface, "10.0.0.7"));
    EXPECT_TRUE(has(*interface, "fd00::7"));
    EXPECT_TRUE(has(*interface, "fe80::11:22ff:fe33:4455"));                  // EUI-64 of the MAC
    EXPECT_EQ(interface->addresses.front().to_string().substr(0, 4), "10.0"); // link-local last
}

TEST_F(InterfaceTest, ErrorsNameWhatIsWrong) {
    write_file(directory.path() + "/file", "x");
    EXPECT_TRUE(contains(error_of("/run/netns/nobody", "eth0"), "/run/netns/nobody"));
    EXPECT_TRUE(contains(error_of(directory.path() + "/file", "eth0"), "not a network namespace"));
    EXPECT_TRUE(contains(error_of("/proc/self/ns/mnt", "eth0"), "not a network namespace"));
    EXPECT_TRUE(contains(error_of(pod.netns.path(), "eth9"), "interface eth9 of "));
    EXPECT_TRUE(contains(error_of(pod.netns.path(), "eth9"), "no such interface"));
    EXPECT_TRUE(contains(error_of(pod.netns.path(), "lo"), "no veth"));
}

TEST_F(InterfaceTest, HostSideMustBeHere) {
    pod.netns.ip("link add inner0 type veth peer name inner1");
    EXPECT_TRUE(contains(error_of(pod.netns.path(), "inner0"), "both sides"));
    // In a third namespace, under the very index that a veth here has.
    const Netns third("third");
    third.ip("link add far index " + std::to_string(pod.ifindex) +
             " type veth peer name eth1 netns " + pod.netns.name());
    EXPECT_TRUE(contains(error_of(pod.netns.path(), "eth1"), "not in the agent's"));
}

struct TableTest : EndpointTest {
    EndpointChange add(const std::string& name, const VethPod& pod) {
        auto change = table.add({"shop", name, pod.netns.path(), "eth0"});
        EXPECT_TRUE(change) << change.error().what;
        return change ? *change : EndpointChange{};
    }

    VethPod one{"h1"};
    VethPod two{"h2"};
    EndpointTable table{file()};
};

TEST_F(TableTest, AddingAgainReadsAgain) {
    const auto first = add("web", one);
    EXPECT_TRUE(first.is_new);
    EXPECT_FALSE(first.replaced);
    one.netns.ip("addr add 10.0.0.1/24 dev eth0");
    const auto second = add("web", one);
    EXPECT_FALSE(second.is_new);
    EXPECT_FALSE(second.replaced);
    EXPECT_EQ(second.endpoint.slot, first.endpoint.slot);
    EXPECT_TRUE(has(second.endpoint.link, "10.0.0.1"));
    EXPECT_EQ(table.all().size(), 1u);
    one.netns.ip("addr add 10.0.0.2/24 dev eth0");
    EXPECT_TRUE(has(table.refresh(first.endpoint.slot)->endpoint.link, "10.0.0.2"));
}

TEST_F(TableTest, InterfaceThatChangesHandsKeepsItsSlot) {
    const auto web = add("web", one);
    const auto db = add("db", one);
    EXPECT_FALSE(db.is_new);
    EXPECT_FALSE(db.replaced);
    EXPECT_EQ(db.endpoint.slot, web.endpoint.slot);
    ASSERT_EQ(db.notices.size(), 1u);
    EXPECT_TRUE(contains(db.notices[0], "shop/web"));
    EXPECT_EQ(table.find("shop", "web"), nullptr);
    EXPECT_NE(table.find("shop", "db"), nullptr);
}

TEST_F(TableTest, PodThatMovesLeavesASlotThatIsHeld) {
    const auto before = add("web", one);
    const auto after = add("web", two);
    EXPECT_TRUE(after.is_new);
    ASSERT_TRUE(after.replaced);
    EXPECT_EQ(after.replaced->slot, before.endpoint.slot);
    EXPECT_EQ(after.replaced->link.host_ifindex, one.ifindex);
    EXPECT_NE(after.endpoint.slot, before.endpoint.slot);
    EXPECT_EQ(table.all().size(), 1u);
    const auto third = add("db", one);
    EXPECT_NE(third.endpoint.slot, before.endpoint.slot);
    table.release_slot(before.endpoint.slot);
    ASSERT_TRUE(table.remove("shop", "db"));
    EXPECT_EQ(add("db", one).endpoint.slot, before.endpoint.slot);
}

TEST_F(TableTest, PodThatTakesAnothersInterface) {
    const auto web = add("web", one);
    const auto db = add("db", two);
    const auto moved = add("web", two);
    ASSERT_TRUE(moved.replaced);
    EXPECT_EQ(moved.replaced->slot, web.endpoint.slot);
    EXPECT_EQ(moved.endpoint.slot, db.endpoint.slot);
    EXPECT_EQ(table.all().size(), 1u);
}

TEST_F(TableTest, RemovedByNameOrByInterface) {
    add("web", one);
    add("db", two);
    EXPECT_EQ(table.remove("shop", "web")->name, "web");
    EXPECT_FALSE(table.remove("shop", "web"));
    EXPECT_EQ(table.remove_interface(two.ifindex)->name, "db");
    EXPECT_FALSE(table.remove_interface(two.ifindex));
}

TEST_F(TableTest, AddressesBeyondTheSlotAreTold) {
    for (int i = 1; i <= 8; ++i)
        one.netns.ip("addr add 10.0.0." + std::to_string(i) + "/24 dev eth0");
    const auto change = add("web", one);
    EXPECT_EQ(change.endpoint.link.addresses.size(), static_cast<std::size_t>(WEIR_POD_ADDRESSES));
    ASSERT_EQ(change.notices.size(), 1u);
    EXPECT_TRUE(contains(change.notices[0], "10.0.0.8"));
    EXPECT_FALSE(contains(change.notices[0], "10.0.0.6"));
    EXPECT_EQ(change.endpoint.facts().addresses[5].bytes[15], 6);
}

TEST_F(TableTest, NextAgentFindsThemInTheFile) {
    one.netns.ip("addr add 10.0.0.1/24 dev eth0");
    const auto web = add("web", one);
    add("db", two);
    ASSERT_TRUE(table.save());
    EXPECT_EQ(fs::status(file()).permissions(), fs::perms::owner_read | fs::perms::owner_write);

    one.netns.ip("addr add 10.0.0.9/24 dev eth0"); // meanwhile
    EndpointTable next(file());
    const auto notices = next.restore();
    ASSERT_TRUE(notices) << notices.error().what;
    EXPECT_TRUE(notices->empty());
    ASSERT_EQ(next.all().size(), 2u);
    const Endpoint* found = next.find("shop", "web");
    ASSERT_NE(found, nullptr);
    EXPECT_EQ(found->slot, web.endpoint.slot);
    EXPECT_EQ(found->link.mac, web.endpoint.link.mac);
    EXPECT_TRUE(has(found->link, "10.0.0.9"));
}

TEST_F(TableTest, OnlyWhatIsStillThereIsRestored) {
    add("web", one);
    add("db", two);
    ASSERT_TRUE(table.save());
    ip("link del h1");
    // Another device under the index of the second one.
    const auto index = std::to_string(two.ifindex);
    ip("link del h2");
    ip("link add h2 index " + index + " type veth peer name eth0 netns " + two.netns.name());
    EndpointTable next(file());
    const auto notices = next.restore();
    ASSERT_TRUE(notices) << notices.error().what;
    EXPECT_EQ(notices->size(), 2u);
    EXPECT_TRUE(next.all().empty());
}

TEST_F(TableTest, RestoredThoughThePathIsGone) {
    add("web", one);
    ASSERT_TRUE(table.save());
    auto text = read_file(file());
    const auto path = text.find(one.netns.path());
    ASSERT_NE(path, std::string::npos);
    text.replace(path, one.netns.path().size(), "/run/netns/nobody");
    write_file(file(), text);
    EndpointTable next(file());
    ASSERT_TRUE(next.restore());
    EXPECT_EQ(next.all().size(), 1u);
}

TEST_F(TableTest, FileThatIsDamagedIsAnErrorAndNoneIsNot) {
    EXPECT_TRUE(EndpointTable(file()).restore());
    for (const char* text : {"", "{", "[]", R"({"format":2,"endpoints":[]})",
                             R"({"format":1,"endpoints":[{"namespace":1}]})"}) {
        write_file(file(), text);
        EndpointTable next(file());
        const auto restored = next.restore();
        ASSERT_FALSE(restored) << text;
        EXPECT_TRUE(contains(restored.error().what, "endpoints.json")) << restored.error().what;
    }
}

} // namespace
} // namespace weir::test
