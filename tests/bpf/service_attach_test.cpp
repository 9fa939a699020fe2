// SPDX-License-Identifier: Apache-2.0
// The programs in their cgroup, over the end and the restart of an agent.
#include <fstream>

#include "loader/cgroup_hook.h"
#include "tests/bpf/service_fixture.h"
#include "tests/loader/kernel_fixture.h"

namespace weir::test {
namespace {

constexpr ServiceSizes kSizes{
    .frontends = 64, .slots = 64, .backends = 64, .source_ranges = 64, .affinities = 64};

// Its own dataplane is off: each test has pinned ones.
class ServiceAttachTest : public ServiceTest {
protected:
    void SetUp() override { ASSERT_TRUE(dataplane().detach()); }
    void TearDown() override {
        ASSERT_TRUE(remove_everything(bpffs_.path())); // unmounting lets go of links only later
        ASSERT_TRUE(dataplane().attach(cgroup()));
    }

    ServiceDataplane open(const ServiceSizes& sizes = kSizes) {
        auto opened = ServiceDataplane::open({.bpffs = bpffs_.path(), .sizes = sizes});
        if (!opened) throw std::runtime_error(opened.error().what);
        return std::move(*opened);
    }

    // The service and its one backend, id 1.
    static void write(const ServiceDataplane& dataplane) {
        weir_backend backend{};
        backend.address = address("10.0.0.1");
        backend.port = htons(kBackendPort);
        backend.state = WEIR_BACKEND_ACTIVE;
        backend.generation = 7;
        dataplane.maps().backends[1] = backend;
        dataplane.maps().slots[0] = 1;
        weir_service_key key{};
        key.address = kService.address;
        key.port = htons(kService.port);
        key.protocol = IPPROTO_UDP;
        weir_service service{};
        service.id = 1;
        service.slot_count = 1;
        ASSERT_TRUE(dataplane.maps().services.update(key, service));
    }

    // Whether a connection is translated: the backend counts it.
    static bool is_translated(const ServiceDataplane& dataplane) {
        const auto before = dataplane.maps().backends[1].opened;
        TestSocket socket(AF_INET, SOCK_DGRAM);
        EXPECT_EQ(socket.connect(kService), 0);
        return dataplane.maps().backends[1].opened == before + 1;
    }

