/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Connection tracking: what packets do to the entries of flow_table.h, and when an entry says
 * something about a packet. */
#ifndef WEIR_BPF_FLOW_H
#define WEIR_BPF_FLOW_H

#include "event.h"
#include "flow_table.h"
#include "load.h"

/* How long a closed connection's entry still tells who opened it. */
const volatile __u64 flow_closed_ns = 120ull * 1000 * 1000 * 1000;
/* Unanswered flows that a pod may open in one window of 2^30 ns in weir_new_flows. */
const volatile __s32 flow_pod_share = 2048;
/* Until then, CLOCK_MONOTONIC ns, there may be entries in weir_crowded_flows. */
volatile __u64 flow_crowded_until;

/* Whether the pods' hooks translate packets to services. The loader sets it, and makes the maps of
 * services only then: whatever uses them asks first. */
const volatile __u8 services_on = 0;

/* Between two update events of a flow, in units of 2^30 ns. */
const volatile __u32 flow_update_interval = 10;

#define TCP_FIN 0x01
#define TCP_SYN 0x02
#define TCP_RST 0x04

/* Where a packet stands in its flow, and what was decided. */
struct passage {
    struct weir_flow_key key;
    __u64 now; /* CLOCK_MONOTONIC, coarse */
    __u32 slot;
    __u32 rule;
    __u32 packets;
    __u32 bytes;
    __u8 is_low;         /* the sender is the key's low end */
    __u8 from_initiator; /* the sender opened the flow */
    __u8 side;           /* of the pod at this hook */
    __u8 tcp_flags;
    __u8 icmp_type;
    __u8 icmp_code;
    __u8 is_for_own_node; /* the denial is for the pod's own node too */
    __u8 is_not_answered; /* weir_flows was asked already and has no such flow */
};

static __always_inline int flow_key_of(const struct packet* packet, struct weir_flow_key* key) {
    return flow_key(&packet->source, &packet->destination, packet->source_port,
                    packet->destination_port, packet->protocol, key);
}

/* The side of the flow that the pod at the hook is on. */
static __always_inline __u8 hook_side(__u32 direction, int from_initiator) {
    return (direction == WEIR_EGRESS) == from_initiator ? WEIR_EGRESS : WEIR_INGRESS;
}

static __always_inline struct weir_flow* flow_find(const struct passage* passage) {
    struct weir_flow* flow = 0;

    if (!passage->is_not_answered) flow = bpf_map_lookup_elem(&weir_flows, &passage->key);
    if (!flow) flow = bpf_map_lookup_elem(&weir_new_flows, &passage->key);
    if (!flow && unlikely(passage->now < flow_crowded_until)) {
        flow = bpf_map_lookup_elem(&weir_crowded_flows, &passage->key);
        if (flow) flow_crowded_until = passage->now + flow_idle_ns;
    }
    return flow;
}

/* The entry's orientation is that of the packet's sender. */
static __always_inline int flow_is_from_initiator(const struct weir_flow* flow, int is_low) {
    return is_low == !(flow->state & WEIR_FLOW_INITIATOR_HIGH);
}

/* Whether the entry says anything about this packet: not when it outlived its flow, nor when the
 * packet opens another connection between the same ports. */
static __always_inline int flow_is_current(const struct weir_flow* flow,
                                           const struct packet* packet, int from_initiator,
                                           __u64 now) {
    __s64 idle = now - flow->last_seen; /* another CPU's clock may be ahead */

    if (packet->is_syn && (!from_initiator || (flow->state & (WEIR_FLOW_CLOSED | WEIR_FLOW_FIN |
                                                              WEIR_FLOW_FIN_REPLY))))
        return 0;
    if (!flow_has_connections(packet->protocol)) return idle < (__s64)flow_idle_ns;
    return !(flow->state & WEIR_FLOW_CLOSED) || idle < (__s64)flow_closed_ns;
}

/* Who opened a connection that is seen from its middle: the end with the port of a client. */
static __always_inline int flow_opening_from_ports(const struct packet* packet) {
    int from_client = bpf_ntohs(packet->source_port) >= flow_ephemeral_first;
    int to_client = bpf_ntohs(packet->destination_port) >= flow_ephemeral_first;

    if (from_client == to_client) return OPENING_UNKNOWN;
    return from_client ? OPENING_SENDER : OPENING_RECEIVER;
}

static __always_inline void event_put_ends(struct weir_event* event,
                                           const struct weir_flow_key* key, int initiator_is_high) {
    event->initiator = initiator_is_high ? key->high : key->low;
    event->responder = initiator_is_high ? key->low : key->high;
    event->initiator_port = initiator_is_high ? key->high_port : key->low_port;
    event->responder_port = initiator_is_high ? key->low_port : key->high_port;
    event->protocol = key->protocol;
}

static __always_inline void event_put_passage(struct weir_event* event,
                                              const struct passage* passage, __u32 stands_for) {
    event->stands_for = stands_for;
    event->time = passage->now;
    event->slot = passage->slot;
    event->rule = passage->rule;
    event->direction = passage->side;
    event->is_reply = !passage->from_initiator;
    event->tcp_flags = passage->tcp_flags;
    event->icmp_type = passage->icmp_type;
    event->icmp_code = passage->icmp_code;
}

/* Reports a flow that goes on. type: enum weir_event_type but WEIR_EVENT_DENIED. */
__noinline int event_flow(const struct passage* passage, const struct weir_flow* flow, __u32 type) {
    struct weir_event* event;
    __u32 stands_for;

    if (!passage || !flow) return 0;
    stands_for = load_report(passage->slot, WEIR_FLOOD_FLOWS, passage->now);
    event = event_reserve(stands_for);
    if (!event) return 0;
    event_put_ends(event, &passage->key, flow->state & WEIR_FLOW_INITIATOR_HIGH);
    event_put_passage(event, passage, stands_for);
    __builtin_memcpy(event->packets, flow->packets, sizeof(event->packets));
    __builtin_memcpy(event->bytes, flow->bytes, sizeof(event->bytes));
    event->first_seen = flow->first_seen;
    event->type = type;
    event->reason = WEIR_DROP_NONE;
    event_submit(event);
    return 0;
}

