// SPDX-License-Identifier: Apache-2.0
#include "tests/bpf/uplink_fixture.h"

#include <linux/bpf.h>
#include <net/if.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>

#include "loader/test_run.h"
#include "tests/loader/kernel_fixture.h"

namespace weir::test {
namespace {

constexpr int kTcNext = -1;
constexpr int kTcRedirect = 7;
constexpr const char* kInterface = "up0";

template <typename T>
T value_or_abort(Result<T> result) {
    if (result) return std::move(*result);
    std::fprintf(stderr, "%s\n", result.error().what.c_str());
    std::abort();
}

void build_network() {
    enter_host_netns();
    for (const char* knob : {"ipv4/conf/all/forwarding", "ipv6/conf/all/forwarding"})
        std::ofstream(std::string("/proc/sys/net/") + knob) << "1\n";
    ip("link add up0 address 02:00:00:00:00:01 type veth peer name out0");
    ip("link set out0 up");
    ip("link set up0 mtu 1500 up");
    ip("link add pods0 type veth peer name pods1");
    ip("link set pods0 up");
    for (const bool is_v6 : {false, true}) {
        const std::string v6 = is_v6 ? "-6 " : "";
        const auto& family = kUplinkFamilies[is_v6 ? 1 : 0];
        const std::string peer = is_v6 ? "2001:db8::20" : "192.0.2.20";
        const std::string gateway = is_v6 ? "2001:db8::1" : "192.0.2.1";
        ip(v6 + "addr add " + family.node + (is_v6 ? "/64 dev up0 nodad" : "/24 dev up0"));
        ip(v6 + "neigh add " + peer + " lladdr 02:00:00:00:00:20 dev up0 nud permanent");
        ip(v6 + "neigh add " + gateway + " lladdr 02:00:00:00:00:fe dev up0 nud permanent");
        ip(v6 + "route add " + (is_v6 ? "fd00:1::/64" : "10.0.1.0/24") + " via " + peer);
        ip(v6 + "route add " + (is_v6 ? "fd00::/64" : "10.0.0.0/24") + " dev pods0");
        ip(v6 + "route add default via " + gateway);
    }
}

// One for the whole program: attaching takes longer than any test.
struct Node {
    BpffsFolder bpffs;
    std::uint32_t ifindex;
    ServiceDataplane services;
    UplinkDataplane uplink;

    static Node& instance() {
        static Node node = [] {
            build_network();
            return Node();
        }();
        return node;
    }

