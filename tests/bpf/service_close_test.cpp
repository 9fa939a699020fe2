// SPDX-License-Identifier: Apache-2.0
// Sockets of a backend that is removed: closed, so that their owners connect anew at once.
#include <fcntl.h>
#include <sched.h>

#include <thread>

#include "tests/bpf/service_fixture.h"

namespace weir::test {
namespace {

class ServiceCloseTest : public ServiceTest, public ::testing::WithParamInterface<SocketFamily> {
protected:
    SocketEnd service() const { return {GetParam().service, kPort}; }

    // Of the calling thread.
    static Fd netns() { return Fd(::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC)); }

    std::uint32_t close_stale(const Fd& netns) {
        const int namespaces[] = {netns.value()};
        const auto closed = dataplane().close_stale_sockets(namespaces);
        EXPECT_TRUE(closed) << closed.error().what;
        return closed.value_or(0);
    }

    // The error that the socket's owner gets.
    static int pending_error(const TestSocket& socket) {
        int error = 0;
        socklen_t length = sizeof(error);
        EXPECT_EQ(::getsockopt(socket.fd(), SOL_SOCKET, SO_ERROR, &error, &length), 0);
        return error;
    }
};

INSTANTIATE_TEST_SUITE_P(Families, ServiceCloseTest, ::testing::ValuesIn(kSocketFamilies),
                         [](const auto& test) { return std::string(test.param.name); });

TEST_P(ServiceCloseTest, DatagramSocketsOfARemovedBackendAreClosedOthersAreNot) {
    const auto ids = add_backends(GetParam());
    TestSocket gone(GetParam().family, SOCK_DGRAM), stays(GetParam().family, SOCK_DGRAM);
    TestSocket direct(GetParam().family, SOCK_DGRAM);
    add_service(service(), {ids[0]});
    ASSERT_EQ(gone.connect(service()), 0);
    add_service(service(), {ids[1]});
    ASSERT_EQ(stays.connect(service()), 0);
    ASSERT_EQ(direct.connect({GetParam().backends[0], kBackendPort}), 0);
    const Fd here = netns();
    EXPECT_EQ(close_stale(here), 0u);
    backend(ids[0]).state = WEIR_BACKEND_DRAINING; // existing flows go on
    EXPECT_EQ(close_stale(here), 0u);
    backend(ids[0]).state = WEIR_BACKEND_REMOVED;
    EXPECT_EQ(close_stale(here), 1u);
    EXPECT_EQ(pending_error(gone), ECONNABORTED);
    EXPECT_EQ(pending_error(stays), 0);
    EXPECT_EQ(pending_error(direct), 0);
    ASSERT_EQ(gone.connect(service()), 0); // anew
    EXPECT_EQ(gone.peer(), service());
    EXPECT_EQ(backend(ids[0]).live, 0u);
    EXPECT_EQ(backend(ids[1]).live, 2u);
}

TEST_P(ServiceCloseTest, ConnectionsAreClosedWhereTheServiceSaysSo) {
    const auto id = add_backend(GetParam().backends[0]);
    TestSocket listener(GetParam().family, SOCK_STREAM);
    ASSERT_EQ(listener.bind({GetParam().backends[0], kBackendPort}), 0);
    listener.listen();
    const Fd here = netns();
    TestSocket client(GetParam().family, SOCK_STREAM);
    add_service(service(), {id});
    ASSERT_EQ(client.connect(service()), 0);
    backend(id).state = WEIR_BACKEND_REMOVED;
    EXPECT_EQ(close_stale(here), 0u);
    add_service(service(), {}, {.flags = WEIR_SERVICE_CLOSE_TCP});
    EXPECT_EQ(close_stale(here), 1u);
    EXPECT_EQ(pending_error(client), ECONNABORTED);
}

TEST_P(ServiceCloseTest, AnIdThatIsUsedAgainLeavesItsOldSocketsStale) {
    const auto id = add_backend(GetParam().backends[0]);
    add_service(service(), {id});
    TestSocket client(GetParam().family, SOCK_DGRAM);
    ASSERT_EQ(client.connect(service()), 0);
    backend(id).generation++;
    EXPECT_EQ(close_stale(netns()), 1u);
    EXPECT_EQ(pending_error(client), ECONNABORTED);
}

TEST_P(ServiceCloseTest, EachNamespaceIsSearchedForItsOwnSockets) {
    const auto id = add_backend(GetParam().backends[0]);
    add_service(service(), {id});
    std::thread([&] { // a pod
        ASSERT_EQ(::unshare(CLONE_NEWNET), 0);
        ASSERT_EQ(std::system("ip link set lo up && ip route add 10.0.0.0/8 dev lo && "
                              "ip -6 route add fd00::/64 dev lo"),
                  0);
        TestSocket client(GetParam().family, SOCK_DGRAM);
        ASSERT_EQ(client.connect(service()), 0);
        backend(id).state = WEIR_BACKEND_REMOVED;
        EXPECT_EQ(close_stale(Fd(::open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC))), 0u);
        EXPECT_EQ(close_stale(netns()), 1u);
        EXPECT_EQ(pending_error(client), ECONNABORTED);
    })
        .join();
}

} // namespace
} // namespace weir::test
