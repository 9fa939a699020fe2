// SPDX-License-Identifier: Apache-2.0
// What a process sees of a service: where its connections and datagrams go, who answers, who its
// peer is. Each for sockets of both families, and for IPv4 through a socket of IPv6.
#include <algorithm>

#include "tests/bpf/service_fixture.h"

namespace weir::test {
namespace {

class ServiceSocketTest : public ServiceTest, public ::testing::WithParamInterface<SocketFamily> {
protected:
    TestSocket stream() const { return {GetParam().family, SOCK_STREAM}; }
    TestSocket datagram() const { return {GetParam().family, SOCK_DGRAM}; }
    SocketEnd service(std::uint16_t port = kPort) const { return {GetParam().service, port}; }
    SocketEnd server(std::size_t number = 0, std::uint16_t port = kBackendPort) const {
        return {GetParam().backends.at(number), port};
    }
    // A socket where the backend is.
    TestSocket serve(int type, std::size_t number = 0, std::uint16_t port = kBackendPort) const {
        TestSocket socket(GetParam().family, type);
        EXPECT_EQ(socket.bind(server(number, port)), 0);
        if (type == SOCK_STREAM) socket.listen();
        return socket;
    }
};

INSTANTIATE_TEST_SUITE_P(Families, ServiceSocketTest, ::testing::ValuesIn(kSocketFamilies),
                         [](const auto& test) { return std::string(test.param.name); });

// Echoes one datagram.
void answer(TestSocket& server) {
    SocketEnd client;
    const std::string text = server.receive(&client);
    EXPECT_EQ(server.send_to(client, "re: " + text), 0);
}

TEST_P(ServiceSocketTest, AConnectionReachesABackendAndSeesTheService) {
    const auto id = add_backend(GetParam().backends[0]);
    add_service(service(), {id});
    TestSocket listener = serve(SOCK_STREAM), client = stream();
    ASSERT_EQ(client.connect(service()), 0);
    EXPECT_TRUE(listener.accept());
    EXPECT_EQ(client.peer(), service());
}

TEST_P(ServiceSocketTest, WhatIsNoServicePassesUntouched) {
    add_service(service(), {add_backend(GetParam().backends[0])});
    TestSocket listener = serve(SOCK_STREAM, 1, 9), client = stream();
    ASSERT_EQ(client.connect(server(1, 9)), 0);
    EXPECT_TRUE(listener.accept());
    EXPECT_EQ(client.peer(), server(1, 9));
}

TEST_P(ServiceSocketTest, AConnectionToTheBackendItselfSeesTheBackend) {
    add_service(service(), {add_backend(GetParam().backends[0])});
    TestSocket listener = serve(SOCK_STREAM), client = stream();
    ASSERT_EQ(client.connect(server()), 0);
    EXPECT_EQ(client.peer(), server());
}

TEST_P(ServiceSocketTest, ASocketConnectedOnceMoreSeesItsNewPeer) {
    add_service(service(), {add_backend(GetParam().backends[0])});
    TestSocket client = datagram();
    ASSERT_EQ(client.connect(service()), 0);
    EXPECT_EQ(client.peer(), service());
    ASSERT_EQ(client.connect(server()), 0);
    EXPECT_EQ(client.peer(), server());
}

TEST_P(ServiceSocketTest, AConnectedDatagramSocketHearsTheService) {
    add_service(service(), {add_backend(GetParam().backends[0])});
    TestSocket backend_socket = serve(SOCK_DGRAM), client = datagram();
    ASSERT_EQ(client.connect(service()), 0);
    ASSERT_EQ(client.send("hello"), 0);
    answer(backend_socket);
    SocketEnd sender;
    EXPECT_EQ(client.receive(&sender), "re: hello");
    EXPECT_EQ(sender, service());
    EXPECT_EQ(client.peer(), service());
}

TEST_P(ServiceSocketTest, AnUnconnectedDatagramSocketHearsTheService) {
    add_service(service(), {add_backend(GetParam().backends[0])});
    TestSocket backend_socket = serve(SOCK_DGRAM), client = datagram();
    ASSERT_EQ(client.send_to(service(), "hello"), 0);
    answer(backend_socket);
    SocketEnd sender;
    EXPECT_EQ(client.receive(&sender), "re: hello");
    EXPECT_EQ(sender, service());
}

TEST_P(ServiceSocketTest, EachPeerOfAnUnconnectedSocketAnswersAsItself) {
    for (std::uint16_t n = 0; n < 3; ++n)
        add_service(service(n + 1), {add_backend(GetParam().backends[n])});
    TestSocket servers[] = {serve(SOCK_DGRAM, 0), serve(SOCK_DGRAM, 1), serve(SOCK_DGRAM, 2)};
    TestSocket direct = serve(SOCK_DGRAM, 0, 9), client = datagram();
    for (std::uint16_t n = 0; n < 3; ++n)
        ASSERT_EQ(client.send_to(service(n + 1), "hello"), 0);
    ASSERT_EQ(client.send_to(server(0, 9), "hello"), 0);
    SocketEnd sender;
    for (std::uint16_t n = 0; n < 3; ++n) {
        answer(servers[n]);
        EXPECT_EQ(client.receive(&sender), "re: hello");
        EXPECT_EQ(sender, service(n + 1));
    }
    answer(direct);
    EXPECT_EQ(client.receive(&sender), "re: hello");
    EXPECT_EQ(sender, server(0, 9));
}

TEST_P(ServiceSocketTest, TheOldestOfTooManyPeersMakesRoom) {
    std::vector<TestSocket> servers;
    for (std::uint16_t n = 0; n <= WEIR_DATAGRAM_PEERS; ++n) {
        add_service(service(n + 1), {add_backend(GetParam().backends[0], 1000 + n)});
        servers.push_back(serve(SOCK_DGRAM, 0, 1000 + n));
    }
    TestSocket client = datagram();
    for (std::uint16_t n = 0; n <= WEIR_DATAGRAM_PEERS; ++n)
        ASSERT_EQ(client.send_to(service(n + 1), "hello"), 0);
    SocketEnd sender;
    for (std::uint16_t n = 0; n <= WEIR_DATAGRAM_PEERS; ++n) {
        answer(servers[n]);
        EXPECT_EQ(client.receive(&sender), "re: hello");
        EXPECT_EQ(sender, n == 0 ? server(0, 1000) : service(n + 1));
    }
}

TEST_P(ServiceSocketTest, DatagramsOfASocketStayWithTheirBackendAsLongAsItIsActive) {
    const auto ids = add_backends(GetParam());
    add_service(service(), ids);
    TestSocket servers[] = {serve(SOCK_DGRAM, 0), serve(SOCK_DGRAM, 1), serve(SOCK_DGRAM, 2)};
    TestSocket client = datagram();
    const auto send_and_find = [&]() -> std::size_t {
        EXPECT_EQ(client.send_to(service(), "hello"), 0);
        for (std::size_t n = 0; n < 3; ++n) {
            char text[8];
            if (::recv(servers[n].fd(), text, sizeof(text), MSG_DONTWAIT) > 0) return n;
        }
        ADD_FAILURE() << "nobody got it";
        return 0;
    };
    const std::size_t first = send_and_find();
    for (int i = 0; i < 20; ++i)
        EXPECT_EQ(send_and_find(), first);
    backend(ids[first]).state = WEIR_BACKEND_DRAINING;
    const std::size_t second = send_and_find();
    EXPECT_NE(second, first);
    for (int i = 0; i < 20; ++i)
        EXPECT_EQ(send_and_find(), second);
}

TEST_P(ServiceSocketTest, AReplyInFlightWhenItsBackendGoesComesFromTheService) {
    const auto id = add_backend(GetParam().backends[0]);
    add_service(service(), {id});
    TestSocket backend_socket = serve(SOCK_DGRAM), client = datagram();
    ASSERT_EQ(client.send_to(service(), "hello"), 0);
    backend(id).state = WEIR_BACKEND_REMOVED;
    answer(backend_socket);
    SocketEnd sender;
    EXPECT_EQ(client.receive(&sender), "re: hello");
    EXPECT_EQ(sender, service());
}

TEST_P(ServiceSocketTest, AServiceWithoutBackendsRefuses) {
    add_service(service(), {});
    TestSocket tcp = stream(), udp = datagram(), unconnected = datagram();
    EXPECT_EQ(tcp.connect(service()), ECONNREFUSED);
    EXPECT_EQ(udp.connect(service()), ECONNREFUSED);
    EXPECT_EQ(unconnected.send_to(service(), "hello"), ECONNREFUSED);
    EXPECT_EQ(outcome(WEIR_SERVICE_NO_BACKEND), 3u);
}

TEST_P(ServiceSocketTest, AServiceWithoutUsableBackendsRefuses) {
    const auto ids = add_backends(GetParam());
    add_service(service(), ids);
    backend(ids[0]).state = WEIR_BACKEND_DRAINING;
    backend(ids[1]).state = WEIR_BACKEND_EJECTED;
    backend(ids[2]).state = WEIR_BACKEND_REMOVED;
    TestSocket tcp = stream(), unconnected = datagram();
    EXPECT_EQ(tcp.connect(service()), ECONNREFUSED);
    EXPECT_EQ(unconnected.send_to(service(), "hello"), ECONNREFUSED);
    EXPECT_EQ(outcome(WEIR_SERVICE_NONE_USABLE), 2u);
}

TEST_P(ServiceSocketTest, APortThatTheServiceDoesNotHaveDrops) {
    add_service(service(), {add_backend(GetParam().backends[0])});
    add_wildcard(GetParam().service);
    TestSocket tcp = stream(), unconnected = datagram(), resolver = datagram();
    EXPECT_EQ(tcp.connect(service(81)), ETIMEDOUT);
    EXPECT_EQ(unconnected.send_to(service(81), "hello"), EPERM);
    EXPECT_EQ(outcome(WEIR_SERVICE_DROPPED), 2u);
    // Resolvers do so to learn their source address: nothing is sent.
    EXPECT_EQ(resolver.connect(service(53)), 0);
    EXPECT_EQ(resolver.peer(), service(53));
}

TEST_P(ServiceSocketTest, ABackendOfTheOtherFamilyIsNotUsed) {
    const bool is_v6 = std::string_view(GetParam().service).find(':') != std::string_view::npos;
    const auto id = add_backend(is_v6 ? "10.0.0.1" : "fd00::1");
    add_service(service(), {id});
    TestSocket udp = datagram();
    EXPECT_EQ(udp.connect(service()), 0);
    EXPECT_EQ(udp.peer(), service());
    EXPECT_EQ(backend(id).live, 0u);
    EXPECT_EQ(outcome(WEIR_SERVICE_WRONG_FAMILY), 1u);
}

TEST_P(ServiceSocketTest, WhatIsForCertainSourcesOnlyIsLeftToThePackets) {
    add_service(service(), {add_backend(GetParam().backends[0])},
                {.flags = WEIR_SERVICE_SOURCE_RANGES});
    TestSocket udp = datagram();
    EXPECT_EQ(udp.connect(service()), 0);
    EXPECT_EQ(udp.peer(), service());
}

TEST_P(ServiceSocketTest, TheConnectionsOfABackendAreCounted) {
    const auto id = add_backend(GetParam().backends[0]);
    add_service(service(), {id});
    TestSocket listener = serve(SOCK_STREAM);
    TestSocket tcp = stream(), udp = datagram(), refused = stream();
    ASSERT_EQ(tcp.connect(service()), 0);
    ASSERT_EQ(udp.connect(service()), 0);
    EXPECT_EQ(backend(id).live, 2u);
    ASSERT_EQ(udp.connect(service()), 0); // again, the same socket
    EXPECT_EQ(backend(id).live, 2u);
    EXPECT_EQ(backend(id).opened, 3u);
    listener.close();
    EXPECT_EQ(refused.connect(service()), ECONNREFUSED); // by the backend
    refused.close();
    EXPECT_EQ(backend(id).live, 2u);
    ASSERT_EQ(udp.connect(server()), 0);
    EXPECT_EQ(backend(id).live, 1u);
    tcp.close();
    EXPECT_EQ(backend(id).live, 0u);
}

TEST_P(ServiceSocketTest, ASocketThatFindsItsSetFullIsRecordedAllTheSame) {
    const auto id = add_backend(GetParam().backends[0]);
    add_service(service(), {id});
    const auto fill_with = [](std::uint64_t other_socket) {
        for (std::uint32_t i = 0; i < maps().sockets.size(); ++i)
            for (auto& cookie : maps().sockets[i].cookies)
                cookie = other_socket;
    };
    fill_with(~std::uint64_t{0});
    TestSocket udp = datagram();
    ASSERT_EQ(udp.connect(service()), 0);
    fill_with(0);
    EXPECT_EQ(udp.peer(), service());
    EXPECT_EQ(backend(id).live, 1u);
    udp.close();
    EXPECT_EQ(backend(id).live, 0u);
    EXPECT_EQ(outcome(WEIR_SERVICE_NOT_RECORDED), 0u);
}

TEST_P(ServiceSocketTest, AClosedSocketLeavesNothingBehind) {
    add_service(service(), {add_backend(GetParam().backends[0])});
    for (int i = 0; i < 100; ++i) {
        TestSocket udp = datagram();
        ASSERT_EQ(udp.connect(service()), 0);
    }
    for (std::uint32_t i = 0; i < maps().sockets.size(); ++i)
        for (const auto cookie : maps().sockets[i].cookies)
            ASSERT_EQ(cookie, 0u);
}

TEST_P(ServiceSocketTest, ABackendsIdUsedAnewIsNotTheSocketsAnyMore) {
    const auto id = add_backend(GetParam().backends[0]);
    add_service(service(), {id});
    TestSocket udp = datagram();
    ASSERT_EQ(udp.connect(service()), 0);
    backend(id).generation++;
    backend(id).live = 5;
    EXPECT_EQ(udp.peer(), server());
    udp.close();
    EXPECT_EQ(backend(id).live, 5u);
}

} // namespace
} // namespace weir::test