/* Reports a dropped packet. */
__noinline int event_denied(const struct passage* passage, __u32 reason) {
    struct weir_event* event;
    __u32 stands_for;

    if (!passage) return 0;
    stands_for = load_report(passage->slot, WEIR_FLOOD_DENIED, passage->now);
    event = event_reserve(stands_for);
    if (!event) return 0;
    event_put_ends(event, &passage->key, passage->is_low != passage->from_initiator);
    event_put_passage(event, passage, stands_for);
    event->packets[0] = passage->packets;
    event->packets[1] = 0;
    event->bytes[0] = passage->bytes;
    event->bytes[1] = 0;
    event->first_seen = passage->now;
    event->type = WEIR_EVENT_DENIED;
    event->reason = reason;
    event_submit(event);
    return 0;
}

/* What the packet's flags do to a connection. Returns whether it closed it. */
static __always_inline int flow_follow_tcp(struct weir_flow* flow, const struct passage* passage) {
    const __u32 both = WEIR_FLOW_FIN | WEIR_FLOW_FIN_REPLY;
    __u32 bits = 0;

    if (!(passage->tcp_flags & (TCP_FIN | TCP_RST)) || (flow->state & WEIR_FLOW_CLOSED)) return 0;
    if (passage->tcp_flags & TCP_FIN)
        bits = passage->from_initiator ? WEIR_FLOW_FIN : WEIR_FLOW_FIN_REPLY;
    if ((passage->tcp_flags & TCP_RST) || ((flow->state | bits) & both) == both)
        bits |= WEIR_FLOW_CLOSED;
    return !(__sync_fetch_and_or(&flow->state, bits) & WEIR_FLOW_CLOSED) &&
           (bits & WEIR_FLOW_CLOSED);
}

/* Moves a flow that was answered to where a flood of new ones cannot evict it. Beyond its pod's
 * share it stays where it is, and the next packet tries again. */
static __noinline int flow_promote(const struct weir_flow_key* key, struct weir_flow* flow,
                                   __u64 now) {
    struct weir_flow copy;

    if (unlikely(!load_answer(flow->state >> WEIR_FLOW_SLOT_SHIFT, now))) return 0;
    copy = *flow;
    copy.state |= WEIR_FLOW_ANSWERED;
    /* Where it exists already, another CPU was faster. */
    bpf_map_update_elem(&weir_flows, key, &copy, BPF_NOEXIST);
    if (bpf_map_delete_elem(&weir_new_flows, key)) bpf_map_delete_elem(&weir_crowded_flows, key);
    return 0;
}

/* Counts an allowed packet of a known flow. On a same-node flow both hooks see it; the sender's own
 * one counts. */
static __always_inline void flow_account(struct weir_flow* flow, const struct passage* passage,
                                         int hook) {
    __u32 local = passage->from_initiator ? WEIR_FLOW_EGRESS_LOCAL : WEIR_FLOW_INGRESS_LOCAL;
    int travel = !passage->from_initiator;
    __u16 units = passage->now >> 30;
    int is_answer;

    if (hook == WEIR_INGRESS && (flow->state & local)) return;
    if (hook == WEIR_EGRESS && !(flow->state & local)) __sync_fetch_and_or(&flow->state, local);
    is_answer = !(flow->state & WEIR_FLOW_ANSWERED) && flow->packets[!travel];
    __sync_fetch_and_add(&flow->packets[travel], passage->packets);
    __sync_fetch_and_add(&flow->bytes[travel], passage->bytes);
    flow->last_seen = passage->now;
    flow->tick = bpf_jiffies64();
    if (flow_follow_tcp(flow, passage)) {
        flow->reported = units;
        event_flow(passage, flow, WEIR_EVENT_CLOSED);
    } else if ((__u16)(units - flow->reported) >= flow_update_interval) {
        flow->reported = units;
        event_flow(passage, flow, WEIR_EVENT_UPDATE);
    }
    if (is_answer) flow_promote(&passage->key, flow, passage->now);
}

/* Makes the entry of a new flow, in place of one that is over. sides: what was decided, 0 if that
 * side is not this hook's to decide. */
static __noinline int flow_create(const struct passage* passage, __u64 side_word, __u32 state) {
    struct weir_flow flow = {};

    flow.packets[!passage->from_initiator] = passage->packets;
    flow.bytes[!passage->from_initiator] = passage->bytes;
    flow.sides[passage->side & 1] = side_word;
    flow.first_seen = passage->now;
    flow.last_seen = passage->now;
    flow.tick = bpf_jiffies64();
    flow.reported = passage->now >> 30;
    flow.state = state;
    if (passage->is_low != passage->from_initiator) flow.state |= WEIR_FLOW_INITIATOR_HIGH;
    flow.state |= passage->slot << WEIR_FLOW_SLOT_SHIFT;
    if (likely(load_open(passage->slot, passage->now) < flow_pod_share)) {
        bpf_map_update_elem(&weir_new_flows, &passage->key, &flow, BPF_ANY);
    } else {
        flow_crowded_until = passage->now + flow_idle_ns;
        bpf_map_update_elem(&weir_crowded_flows, &passage->key, &flow, BPF_ANY);
    }
    event_flow(passage, &flow, WEIR_EVENT_ALLOWED);
    return 0;
}

#endif
