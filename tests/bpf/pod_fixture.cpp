// SPDX-License-Identifier: Apache-2.0
#include "tests/bpf/pod_fixture.h"

#include <arpa/inet.h>

#include <cstring>
#include <string>
#include <tuple>

namespace weir::test {
namespace {

constexpr std::size_t kRoomToGrow = 128; // of a packet that a program turns into another

weir_flow_key key_of(std::string_view a, std::uint16_t a_port, std::string_view b,
                     std::uint16_t b_port, std::uint8_t protocol) {
    const auto rank = [](const weir_address& address, std::uint16_t port) {
        return std::tuple(address.halves[0], address.halves[1], port);
    };
    weir_flow_key key{};
    weir_address low = address(a), high = address(b);
    std::uint16_t low_port = htons(a_port), high_port = htons(b_port);
    if (rank(low, low_port) > rank(high, high_port)) {
        std::swap(low, high);
        std::swap(low_port, high_port);
    }
    key.low = low;
    key.high = high;
    key.low_port = low_port;
    key.high_port = high_port;
    key.protocol = protocol;
    return key;
}

} // namespace

std::shared_ptr<Dataplane> PodTest::open_dataplane() {
    auto dataplane = Dataplane::open({});
    EXPECT_TRUE(dataplane) << dataplane.error().what;
    return dataplane ? std::make_shared<Dataplane>(std::move(*dataplane)) : nullptr;
}

void PodTest::SetUp() {
    dataplane_ = open_dataplane();
    ASSERT_TRUE(dataplane_);
    auto reader = EventReader::open(dataplane_->events_fd(),
                                    [this](const weir_event& event) { events_.push_back(event); });
    ASSERT_TRUE(reader) << reader.error().what;
    reader_ = std::make_unique<EventReader>(std::move(*reader));

    const Maps& maps = dataplane_->maps();
    maps.rows[0] = {0, WEIR_VERDICT_DENY | kDenied};
    for (const char* peer : {kPeer4, kPeer6, kPod4, kOther4}) {
        weir_peer value{};
        value.class_id = 1;
        ASSERT_TRUE(maps.peers.update(address(peer), value));
    }
    PodFacts pod{.ifindex = kNowhere, .mac = {2, 0, 0, 0, 0, 1}, .addresses = {}};
    pod.addresses[0] = address(kPod4);
    pod.addresses[1] = address(kPod6);
    pod.addresses[2] = address(kPodLinkLocal);
    ASSERT_TRUE(dataplane_->write_pod(kPod, pod));
    PodFacts other{.ifindex = kNowhere, .mac = {2, 0, 0, 0, 0, 3}, .addresses = {}};
    other.addresses[0] = address(kOther4);
    ASSERT_TRUE(dataplane_->write_pod(kOther, other));
    for (const std::uint32_t slot : {kPod, kOther}) {
        allow_all(slot, WEIR_EGRESS);
        allow_all(slot, WEIR_INGRESS);
    }
}

void PodTest::flip(std::uint32_t slot, weir_direction direction, std::uint32_t table) {
    store_word(dataplane_->maps().pods[slot].rules[direction],
               WEIR_RULES_WORD(++generation_, table));
}

void PodTest::allow(std::uint32_t slot, weir_direction direction,
                    std::vector<weir_interval> intervals) {
    const Maps& maps = dataplane_->maps();
    const std::uint32_t table = next_table_++, offset = next_interval_;
    for (const weir_interval& interval : intervals)
        maps.rows[next_interval_++] = interval;
    maps.tables[table] = {0, 1};
    ASSERT_TRUE(maps.rules.update({table, 1}, {offset, next_interval_ - offset}));
    flip(slot, direction, table);
}

void PodTest::allow_port(std::uint32_t slot, weir_direction direction, std::uint8_t protocol,
                         std::uint16_t port) {
    allow(slot, direction,
          {{0, WEIR_VERDICT_DENY | kDenied},
           {WEIR_PORT_KEY(protocol, port), kAllowed},
           {WEIR_PORT_KEY(protocol, port + 1u), WEIR_VERDICT_DENY | kDenied}});
}

void PodTest::allow_all(std::uint32_t slot, weir_direction direction) {
    const Maps& maps = dataplane_->maps();
    const std::uint32_t table = next_table_++, offset = next_interval_++;
    maps.rows[offset] = {0, kAllowed};
    maps.tables[table] = {offset, 1};
    flip(slot, direction, table);
}

void PodTest::deny_all(std::uint32_t slot, weir_direction direction) {
    const std::uint32_t table = next_table_++;
    dataplane_->maps().tables[table] = {0, 1};
    flip(slot, direction, table);
}

std::vector<weir_counter> PodTest::counters() const {
    auto counters = dataplane_->counters();
    EXPECT_TRUE(counters) << counters.error().what;
    return *counters;
}

weir_counter PodTest::counter(weir_direction direction, int reason) const {
    return counters().at(static_cast<std::size_t>(direction) * WEIR_DROP_REASON_COUNT +
                         static_cast<std::size_t>(reason));
}

PacketVerdict PodTest::run(std::uint32_t slot, weir_direction direction, const Bytes& packet,
                           std::uint32_t ingress_ifindex, Bytes& output) {
    if (slot == kFree) {
        EXPECT_TRUE(dataplane_->unbind(kLoopback));
    } else {
        EXPECT_TRUE(dataplane_->bind(kLoopback, slot));
    }
    const auto before = counters();
    output.resize(packet.size() + kRoomToGrow);
    auto ran = run_packet(dataplane_->program_fd(direction), as_bytes(packet),
                          {.ifindex = kLoopback, .ingress_ifindex = ingress_ifindex}, 1,
                          std::as_writable_bytes(std::span(output)));
    EXPECT_TRUE(ran) << ran.error().what;
    if (!ran) return {};
    output.resize(ran->output_size);
    EXPECT_TRUE(reader_->consume());

    // Exactly one counter moves, and it agrees with the verdict.
    const auto after = counters();
    const std::size_t base = static_cast<std::size_t>(direction) * WEIR_DROP_REASON_COUNT;
    int moved = 0;
    for (std::size_t reason = 0; reason < WEIR_DROP_REASON_COUNT; reason++) {
        if (after[base + reason].packets == before[base + reason].packets) continue;
        moved++;
        last_reason_ = static_cast<int>(reason);
    }
    EXPECT_EQ(moved, 1);
    if (ran->verdict != kRedirected) {
        EXPECT_EQ(ran->verdict == kPass, last_reason_ == WEIR_DROP_NONE);
    }
    return *ran;
}

bool PodTest::passes(std::uint32_t slot, weir_direction direction, const Bytes& packet,
                     std::uint32_t ingress_ifindex) {
    Bytes output;
    return run(slot, direction, packet, ingress_ifindex, output).verdict == kPass;
}

void PodTest::fast_run(std::uint32_t slot, weir_direction direction, const Bytes& packet) {
    ASSERT_TRUE(dataplane_->bind(kLoopback, slot));
    ASSERT_TRUE(run_packet(dataplane_->program_fd(direction), as_bytes(packet),
                           {.ifindex = kLoopback, .ingress_ifindex = kElsewhere}));
}

weir_counter PodTest::run_offloaded(const Bytes& packet, std::uint32_t segments,
                                    std::uint32_t size) {
    const weir_counter before = counter(WEIR_EGRESS, WEIR_DROP_NONE);
    auto ran = run_packet(dataplane_->program_fd(WEIR_EGRESS), as_bytes(packet),
                          {.ifindex = kLoopback, .gso_segments = segments, .gso_size = size});
    EXPECT_TRUE(ran) << ran.error().what;
    const weir_counter after = counter(WEIR_EGRESS, WEIR_DROP_NONE);
    return {after.packets - before.packets, after.bytes - before.bytes};
}

std::optional<weir_flow> PodTest::flow(std::string_view a, std::uint16_t a_port, std::string_view b,
                                       std::uint16_t b_port, std::uint8_t protocol) const {
    return *dataplane_->maps().flows.lookup(key_of(a, a_port, b, b_port, protocol));
}

std::optional<weir_flow> PodTest::new_flow(std::string_view a, std::uint16_t a_port,
                                           std::string_view b, std::uint16_t b_port,
                                           std::uint8_t protocol) const {
    return *dataplane_->maps().new_flows.lookup(key_of(a, a_port, b, b_port, protocol));
}

Bytes to_peer(std::uint8_t flags, std::uint16_t source, std::uint16_t destination) {
    return frame(ip(kPod4, kPeer4, tcp(source, destination, flags)));
}

Bytes from_peer(std::uint8_t flags, std::uint16_t source, std::uint16_t destination) {
    return frame(ip(kPeer4, kPod4, tcp(source, destination, flags)));
}

} // namespace weir::test
