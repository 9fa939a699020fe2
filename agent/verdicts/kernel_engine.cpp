// SPDX-License-Identifier: Apache-2.0
// Judges with the shipped programs: private maps, one interface entry that is pointed at one pod
// after another, one built packet a question, and the programs' own event for the rule.
#include <fmt/format.h>
#include <netinet/in.h>

#include <algorithm>
#include <optional>
#include <tuple>
#include <utility>

#include "agent/flow/flow_record.h"
#include "agent/revision.h"
#include "agent/verdicts/engine.h"
#include "agent/verdicts/packet.h"
#include "loader/dataplane.h"
#include "loader/events.h"
#include "loader/map_budget.h"
#include "loader/test_run.h"

namespace weir {
namespace {

// The loopback device, on which the kernel runs test packets by default, plays every pod's veth.
constexpr std::uint32_t kInterface = 1;
// Any other interface: the packet was forwarded.
constexpr std::uint32_t kElsewhere = 2;
constexpr std::int32_t kPassed = -1; // TCX_NEXT, TC_ACT_UNSPEC
constexpr std::int32_t kDropped = 2; // TCX_DROP, TC_ACT_SHOT
// Ports that clients get by themselves.
constexpr std::uint16_t kFirstClientPort = 32768;

constexpr MacAddress kPodMac{0x02, 0, 0, 0, 0, 0x01};
constexpr MacAddress kPeerMac{0x02, 0, 0, 0, 0, 0x02};

// Policy maps as on a node; what remembers flows may be small, because none is remembered.
MapSizes private_sizes(std::uint64_t map_memory) {
    MapSizes small = sizes_for(map_memory);
    small.flows = 1024;
    small.new_flows = 1024;
    small.fragments = 64;
    small.event_bytes = 64 << 10;
    return small;
}

// The key that the programs make of a packet (struct weir_flow_key).
weir_flow_key key_of(const FirstPacket& packet) {
    const weir_address source = packet.source.to_abi();
    const weir_address destination = packet.destination.to_abi();
    const auto rank = [](const weir_address& address, std::uint16_t port) {
        return std::tuple(address.halves[0], address.halves[1], htons(port));
    };
    const bool is_low =
        rank(source, packet.source_port) <= rank(destination, packet.destination_port);
    weir_flow_key key{};
    key.low = is_low ? source : destination;
    key.high = is_low ? destination : source;
    key.low_port = htons(is_low ? packet.source_port : packet.destination_port);
    key.high_port = htons(is_low ? packet.destination_port : packet.source_port);
    key.protocol = packet.protocol;
    return key;
}

PodFacts facts_of(const LocalPod& pod) {
    // Not the slot of the one interface: it is bound to the pod of each question in turn.
    PodFacts facts{.ifindex = 0, .mac = kPodMac, .addresses = {}};
    const std::size_t count = std::min(pod.addresses.size(), facts.addresses.size());
    for (std::size_t i = 0; i < count; ++i)
        facts.addresses[i] = pod.addresses[i].to_abi();
    return facts;
}

class KernelEngine final : public Engine {
public:
    explicit KernelEngine(Dataplane dataplane) : dataplane_(std::move(dataplane)) {}

    Result<> listen() {
        auto reader = EventReader::open(dataplane_.events_fd(),
                                        [this](const weir_event& event) { event_ = event; });
        if (!reader) return std::unexpected(std::move(reader.error()));
        events_ = std::move(*reader);
        return {};
    }

    std::size_t max_pods() const override { return WEIR_MAX_PODS; }
    Limits limits() const override { return limits_of(dataplane_); }

    Result<> apply(const std::vector<LocalPod>& new_pods, const Transaction& transaction) override {
        for (const auto& pod : new_pods) {
            if (auto written = dataplane_.write_pod(pod.slot, facts_of(pod)); !written) {
                return written;
            }
        }
        return write_revision(dataplane_, transaction, ++revision_);
    }