    Node()
        : ifindex(::if_nametoindex(kInterface)),
          services(value_or_abort(ServiceDataplane::open({.bpffs = bpffs.path(),
                                                          .sizes = {.frontends = 1024,
                                                                    .slots = 16384,
                                                                    .backends = 1024,
                                                                    .source_ranges = 64,
                                                                    .affinities = 1024}}))),
          uplink(value_or_abort(UplinkDataplane::open(bpffs.path(), services))) {
        weir_uplink own{};
        own.v4 = address(kUplinkFamilies[0].node);
        own.v6 = address(kUplinkFamilies[1].node);
        own.first_port = kFirstPort;
        own.last_port = kLastPort;
        EXPECT_TRUE(uplink.set_node(own));
        value_or_abort(uplink.attach(ifindex, UplinkWish::kXdp));
    }
    ~Node() { EXPECT_TRUE(uplink.detach(ifindex)); }
    Node(const Node&) = delete;
    Node& operator=(const Node&) = delete;
};

weir_service_key key_of(std::string_view text, std::uint16_t port, std::uint8_t protocol) {
    weir_service_key key{};
    key.address = address(text);
    key.port = htons(port);
    key.protocol = protocol;
    key.scope = WEIR_SCOPE_EXTERNAL;
    return key;
}

Bytes run_program(int fd, bool is_xdp, const Bytes& frame, int& verdict) {
    Bytes output(frame.size() + 512);
    const auto room = std::as_writable_bytes(std::span(output));
    const std::uint32_t ifindex = Node::instance().ifindex;
    const auto ran = is_xdp ? run_frame(fd, as_bytes(frame), ifindex, 1, room)
                            : run_packet(fd, as_bytes(frame), {.ifindex = ifindex}, 1, room);
    EXPECT_TRUE(ran) << (ran ? "" : ran.error().what);
    verdict = ran ? ran->verdict : 0;
    output.resize(ran ? ran->output_size : 0);
    return output;
}

} // namespace

const std::vector<UplinkFamily> kUplinkFamilies = {
    {"IPv4", "192.0.2.10", "198.51.100.7", "203.0.113.1", "10.0.0.5", "10.0.1.5", "198.51.100.99",
     false},
    {"IPv6", "2001:db8::10", "2001:db8:7::7", "2001:db8:1::1", "fd00::5", "fd00:1::5",
     "2001:db8:7::99", true},
};

std::vector<UplinkCase> all_uplink_cases() {
    std::vector<UplinkCase> cases;
    for (const auto& family : kUplinkFamilies)
        for (const bool has_xdp : {false, true})
            cases.push_back({family, has_xdp});
    return cases;
}

std::string uplink_case_name(const testing::TestParamInfo<UplinkCase>& info) {
    return std::string(info.param.family.name) + (info.param.has_xdp ? "Xdp" : "Tc");
}

const ServiceMaps& UplinkTest::maps() {
    return Node::instance().services.maps();
}

UplinkDataplane& UplinkTest::uplink() {
    return Node::instance().uplink;
}

UplinkTest::UplinkTest() {
    outcomes_before_ = uplink().outcomes().value();
}

UplinkTest::~UplinkTest() {
    std::vector<weir_nat_key> flows;
    EXPECT_TRUE(uplink().nat().for_each(
        [&](const weir_nat_key& key, const weir_uplink_nat&) { flows.push_back(key); }));
    EXPECT_FALSE(uplink().nat().erase(flows).error);
    EXPECT_FALSE(maps().services.erase(frontends_).error);
    EXPECT_FALSE(maps().sources.erase(ranges_).error);
}

std::uint64_t UplinkTest::outcome(weir_uplink_outcome outcome) const {
    return uplink().outcomes().value()[outcome] - outcomes_before_[outcome];
}

std::uint32_t UplinkTest::add_backend(std::string_view text, bool is_local, std::uint16_t port) {
    const std::uint32_t id = next_backend_++;
    weir_backend made{};
    made.address = address(text);
    made.port = htons(port);
    made.state = WEIR_BACKEND_ACTIVE;
    made.service = 1;
    made.generation = 1000 + id;
    made.is_local = is_local ? 1 : 0;
    backend(id) = made;
    return id;
}

void UplinkTest::add_service(const std::vector<std::uint32_t>& slots, std::uint32_t flags,
                             std::uint32_t affinity) {
    const auto count = static_cast<std::uint32_t>(slots.size());
    const weir_service service{.id = 1,
                               .first_slot = next_slot_,
                               .slot_count = count,
                               .first_maglev = next_slot_,
                               .maglev_count = count,
                               .affinity = affinity,
                               .flags = flags | WEIR_SERVICE_MAGLEV,
                               .spare = 0};
    for (const std::uint32_t id : slots)
        maps().slots[next_slot_++] = id;
    for (const std::uint8_t protocol : {IPPROTO_TCP, IPPROTO_UDP}) {
        frontends_.push_back(key_of(family().service, kServicePort, protocol));
        ASSERT_TRUE(maps().services.update(frontends_.back(), service));
    }
}

void UplinkTest::add_wildcard() {
    weir_service nothing{};
    nothing.flags = WEIR_SERVICE_DROP;
    frontends_.push_back(key_of(family().service, 0, 0));
    ASSERT_TRUE(maps().services.update(frontends_.back(), nothing));
}

void UplinkTest::add_source_range(std::string_view network, std::uint32_t bits) {
    weir_source_range range{};
    range.prefix_length = 32 + (family().is_v6 ? 0 : 96) + bits;
    range.service = 1;
    const weir_address raw = address(network);
    std::ranges::copy(raw.bytes, range.address.bytes);
    ranges_.push_back(range);
    ASSERT_TRUE(maps().sources.update(range, 1));
}

Bytes UplinkTest::request(const Bytes& transport, std::uint8_t protocol,
                          const IpOptions& options) const {
    IpOptions all = options;
    all.protocol = protocol;
    return frame(with_checksums(ip(family().client, family().service, transport, all)));
}

Bytes UplinkTest::tcp_request(std::uint8_t flags, std::uint16_t port, std::size_t payload) const {
    return request(tcp(port, kServicePort, flags, payload), IPPROTO_TCP);
}

Bytes UplinkTest::udp_request(std::uint16_t port, std::size_t payload) const {
    return request(udp(port, kServicePort, payload), IPPROTO_UDP);
}

Bytes UplinkTest::answer_to(const Bytes& sent, std::uint8_t tcp_flags) const {
    const SeenPacket packet = read_packet(sent);
    const bool is_tcp = packet.protocol == IPPROTO_TCP;
    const Bytes transport = is_tcp ? tcp(packet.destination_port, packet.source_port, tcp_flags, 20)
                                   : udp(packet.destination_port, packet.source_port, 20);
    return frame(with_checksums(
        ip(packet.destination, packet.source, transport, {.protocol = packet.protocol})));
}

UplinkResult UplinkTest::run(const Bytes& sent) const {
    UplinkResult result;
    result.frame = sent;
    int verdict = XDP_PASS;
    if (GetParam().has_xdp)
        result.frame = run_program(uplink().xdp_program_fd(), true, sent, verdict);
    result.is_by_xdp = verdict != XDP_PASS;
    if (result.is_by_xdp) {
        result.fate = verdict == XDP_TX ? Fate::kSent : Fate::kDropped;
        EXPECT_TRUE(verdict == XDP_TX || verdict == XDP_DROP) << verdict;
    } else {
        result.frame = run_program(uplink().tc_program_fd(), false, result.frame, verdict);
        result.fate = verdict == kTcNext       ? Fate::kPassed
                      : verdict == kTcRedirect ? Fate::kSent
                                               : Fate::kDropped;
    }
    result.packet = read_packet(result.frame);
    return result;
}

} // namespace weir::test
