// SPDX-License-Identifier: Apache-2.0
// The pods' programs with services, on built packets: bytes and checksums of what leaves them.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "loader/service_dataplane.h"
#include "tests/bpf/pod_fixture.h"
#include "tests/bpf/service_tables.h"

namespace weir::test {

inline constexpr std::uint16_t kClient = 40000; // the pod's port
inline constexpr std::uint16_t kServicePort = 80;
inline constexpr std::uint16_t kBackendPort = 8080;

// That a pod may open in a second and a bit, before it is a flood.
inline constexpr std::int32_t kNewFlows = 256;

// A pod, a service and its backend of one family.
struct Ends {
    const char* name;
    const char* pod;
    const char* service;
    const char* backend;
};
inline constexpr Ends kEnds[] = {{"IPv4", kPod4, "10.96.0.1", kPeer4},
                                 {"IPv6", kPod6, "fd00:96::1", kPeer6}};

// What a hook did to a packet.
struct Passed {
    std::int32_t verdict = 0;
    Bytes packet;
};

// All tests share one dataplane: loading it takes longer than any of them.
class ServicePodTest : public PodTest {
protected:
    void SetUp() override;
    void TearDown() override;
    std::shared_ptr<Dataplane> open_dataplane() override;

    // The pod sends, or gets, this packet (from the IP header on).
    Passed egress(const Bytes& packet, const FrameOptions& options = {});
    Passed ingress(const Bytes& packet, std::uint32_t ingress_ifindex = kElsewhere);
    // It passes as the other one, to the last checksum.
    void expect_egress(const Bytes& packet, const Bytes& expected);
    void expect_ingress(const Bytes& packet, const Bytes& expected);
    // It is sent back to the pod as the other one.
    void expect_returned(const Bytes& packet, const Bytes& expected);
    // It is dropped for the reason.
    void expect_dropped(const Bytes& packet, int reason);

    static ServiceDataplane& services();
    std::uint64_t outcome(weir_service_outcome outcome) const;
    ServiceTables& tables() { return *tables_; }
    // A service of one backend for each family; its id by the family's name.
    std::map<std::string, std::uint32_t> add_services();
    // What the uplink writes of a client outside whom the pod answers from kBackendPort.
    void add_outside_flow(const char* pod, const char* client, const char* service,
                          std::uint16_t service_port, std::uint8_t protocol);

private:
    std::unique_ptr<ServiceTables> tables_;
    ServiceOutcomes outcomes_before_{};
};

// IP packets with checksums.
Bytes tcp_packet(const char* source, std::uint16_t source_port, const char* destination,
                 std::uint16_t destination_port, std::uint8_t flags, std::size_t payload = 0);
Bytes udp_packet(const char* source, std::uint16_t source_port, const char* destination,
                 std::uint16_t destination_port, std::size_t payload = 9);
// An ICMP error that quotes a packet.
Bytes error_packet(const char* source, const char* destination, const Bytes& quoted);

} // namespace weir::test