    Result<SideAnswer> judge(const SideQuestion& question) override {
        if (auto pointed = point_at(question.slot); !pointed) {
            return std::unexpected(std::move(pointed.error()));
        }
        const FirstPacket packet = packet_of(question);
        event_.reset();
        const auto ran =
            run_packet(dataplane_.program_fd(question.direction), PacketBuffer(packet).bytes(),
                       {.ingress_ifindex = arrival_of(question)});
        if (!ran) return std::unexpected(ran.error());
        if (auto read = events_->consume(); !read) return std::unexpected(read.error());
        // No flow may see another's state.
        if (auto erased = dataplane_.maps().new_flows.erase(key_of(packet)); !erased) {
            return std::unexpected(erased.error());
        }
        return answer(question, ran->verdict);
    }

private:
    Result<> point_at(std::uint32_t slot) {
        if (slot_ == slot) return {};
        slot_ = slot;
        return dataplane_.bind(kInterface, slot);
    }

    FirstPacket packet_of(const SideQuestion& question) {
        const bool is_egress = question.direction == WEIR_EGRESS;
        source_port_ = source_port_ == 0xffff ? kFirstClientPort : source_port_ + 1;
        return {.from = is_egress ? kPodMac : kPeerMac,
                .to = is_egress ? kPeerMac : kPodMac,
                .source = question.source,
                .destination = question.destination,
                .source_port = source_port_,
                .destination_port = question.port,
                .protocol = question.protocol};
    }

    // Where a packet for the pod came from: the node itself, the pod's own interface, or elsewhere.
    static std::uint32_t arrival_of(const SideQuestion& question) {
        if (question.direction == WEIR_EGRESS) return kInterface;
        if (question.source == question.destination) return kInterface;
        return question.is_from_own_node ? 0 : kElsewhere;
    }

    // The return value says what happened to the packet, the event why; they must agree.
    SideAnswer answer(const SideQuestion& question, std::int32_t verdict) const {
        if (question.source == question.destination && verdict == kPassed && !event_) {
            return {.is_allowed = true, .rule = WEIR_RULE_OWN_ADDRESS, .error = {}};
        }
        if (!event_)
            return {.error = fmt::format("the program answered {} without event", verdict)};
        if (verdict == kPassed && event_->type == WEIR_EVENT_ALLOWED) {
            return {.is_allowed = true, .rule = WEIR_VERDICT_RULE(event_->rule), .error = {}};
        }
        const bool is_policy =
            event_->reason == WEIR_DROP_POLICY_DENY || event_->reason == WEIR_DROP_POD_UNKNOWN;
        if (verdict == kDropped && event_->type == WEIR_EVENT_DENIED && is_policy) {
            return {.is_allowed = false, .rule = event_->rule, .error = {}};
        }
        return {.error = fmt::format("the program answered {} and reported {} {}", verdict,
                                     int{event_->type}, drop_word(event_->reason))};
    }

    Dataplane dataplane_;
    std::optional<EventReader> events_; // goes before the Dataplane
    std::optional<weir_event> event_;   // of the last packet
    std::optional<std::uint32_t> slot_; // behind the interface
    std::uint16_t source_port_ = kFirstClientPort;
    std::uint32_t revision_ = 0;
};

} // namespace

Result<std::unique_ptr<Engine>> make_kernel_engine(std::uint64_t map_memory) {
    auto dataplane = Dataplane::open({.bpffs = {},
                                      .sizes = private_sizes(map_memory),
                                      .shares = PodShares::none(),
                                      .hook = HookKind::kAuto});
    if (!dataplane) return std::unexpected(std::move(dataplane.error()));
    auto engine = std::make_unique<KernelEngine>(std::move(*dataplane));
    if (auto listening = engine->listen(); !listening) {
        return std::unexpected(std::move(listening.error()));
    }
    return engine;
}

} // namespace weir
