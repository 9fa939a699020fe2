// SPDX-License-Identifier: Apache-2.0
// Connections from outside to a backend on another node, before and when they are answered: a SYN
// costs one element, the first answer makes the other.
#include "tests/bpf/uplink_fixture.h"

namespace weir::test {
namespace {

class UplinkHandshakeTest : public UplinkTest {
protected:
    static int elements() {
        int count = 0;
        EXPECT_TRUE(
            uplink().nat().for_each([&](const weir_nat_key&, const weir_uplink_nat&) { ++count; }));
        return count;
    }
    // Two backends, of which Maglev's table has one: a change of the table moves every new flow.
    void SetUp() override {
        first_ = add_remote();
        second_ = add_backend(family().remote, false, 9090);
        add_service({first_});
    }

    std::uint32_t first_ = 0, second_ = 0;
};

INSTANTIATE_TEST_SUITE_P(Uplink, UplinkHandshakeTest, testing::ValuesIn(all_uplink_cases()),
                         uplink_case_name);

TEST_P(UplinkHandshakeTest, TheFirstAnswerMakesTheRequestsElement) {
    const auto opened = run(tcp_request());
    EXPECT_EQ(elements(), 1);
    const auto answer = run(answer_to(opened.frame));
    EXPECT_EQ(answer.packet.source_port, kServicePort);
    EXPECT_EQ(elements(), 2);
    for (int again = 0; again < 2; ++again) {
        const auto next = run(tcp_request(kAck));
        EXPECT_EQ(next.packet.source_port, opened.packet.source_port);
        EXPECT_TRUE(checksums_hold(next.frame));
        EXPECT_EQ(run(answer_to(next.frame, kAck)).packet.destination_port, kClientPort);
    }
    EXPECT_EQ(elements(), 2);
    EXPECT_EQ(backend(first_).opened, 1u);
}

TEST_P(UplinkHandshakeTest, ASynThatIsSentAgainKeepsItsPort) {
    const auto opened = run(tcp_request());
    for (int again = 0; again < 3; ++again)
        EXPECT_EQ(run(tcp_request()).packet.source_port, opened.packet.source_port);
    EXPECT_EQ(elements(), 1);
    EXPECT_EQ(backend(first_).opened, 1u);
}

TEST_P(UplinkHandshakeTest, TheBackendThatAnsweredKeepsTheConnectionWhateverTheTableSays) {
    const auto opened = run(tcp_request());
    add_service({second_});
    run(answer_to(opened.frame));
    const auto next = run(tcp_request(kAck));
    EXPECT_EQ(next.packet.source_port, opened.packet.source_port);
    EXPECT_EQ(next.packet.destination_port, kPodPort);
    EXPECT_EQ(run(tcp_request(kSyn, kClientPort + 1)).packet.destination_port, 9090);
}

// The kernel evicts the least recently used.
TEST_P(UplinkHandshakeTest, AConnectionWhoseRequestsElementIsGoneFindsItsPortAgain) {
    const auto opened = run(tcp_request());
    run(answer_to(opened.frame));
    weir_nat_key key{};
    key.source = address(family().client);
    key.destination = address(family().service);
    key.source_port = htons(kClientPort);
    key.destination_port = htons(kServicePort);
    key.protocol = IPPROTO_TCP;
    ASSERT_TRUE(uplink().nat().erase(key).value_or(false));
    EXPECT_EQ(run(tcp_request(kAck)).packet.source_port, opened.packet.source_port);
    EXPECT_EQ(elements(), 2);
}

TEST_P(UplinkHandshakeTest, ADatagramsFlowHasBothElementsAtOnce) {
    run(udp_request());
    EXPECT_EQ(elements(), 2);
}

TEST_P(UplinkHandshakeTest, SoHasOneWhoseBackendIsDrawn) {
    add_service({first_, second_}, 0, 60); // by affinity
    run(tcp_request());
    EXPECT_EQ(elements(), 2);
}

} // namespace
} // namespace weir::test
