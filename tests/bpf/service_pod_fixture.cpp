// SPDX-License-Identifier: Apache-2.0
#include "tests/bpf/service_pod_fixture.h"

#include <algorithm>
#include <cstdlib>
#include <string_view>

#include "tests/loader/kernel_fixture.h"

namespace weir::test {
namespace {

constexpr ServiceSizes kSizes{.frontends = 256,
                              .slots = 1024,
                              .backends = 256,
                              .source_ranges = 64,
                              .affinities = 64,
                              .translations = 4096};

const std::string& pins() {
    static const BpffsFolder folder;
    static const std::string path = folder.path();
    return path;
}

template <typename Key, typename Value>
void clear(const Map<Key, Value>& map) {
    std::vector<Key> keys;
    EXPECT_TRUE(map.for_each([&](const Key& key, const Value&) { keys.push_back(key); }));
    EXPECT_FALSE(map.erase(keys).error);
}

Bytes with_macs_swapped(Bytes frame) {
    std::swap_ranges(frame.begin(), frame.begin() + 6, frame.begin() + 6);
    return frame;
}

bool is_v6(std::string_view address) {
    return address.find(':') != std::string_view::npos;
}

} // namespace

std::shared_ptr<Dataplane> ServicePodTest::open_dataplane() {
    static const std::shared_ptr<Dataplane> shared = [] {
        PodShares shares = PodShares::none();
        shares.new_flows = kNewFlows;
        auto opened = Dataplane::open({.bpffs = pins(), .shares = shares, .services = kSizes});
        EXPECT_TRUE(opened) << opened.error().what;
        return opened ? std::make_shared<Dataplane>(std::move(*opened)) : nullptr;
    }();
    return shared;
}

ServiceDataplane& ServicePodTest::services() {
    static ServiceDataplane shared = [] {
        auto opened = ServiceDataplane::open({.bpffs = pins(), .sizes = kSizes});
        if (!opened) std::abort();
        return std::move(*opened);
    }();
    return shared;
}

void ServicePodTest::SetUp() {
    PodTest::SetUp();
    tables_ = std::make_unique<ServiceTables>(services().maps());
    outcomes_before_ = services().outcomes().value();
}

void ServicePodTest::TearDown() {
    tables_->clear();
    clear(dataplane().maps().flows);
    clear(dataplane().maps().new_flows);
    clear(*dataplane().maps().translations);
    clear(services().maps().sources);
}

std::uint64_t ServicePodTest::outcome(weir_service_outcome outcome) const {
    return services().outcomes().value()[outcome] - outcomes_before_[outcome];
}

std::map<std::string, std::uint32_t> ServicePodTest::add_services() {
    std::map<std::string, std::uint32_t> ids;
    for (const Ends& ends : kEnds) {
        ids[ends.name] = tables_->add_backend(ends.backend, kBackendPort);
        tables_->add_service({ends.service, kServicePort}, {ids[ends.name]});
    }
    return ids;
}

Passed ServicePodTest::egress(const Bytes& packet, const FrameOptions& options) {
    Passed passed;
    passed.verdict =
        run(kPod, WEIR_EGRESS, frame(packet, options), kOwnNode, passed.packet).verdict;
    return passed;
}

Passed ServicePodTest::ingress(const Bytes& packet, std::uint32_t ingress_ifindex) {
    Passed passed;
    passed.verdict = run(kPod, WEIR_INGRESS, frame(packet), ingress_ifindex, passed.packet).verdict;
    return passed;
}

void ServicePodTest::expect_egress(const Bytes& packet, const Bytes& expected) {
    const Passed passed = egress(packet);
    EXPECT_EQ(passed.verdict, kPass) << "reason " << last_reason();
    EXPECT_EQ(passed.packet, frame(expected));
}

void ServicePodTest::expect_ingress(const Bytes& packet, const Bytes& expected) {
    const Passed passed = ingress(packet);
    EXPECT_EQ(passed.verdict, kPass) << "reason " << last_reason();
    EXPECT_EQ(passed.packet, frame(expected));
}

void ServicePodTest::expect_returned(const Bytes& packet, const Bytes& expected) {
    const Passed passed = egress(packet);
    EXPECT_EQ(passed.verdict, kRedirected) << "reason " << last_reason();
    EXPECT_EQ(passed.packet, with_macs_swapped(frame(expected)));
}

void ServicePodTest::expect_dropped(const Bytes& packet, int reason) {
    EXPECT_EQ(egress(packet).verdict, kDropped);
    EXPECT_EQ(last_reason(), reason);
}

void ServicePodTest::add_outside_flow(const char* pod, const char* client, const char* service,
                                      std::uint16_t service_port, std::uint8_t protocol) {
    weir_nat_key key{};
    key.source = address(pod);
    key.destination = address(client);
    key.source_port = htons(kBackendPort);
    key.destination_port = htons(kClient);
    key.protocol = protocol;
    weir_uplink_nat reply{};
    reply.nat.source = address(service);
    reply.nat.destination = key.destination;
    reply.nat.source_port = htons(service_port);
    reply.nat.destination_port = key.destination_port;
    reply.nat.flags = WEIR_NAT_REPLY;
    ASSERT_TRUE(dataplane().maps().uplink_translations->update(key, reply));
}

Bytes tcp_packet(const char* source, std::uint16_t source_port, const char* destination,
                 std::uint16_t destination_port, std::uint8_t flags, std::size_t payload) {
    return with_checksums(
        ip(source, destination, tcp(source_port, destination_port, flags, payload)));
}

Bytes udp_packet(const char* source, std::uint16_t source_port, const char* destination,
                 std::uint16_t destination_port, std::size_t payload) {
    return with_checksums(ip(source, destination, udp(source_port, destination_port, payload),
                             {.protocol = IPPROTO_UDP}));
}

Bytes error_packet(const char* source, const char* destination, const Bytes& quoted) {
    // Fragmentation needed, or packet too big; the quote is cut as RFC 792 allows.
    const Bytes cut(quoted.begin(), quoted.begin() + (is_v6(source) ? 48 : 28));
    return is_v6(source) ? with_checksums(ip(source, destination, icmp(2, 0, 0, cut),
                                             {.protocol = IPPROTO_ICMPV6}))
                         : with_checksums(ip(source, destination, icmp(3, 4, 0, cut),
                                             {.protocol = IPPROTO_ICMP}));
}

} // namespace weir::test
