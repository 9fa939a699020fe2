// SPDX-License-Identifier: Apache-2.0
// The shipped programs on built packets: two pods, a peer outside, tables written by hand.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "loader/dataplane.h"
#include "loader/events.h"
#include "loader/test_run.h"
#include "tests/support/address.h"
#include "tests/support/packet.h"

namespace weir::test {

inline constexpr std::uint32_t kPod = 0;   // slots
inline constexpr std::uint32_t kOther = 1; // another pod of this node
inline constexpr std::uint32_t kFree = 7;  // nobody's

inline constexpr const char* kPod4 = "10.0.0.1";
inline constexpr const char* kPod6 = "fd00::1";
inline constexpr const char* kPodLinkLocal = "fe80::1";
inline constexpr const char* kOther4 = "10.0.0.3";
inline constexpr const char* kPeer4 = "10.0.0.2"; // in class 1, like kPeer6
inline constexpr const char* kPeer6 = "fd00::2";
inline constexpr const char* kStranger4 = "192.0.2.9"; // in no class
inline constexpr const char* kStranger6 = "2001:db8::9";

inline constexpr std::uint32_t kDenied = 40; // rule ids
inline constexpr std::uint32_t kAllowed = 41;

inline constexpr std::uint32_t kOwnNode = 0; // where a packet came in
inline constexpr std::uint32_t kLoopback = 1;
// No slot is the loopback's home: each test binds it to the pod that it is about.
inline constexpr std::uint32_t kNowhere = 100;
inline constexpr std::uint32_t kElsewhere = 9;

constexpr std::int32_t kPass = -1; // verdicts: TCX_NEXT, TCX_DROP, TCX_REDIRECT
constexpr std::int32_t kDropped = 2;
constexpr std::int32_t kRedirected = 7;

class PodTest : public ::testing::Test {
protected:
    void SetUp() override;
    // Of this test, or shared with others: flows of an earlier one are forgotten.
    virtual std::shared_ptr<Dataplane> open_dataplane();

    // ---- policy ----
    // Gives the slot's direction a fresh generation, as a flip does.
    void flip(std::uint32_t slot, weir_direction direction, std::uint32_t table);
    // What the slot allows class 1 in the direction; everything else is denied.
    void allow(std::uint32_t slot, weir_direction direction, std::vector<weir_interval> intervals);
    void allow_port(std::uint32_t slot, weir_direction direction, std::uint8_t protocol,
                    std::uint16_t port);
    void allow_all(std::uint32_t slot, weir_direction direction);
    void deny_all(std::uint32_t slot, weir_direction direction);

    // ---- packets ----
    // Runs the slot's hook. output: receives the packet as the hook left it.
    PacketVerdict run(std::uint32_t slot, weir_direction direction, const Bytes& packet,
                      std::uint32_t ingress_ifindex, Bytes& output);
    // The same; true when the packet passes.
    bool passes(std::uint32_t slot, weir_direction direction, const Bytes& packet,
                std::uint32_t ingress_ifindex = kElsewhere);
    bool sends(const Bytes& packet) { return passes(kPod, WEIR_EGRESS, packet, kOwnNode); }
    bool receives(const Bytes& packet, std::uint32_t ingress_ifindex = kElsewhere) {
        return passes(kPod, WEIR_INGRESS, packet, ingress_ifindex);
    }
    // Only runs it, for many packets.
    void fast_run(std::uint32_t slot, weir_direction direction, const Bytes& packet);
    // What the egress counter of passed packets gains by an offloaded packet.
    weir_counter run_offloaded(const Bytes& packet, std::uint32_t segments, std::uint32_t size);
    // The reason for which the last packet was dropped, from the counters.
    int last_reason() const { return last_reason_; }

    // ---- what the programs left behind ----
    const std::vector<weir_event>& events() const { return events_; }
    std::optional<weir_flow> flow(std::string_view a, std::uint16_t a_port, std::string_view b,
                                  std::uint16_t b_port, std::uint8_t protocol = 6) const;
    std::optional<weir_flow> new_flow(std::string_view a, std::uint16_t a_port, std::string_view b,
                                      std::uint16_t b_port, std::uint8_t protocol = 6) const;
    weir_counter counter(weir_direction direction, int reason) const;
    Dataplane& dataplane() { return *dataplane_; }

private:
    std::vector<weir_counter> counters() const;

    std::shared_ptr<Dataplane> dataplane_;
    std::unique_ptr<EventReader> reader_;
    std::vector<weir_event> events_;
    std::uint32_t generation_ = 0;
    std::uint32_t next_interval_ = 1;
    std::uint32_t next_table_ = WEIR_TABLE_FIRST;
    int last_reason_ = 0;
};

// From the pod to the peer and back, over TCP.
Bytes to_peer(std::uint8_t flags, std::uint16_t source = 40000, std::uint16_t destination = 80);
Bytes from_peer(std::uint8_t flags, std::uint16_t source = 80, std::uint16_t destination = 40000);

} // namespace weir::test