    BpffsFolder bpffs_;
};

TEST_F(ServiceAttachTest, NothingIsTranslatedBeforeAndAfter) {
    auto dataplane = open();
    write(dataplane);
    EXPECT_FALSE(is_translated(dataplane));
    ASSERT_TRUE(dataplane.attach(cgroup()));
    EXPECT_TRUE(is_translated(dataplane));
    ASSERT_TRUE(dataplane.detach());
    EXPECT_FALSE(is_translated(dataplane));
    EXPECT_TRUE(dataplane.detach());
}

TEST_F(ServiceAttachTest, ServicesGoOnWithoutAnAgentAndConnectionsLiveOnInTheNext) {
    TestSocket held(AF_INET, SOCK_DGRAM);
    {
        auto dataplane = open();
        EXPECT_FALSE(dataplane.is_adopted());
        write(dataplane);
        ASSERT_TRUE(dataplane.attach(cgroup()));
    }
    ASSERT_EQ(held.connect(kService), 0); // no agent now
    auto next = open();
    EXPECT_TRUE(next.is_adopted());
    EXPECT_EQ(next.maps().backends[1].live, 1u);
    EXPECT_TRUE(is_translated(next)); // by the programs of the one before
    ASSERT_TRUE(next.attach(cgroup()));
    EXPECT_TRUE(is_translated(next));
    EXPECT_EQ(next.maps().backends[1].live, 1u);
    EXPECT_EQ(held.peer(), kService);
    held.close();
    EXPECT_EQ(next.maps().backends[1].live, 0u);
}

TEST_F(ServiceAttachTest, HealthIsWatchedOverARestartUntilItIsIgnored) {
    const auto pin = bpffs_.pins() + "/cgroup/weir_sock_ops";
    {
        auto dataplane = open();
        ASSERT_TRUE(dataplane.attach(cgroup()));
        EXPECT_FALSE(std::filesystem::exists(pin));
        ASSERT_TRUE(dataplane.watch_health(cgroup()));
    }
    EXPECT_TRUE(is_cgroup_hook_attached(cgroup(), pin).value()) << "without an agent";
    auto next = open();
    ASSERT_TRUE(next.attach(cgroup()));
    ASSERT_TRUE(next.watch_health(cgroup()));
    EXPECT_TRUE(is_cgroup_hook_attached(cgroup(), pin).value());
    ASSERT_TRUE(next.ignore_health());
    EXPECT_FALSE(std::filesystem::exists(pin));
    EXPECT_TRUE(next.ignore_health());
}

TEST_F(ServiceAttachTest, LiveCountsBeginAnewWhereNobodyCounted) {
    TestSocket held(AF_INET, SOCK_DGRAM);
    auto dataplane = open();
    write(dataplane);
    ASSERT_TRUE(dataplane.attach(cgroup()));
    ASSERT_EQ(held.connect(kService), 0);
    ASSERT_TRUE(dataplane.detach());
    ASSERT_TRUE(dataplane.attach(cgroup()));
    EXPECT_EQ(dataplane.maps().backends[1].live, 0u);
    held.close();
    EXPECT_EQ(dataplane.maps().backends[1].live, 0u);
}

TEST_F(ServiceAttachTest, AnotherCgroupTakesTheProgramsOffTheFirst) {
    auto dataplane = open();
    write(dataplane);
    ASSERT_TRUE(dataplane.attach(cgroup()));
    const auto child = cgroup() / "child";
    std::filesystem::create_directory(child);
    ASSERT_TRUE(dataplane.attach(child));
    EXPECT_FALSE(is_translated(dataplane)); // this process is not in the child
    std::filesystem::remove(child);
    ASSERT_TRUE(dataplane.attach(cgroup())); // the links' cgroup is gone
    EXPECT_TRUE(is_translated(dataplane));
}

TEST_F(ServiceAttachTest, ACgroupThatIsNoneIsRefusedAndNothingAttached) {
    auto dataplane = open();
    const auto missing = dataplane.attach("/nonexistent");
    ASSERT_FALSE(missing);
    EXPECT_NE(missing.error().what.find("/nonexistent"), std::string::npos);
    const auto no_cgroup = dataplane.attach("/tmp");
    ASSERT_FALSE(no_cgroup);
    EXPECT_NE(no_cgroup.error().what.find("/tmp"), std::string::npos);
    EXPECT_TRUE(std::filesystem::is_empty(bpffs_.pins() + "/cgroup"));
}

TEST_F(ServiceAttachTest, MapsOfAnotherSizeAreKept) {
    {
        auto dataplane = open();
        write(dataplane);
    }
    ServiceSizes larger = kSizes;
    larger.backends = 128;
    auto next = open(larger);
    EXPECT_EQ(next.sizes(), kSizes);
    EXPECT_EQ(next.kept_maps(), std::vector<std::string>{"weir_backends"});
    EXPECT_EQ(next.maps().backends[1].generation, 7u);
}

TEST_F(ServiceAttachTest, CleanupTakesThemOffAndRemovesEveryPin) {
    auto dataplane = open();
    write(dataplane);
    ASSERT_TRUE(dataplane.attach(cgroup()));
    const auto removed = remove_everything(bpffs_.path());
    ASSERT_TRUE(removed) << removed.error().what;
    EXPECT_FALSE(is_translated(dataplane));
    EXPECT_FALSE(std::filesystem::exists(bpffs_.pins()));
}

TEST_F(ServiceAttachTest, TheMountOfCgroupV2IsFound) {
    const auto mount = find_cgroup2_mount();
    ASSERT_TRUE(mount) << mount.error().what;
    EXPECT_TRUE(std::filesystem::exists(*mount / "cgroup.procs"));
}

} // namespace
} // namespace weir::test
