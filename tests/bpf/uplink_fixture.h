// SPDX-License-Identifier: Apache-2.0
// The shipped programs of an uplink on built frames: a node with a client and another node beyond
// its uplink, maps written by hand. As on a real uplink, what the XDP program passes goes on to the
// tc program.
#pragma once

#include <gtest/gtest.h>
#include <netinet/in.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "loader/service_dataplane.h"
#include "loader/uplink_dataplane.h"
#include "tests/support/address.h"
#include "tests/support/checksum.h"
#include "tests/support/packet.h"

namespace weir::test {

inline constexpr std::uint16_t kServicePort = 80;
inline constexpr std::uint16_t kPodPort = 8080; // of backends
inline constexpr std::uint16_t kClientPort = 40'000;
inline constexpr std::uint16_t kFirstPort = 61'000; // of the node's source ports
inline constexpr std::uint16_t kLastPort = 61'999;

// Who is who, in each family.
struct UplinkFamily {
    const char* name;
    const char* node;
    const char* client;
    const char* service; // a LoadBalancer's address
    const char* local;   // a pod here
    const char* remote;  // a pod on the other node
    const char* router;  // somebody on the way
    bool is_v6;
};
extern const std::vector<UplinkFamily> kUplinkFamilies;

enum class Fate { kPassed, kSent, kDropped };

struct UplinkResult {
    Fate fate = Fate::kDropped;
    bool is_by_xdp = false; // that program sent or dropped it
    Bytes frame;            // afterwards
    SeenPacket packet;      // in it
};

struct UplinkCase {
    UplinkFamily family;
    bool has_xdp = false; // else the tc program alone
};
std::vector<UplinkCase> all_uplink_cases();
std::string uplink_case_name(const testing::TestParamInfo<UplinkCase>& info);

class UplinkTest : public ::testing::TestWithParam<UplinkCase> {
protected:
    UplinkTest();
    ~UplinkTest() override;

    const UplinkFamily& family() const { return GetParam().family; }
    static const ServiceMaps& maps();
    static UplinkDataplane& uplink();
    std::uint64_t outcome(weir_uplink_outcome outcome) const; // counted in this test

    // ---- services ----
    std::uint32_t add_backend(std::string_view address, bool is_local,
                              std::uint16_t port = kPodPort);
    std::uint32_t add_local() { return add_backend(family().local, true); }
    std::uint32_t add_remote() { return add_backend(family().remote, false); }
    weir_backend& backend(std::uint32_t id) { return maps().backends[id]; }
    // For TCP and UDP at kServicePort.
    void add_service(const std::vector<std::uint32_t>& slots, std::uint32_t flags = 0,
                     std::uint32_t affinity = 0);
    void add_wildcard(); // as the compiler writes it for a LoadBalancer's address
    void add_source_range(std::string_view network, std::uint32_t bits);

    // ---- frames: with checksums, from the client to the service unless said otherwise ----
    Bytes request(const Bytes& transport, std::uint8_t protocol,
                  const IpOptions& options = {}) const;
    Bytes tcp_request(std::uint8_t flags = kSyn, std::uint16_t port = kClientPort,
                      std::size_t payload = 0) const;
    Bytes udp_request(std::uint16_t port = kClientPort, std::size_t payload = 32) const;
    std::uint8_t icmp_protocol() const {
        return static_cast<std::uint8_t>(family().is_v6 ? int{IPPROTO_ICMPV6} : int{IPPROTO_ICMP});
    }
    // What answers the frame, from the other end.
    Bytes answer_to(const Bytes& frame, std::uint8_t tcp_flags = kSyn | kAck) const;

    UplinkResult run(const Bytes& frame) const;

private:
    std::vector<weir_service_key> frontends_;
    std::vector<weir_source_range> ranges_;
    UplinkOutcomes outcomes_before_{};
    std::uint32_t next_backend_ = 1;
    std::uint32_t next_slot_ = 0;
};

} // namespace weir::test
