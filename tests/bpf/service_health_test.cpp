// SPDX-License-Identifier: Apache-2.0
// Failures of a backend that its clients' node sees: what outlier ejection goes by.
#include <unistd.h>

#include "tests/bpf/service_fixture.h"

namespace weir::test {
namespace {

class ServiceHealthTest : public ServiceTest, public ::testing::WithParamInterface<SocketFamily> {
protected:
    void SetUp() override {
        id_ = add_backend(GetParam().backends[0]);
        add_service(service(), {id_});
        ASSERT_TRUE(dataplane().watch_health(cgroup()));
    }
    void TearDown() override { ASSERT_TRUE(dataplane().ignore_health()); }

    SocketEnd service() const { return {GetParam().service, kPort}; }
    TestSocket stream() const { return {GetParam().family, SOCK_STREAM}; }
    TestSocket serve() const {
        TestSocket listener = stream();
        EXPECT_EQ(listener.bind({GetParam().backends[0], kBackendPort}), 0);
        listener.listen();
        return listener;
    }
    // The server's end; closing it without having read what came resets the connection.
    static Fd accept(const TestSocket& listener) {
        return Fd(::accept(listener.fd(), nullptr, nullptr));
    }
    // The listener's queue is full, so that the client's SYN is not answered.
    struct Unanswered {
        TestSocket listener, first, client;
    };
    Unanswered connect_in_vain() const {
        Unanswered made{stream(), stream(), {GetParam().family, SOCK_STREAM | SOCK_NONBLOCK}};
        EXPECT_EQ(made.listener.bind({GetParam().backends[0], kBackendPort}), 0);
        EXPECT_EQ(::listen(made.listener.fd(), 0), 0);
        EXPECT_EQ(made.first.connect(service()), 0);
        EXPECT_EQ(made.client.connect(service()), EINPROGRESS);
        return made;
    }
    static void reset(Fd connection) {
        const linger at_once{.l_onoff = 1, .l_linger = 0};
        ::setsockopt(connection.value(), SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
    }

    std::uint32_t failures() { return backend(id_).failures; }
    std::uint64_t failed() { return backend(id_).failed; }

    std::uint32_t id_ = 0;
};

INSTANTIATE_TEST_SUITE_P(Families, ServiceHealthTest, ::testing::ValuesIn(kSocketFamilies),
                         [](const auto& test) { return std::string(test.param.name); });

TEST_P(ServiceHealthTest, RefusedHandshakesAreCountedUntilOneSucceeds) {
    for (int i = 0; i < 3; ++i)
        EXPECT_EQ(stream().connect(service()), ECONNREFUSED);
    EXPECT_EQ(failures(), 3u);
    EXPECT_EQ(failed(), 3u);
    TestSocket listener = serve(), client = stream();
    ASSERT_EQ(client.connect(service()), 0);
    EXPECT_EQ(failures(), 0u);
    EXPECT_EQ(failed(), 3u);
    EXPECT_EQ(backend(id_).opened, 4u);
}

TEST_P(ServiceHealthTest, AHandshakeWithoutAnAnswerIsCountedOnceAndAtTheFirstRetransmission) {
    Unanswered connection = connect_in_vain();
    EXPECT_EQ(failed(), 0u);
    for (int i = 0; i < 200 && failed() == 0; ++i)
        ::usleep(20'000);
    EXPECT_EQ(failed(), 1u);
    EXPECT_EQ(failures(), 1u);
    connection.client.close();
    EXPECT_EQ(failed(), 1u);
}

TEST_P(ServiceHealthTest, AProcessThatGivesUpIsNoFailure) {
    Unanswered connection = connect_in_vain();
    connection.client.close();
    EXPECT_EQ(failed(), 0u);
    EXPECT_EQ(failures(), 0u);
}

TEST_P(ServiceHealthTest, ConnectionsResetBeforeAnAnswerAreConsecutiveFailures) {
    TestSocket listener = serve();
    for (std::uint32_t i = 1; i <= 3; ++i) {
        TestSocket client = stream();
        ASSERT_EQ(client.connect(service()), 0);
        reset(accept(listener));
        EXPECT_EQ(client.receive(nullptr), ""); // it has heard of it
        EXPECT_EQ(failures(), i);
    }
    EXPECT_EQ(failed(), 0u); // the handshakes succeeded
}

TEST_P(ServiceHealthTest, AConnectionThatWasAnsweredOrClosedInOrderIsNoFailure) {
    TestSocket listener = serve(), answered = stream(), ended = stream();
    ASSERT_EQ(answered.connect(service()), 0);
    Fd connection = accept(listener);
    ASSERT_EQ(::send(connection.value(), "hi", 2, MSG_NOSIGNAL), 2);
    EXPECT_EQ(answered.receive(nullptr), "hi");
    reset(std::move(connection));
    EXPECT_EQ(answered.receive(nullptr), "");
    ASSERT_EQ(ended.connect(service()), 0);
    accept(listener);
    EXPECT_EQ(ended.receive(nullptr), "");
    EXPECT_EQ(failures(), 0u);
}

TEST_P(ServiceHealthTest, NobodyCountsUnlessAsked) {
    ASSERT_TRUE(dataplane().ignore_health());
    EXPECT_EQ(stream().connect(service()), ECONNREFUSED);
    EXPECT_EQ(failed(), 0u);
    ASSERT_TRUE(dataplane().watch_health(cgroup()));
    EXPECT_EQ(stream().connect(service()), ECONNREFUSED);
    EXPECT_EQ(failed(), 1u);
}

TEST_P(ServiceHealthTest, ConnectionsToTheBackendItselfAreNobodysBusiness) {
    EXPECT_EQ(stream().connect({GetParam().backends[0], kBackendPort}), ECONNREFUSED);
    EXPECT_EQ(failures(), 0u);
}

} // namespace
} // namespace weir::test
