// SPDX-License-Identifier: Apache-2.0
// Attaching to veths beside other people's tc programs, replacing without a gap, leaving nothing.
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <array>
#include <atomic>
#include <chrono>
#include <filesystem>
#include <optional>
#include <thread>

#include "loader/bpffs.h"
#include "loader/dataplane.h"
#include "tests/loader/kernel_fixture.h"

namespace weir::test {
namespace {

constexpr std::uint32_t kNoInterface = 123456;

bool contains(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

struct HooksTest : ::testing::Test {
    HooksTest() { enter_host_netns(); }

    std::string links() const { return bpffs.pins() + "/links"; }
    bool is_tcx_supported() {
        const VethPod probe("probe");
        auto dataplane = open_dataplane(bpffs.path());
        return dataplane.attach(probe.ifindex) &&
               dataplane.attached()->front().kind == HookKind::kTcx;
    }

    BpffsFolder bpffs;
};

struct TcxTest : HooksTest {
    void SetUp() override {
        if (!is_tcx_supported()) GTEST_SKIP() << "this kernel has no tcx";
        pod.emplace("h0");
        dataplane.emplace(open_dataplane(bpffs.path()));
    }

    std::optional<VethPod> pod;
    std::optional<Dataplane> dataplane;
};

TEST_F(TcxTest, OursAreBeforeEverybodyElses) {
    const Fd foreign = load_foreign_program();
    const auto ifindex = static_cast<int>(pod->ifindex);
    const Fd before(bpf_link_create(foreign.value(), ifindex, BPF_TCX_INGRESS, nullptr));
    ASSERT_TRUE(before.is_open());
    ASSERT_TRUE(dataplane->attach(pod->ifindex));
    const Fd after(bpf_link_create(foreign.value(), ifindex, BPF_TCX_EGRESS, nullptr));
    ASSERT_TRUE(after.is_open());

    const auto foreign_id = program_id(foreign.value());
    EXPECT_EQ(tcx_programs(pod->ifindex, WEIR_EGRESS),
              (std::vector{program_id(dataplane->program_fd(WEIR_EGRESS)), foreign_id}));
    EXPECT_EQ(tcx_programs(pod->ifindex, WEIR_INGRESS),
              (std::vector{program_id(dataplane->program_fd(WEIR_INGRESS)), foreign_id}));
    ASSERT_TRUE(dataplane->detach(pod->ifindex));
    EXPECT_EQ(tcx_programs(pod->ifindex, WEIR_EGRESS), std::vector{foreign_id});
    EXPECT_TRUE(dataplane->detach(pod->ifindex)); // again
}

TEST_F(TcxTest, GracePeriodsAreAsBefore) {
    const std::string setting = "/sys/kernel/rcu_expedited";
    const std::string before = read_file(setting);
    ASSERT_TRUE(dataplane->attach(pod->ifindex));
    EXPECT_EQ(read_file(setting), before);
    ASSERT_TRUE(dataplane->detach(pod->ifindex));
    EXPECT_EQ(read_file(setting), before);
}

TEST_F(TcxTest, LinksOutliveTheAgentAndGetTheNextOnesPrograms) {
    ASSERT_TRUE(dataplane->attach(pod->ifindex));
    const auto old_id = program_id(dataplane->program_fd(WEIR_INGRESS));
    dataplane.reset();
    EXPECT_EQ(tcx_programs(pod->ifindex, WEIR_INGRESS), std::vector{old_id});

    dataplane.emplace(open_dataplane(bpffs.path()));
    const auto new_id = program_id(dataplane->program_fd(WEIR_INGRESS));
    EXPECT_NE(new_id, old_id);
    EXPECT_EQ(tcx_programs(pod->ifindex, WEIR_INGRESS), std::vector{new_id});
    const auto attached = dataplane->attached();
    ASSERT_EQ(attached->size(), 1u);
    EXPECT_EQ(attached->front().ifindex, pod->ifindex);
    EXPECT_EQ(attached->front().kind, HookKind::kTcx);
    EXPECT_TRUE(dataplane->attach(pod->ifindex)); // idempotent
    EXPECT_EQ(tcx_programs(pod->ifindex, WEIR_INGRESS).size(), 1u);
}

// No endpoint is registered, so every packet is dropped as long as there is a program.
TEST_F(TcxTest, ReplacingLeavesNoGap) {
    ip("addr add 10.9.0.1/24 dev h0");
    ip("link set h0 address 02:00:00:00:00:99");
    pod->netns.ip(
        "addr add 10.9.0.2/24 dev eth0\nneigh add 10.9.0.1 lladdr 02:00:00:00:00:99 dev eth0");
    const Fd receiver(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    sockaddr_in here{};
    here.sin_family = AF_INET;
    here.sin_port = htons(4000);
    inet_pton(AF_INET, "10.9.0.1", &here.sin_addr);
    const auto* address = reinterpret_cast<const sockaddr*>(&here);
    ASSERT_EQ(bind(receiver.value(), address, sizeof(here)), 0);
    const Fd sender(
        pod->netns.inside([] { return socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0); }));
    const auto send_one = [&] { sendto(sender.value(), "x", 1, 0, address, sizeof(here)); };
    const auto received = [&] {
        std::array<char, 8> buffer{};
        int count = 0;
        while (recv(receiver.value(), buffer.data(), buffer.size(), 0) > 0)
            ++count;
        return count;
    };
    send_one();
    ASSERT_EQ(received(), 1); // it would arrive, were it not for the programs
    ASSERT_TRUE(dataplane->attach(pod->ifindex));

    std::atomic<bool> is_over = false;
    std::atomic<std::uint64_t> sent = 0;
    std::thread traffic([&] {
        for (; !is_over; ++sent)
            send_one();
    });
    for (int i = 0; i < 3; ++i)
        dataplane.emplace(open_dataplane(bpffs.path()));
    is_over = true;
    traffic.join();
    EXPECT_GT(sent, 1000u);
    EXPECT_EQ(received(), 0);
    const auto index = counter_index(WEIR_EGRESS, WEIR_DROP_NO_ENDPOINT);
    EXPECT_GE((*dataplane->counters())[index].packets, sent);
}

TEST_F(TcxTest, PinsOfAnInterfaceThatIsGoneAreRemoved) {
    ASSERT_TRUE(dataplane->attach(pod->ifindex));
    EXPECT_EQ(list_pins(links()).size(), 2u);
    ip("link del h0");
    EXPECT_TRUE(dataplane->attached()->empty());
    EXPECT_TRUE(list_pins(links()).empty());
}

TEST_F(TcxTest, DeadPinOfTheSameIndexIsReplaced) {
    ASSERT_TRUE(dataplane->attach(pod->ifindex));
    const auto index = pod->ifindex;
    ip("link del h0");
    ip("link add h0 index " + std::to_string(index) + " type veth peer name h1");
    ASSERT_TRUE(dataplane->attach(index));
    EXPECT_EQ(tcx_programs(index, WEIR_EGRESS).size(), 1u);
    EXPECT_EQ(tcx_programs(index, WEIR_INGRESS).size(), 1u);
    ip("link del h0");
}

TEST_F(TcxTest, NextAgentMayUseTheOtherMechanism) {
    ASSERT_TRUE(dataplane->attach(pod->ifindex));
    dataplane.emplace(open_dataplane(bpffs.path(), HookKind::kClsact));
    EXPECT_TRUE(tcx_programs(pod->ifindex, WEIR_EGRESS).empty());
    EXPECT_EQ(dataplane->attached()->front().kind, HookKind::kClsact);
    dataplane.emplace(open_dataplane(bpffs.path(), HookKind::kTcx));
    EXPECT_EQ(tcx_programs(pod->ifindex, WEIR_EGRESS).size(), 1u);
    EXPECT_EQ(tc("filter show dev h0 ingress"), "");
    EXPECT_FALSE(contains(tc("qdisc show dev h0"), "clsact"));
}

TEST_F(HooksTest, InterfaceThatIsNotThereLeavesNothing) {
    for (const auto kind : {HookKind::kAuto, HookKind::kClsact}) {
        auto dataplane = open_dataplane(bpffs.path(), kind);
        EXPECT_FALSE(dataplane.attach(kNoInterface));
        EXPECT_TRUE(list_pins(links()).empty());
        EXPECT_TRUE(dataplane.detach(kNoInterface));
    }
}

struct ClsactTest : HooksTest {
    std::string filters(const std::string& side) { return tc("filter show dev h0 " + side); }

    void add_foreign_filter(bpf_tc_attach_point side, std::uint32_t priority,
                            std::uint32_t handle) {
        const Fd program = load_foreign_program();
        bpf_tc_hook hook{};
        hook.sz = sizeof(hook);
        hook.ifindex = static_cast<int>(pod.ifindex);
        hook.attach_point = side;
        bpf_tc_opts filter{};
        filter.sz = sizeof(filter);
        filter.prog_fd = program.value();
        filter.handle = handle;
        filter.priority = priority;
        ASSERT_EQ(bpf_tc_attach(&hook, &filter), 0);
    }

    VethPod pod{"h0"};
    Dataplane dataplane = open_dataplane(bpffs.path(), HookKind::kClsact);
};

TEST_F(ClsactTest, BothSidesAreAttachedAndTakenOffWithTheQdisc) {
    ASSERT_TRUE(dataplane.attach(pod.ifindex));
    EXPECT_TRUE(
        contains(filters("ingress"), "pref 1 bpf chain 0 handle 0x57454952 weir_pod_egress"))
        << filters("ingress");
    EXPECT_TRUE(contains(filters("egress"), "weir_pod_ingres")) << filters("egress");
    EXPECT_EQ(dataplane.attached()->front().kind, HookKind::kClsact);
    ASSERT_TRUE(dataplane.detach(pod.ifindex));
    EXPECT_FALSE(contains(tc("qdisc show dev h0"), "clsact"));
    EXPECT_TRUE(list_pins(links()).empty());
}

TEST_F(ClsactTest, QdiscAndFiltersOfOthersStay) {
    tc("qdisc add dev h0 clsact");
    add_foreign_filter(BPF_TC_INGRESS, 5, 1);
    ASSERT_TRUE(dataplane.attach(pod.ifindex));
    ASSERT_TRUE(dataplane.detach(pod.ifindex));
    EXPECT_TRUE(contains(filters("ingress"), "foreign"));
    EXPECT_FALSE(contains(filters("ingress"), "weir"));
}

TEST_F(ClsactTest, OwnQdiscStaysWhileOthersUseIt) {
    ASSERT_TRUE(dataplane.attach(pod.ifindex));
    add_foreign_filter(BPF_TC_EGRESS, 5, 1);
    ASSERT_TRUE(dataplane.detach(pod.ifindex));
    EXPECT_TRUE(contains(filters("egress"), "foreign"));
}

TEST_F(ClsactTest, NextAgentsProgramsReplaceTheFilters) {
    ASSERT_TRUE(dataplane.attach(pod.ifindex));
    const auto old = filters("ingress");
    dataplane = open_dataplane(bpffs.path(), HookKind::kClsact);
    EXPECT_NE(filters("ingress"), old); // the id of the program differs
    EXPECT_TRUE(contains(filters("ingress"),
                         "id " + std::to_string(program_id(dataplane.program_fd(WEIR_EGRESS)))));
    ASSERT_TRUE(dataplane.detach(pod.ifindex)); // there was but one filter
    EXPECT_FALSE(contains(tc("qdisc show dev h0"), "clsact"));
}

TEST_F(ClsactTest, IngressQdiscIsRefusedWithARemedyAndKept) {
    tc("qdisc add dev h0 ingress");
    const auto attached = dataplane.attach(pod.ifindex);
    ASSERT_FALSE(attached);
    EXPECT_TRUE(contains(attached.error().what, "tc qdisc del dev h0 ingress"));
    EXPECT_TRUE(contains(tc("qdisc show dev h0"), "ingress"));
    EXPECT_TRUE(list_pins(links()).empty());
}

TEST_F(ClsactTest, ForeignFilterInOurPlaceIsRefusedAndKept) {
    tc("qdisc add dev h0 clsact");
    add_foreign_filter(BPF_TC_EGRESS, 1, 0x57454952);
    EXPECT_FALSE(dataplane.attach(pod.ifindex));
    EXPECT_EQ(filters("ingress"), ""); // both or none
    EXPECT_TRUE(contains(filters("egress"), "foreign"));
}

TEST_F(HooksTest, CleanupLeavesNothing) {
    const VethPod one("h0"), two("h1");
    auto dataplane = open_dataplane(bpffs.path());
    ASSERT_TRUE(dataplane.attach(one.ifindex));
    auto clsact = open_dataplane(bpffs.path(), HookKind::kClsact);
    ASSERT_TRUE(clsact.attach(two.ifindex));

    const auto removed = remove_everything(bpffs.path());
    ASSERT_TRUE(removed) << removed.error().what;
    EXPECT_EQ(removed->interfaces, 2u);
    EXPECT_GE(removed->pins, 13u);
    EXPECT_FALSE(std::filesystem::exists(bpffs.path()));
    EXPECT_TRUE(tcx_programs(one.ifindex, WEIR_EGRESS).empty());
    for (const char* name : {"h0", "h1"})
        EXPECT_FALSE(contains(tc(std::string("qdisc show dev ") + name), "clsact"));

    const auto again = remove_everything(bpffs.path());
    ASSERT_TRUE(again) << again.error().what;
    EXPECT_EQ(again->pins, 0u);
    EXPECT_TRUE(remove_everything(bpffs.path() + "/not-there"));
}

TEST_F(HooksTest, CleanupTakesOffWhatAnotherVersionPinned) {
    const VethPod pod("h0");
    {
        auto dataplane = open_dataplane(bpffs.path());
        ASSERT_TRUE(dataplane.attach(pod.ifindex));
    }
    std::filesystem::rename(bpffs.pins(), bpffs.path() + "/v7");
    ASSERT_TRUE(remove_everything(bpffs.path()));
    EXPECT_TRUE(tcx_programs(pod.ifindex, WEIR_EGRESS).empty());
    EXPECT_FALSE(std::filesystem::exists(bpffs.path()));
}

} // namespace
} // namespace weir::test
