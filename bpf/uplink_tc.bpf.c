// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * The tc program of an uplink: the whole of what the XDP program (uplink_xdp.bpf.c) does of the
 * plain case, by the same decisions. Where a driver has no native XDP it does all of it; else what
 * that program leaves: fragments, options, ICMP, refusals, packets that are too big, neighbours
 * that the kernel has yet to find.
 */
#include "nat_error.h"
#include "service_reject.h"
#include "uplink_decide.h"
#include "uplink_host.h"
#include "uplink_packet.h"

/* Same values as TCX_NEXT and TCX_DROP. */
#define VERDICT_NEXT -1
#define VERDICT_DROP 2
/* The frame is for the node (PACKET_HOST of <linux/if_packet.h>): neither another machine's nor a
 * group's. */
#define FRAME_FOR_NODE 0
/* Not yet the program's verdict: the packet is answered first. In the lower half, the MTU. */
#define VERDICT_REFUSE 0x10000
#define VERDICT_TOO_BIG 0x20000

static __always_inline int packet_untouched(__u32 outcome) {
    uplink_count(outcome);
    return VERDICT_NEXT;
}

static __always_inline int packet_drop(__u32 outcome) {
    uplink_count(outcome);
    return VERDICT_DROP;
}

/* Returns the program's verdict, or VERDICT_TOO_BIG. Not inlined: the stack is short. */
static __noinline int packet_forward(struct __sk_buff* skb, const struct packet* packet,
                                     const struct weir_nat* nat, int step) {
    const struct weir_address* source = route_source(nat, step);
    struct bpf_fib_lookup fib = {.ifindex = skb->ifindex};
    __u32 room = step == STEP_ENCAPSULATE ? ip_header_length(packet->is_v6) : 0;
    __u32 length = packet_length(skb, packet);
    long way;

    if (!source) return packet_untouched(WEIR_UPLINK_NO_ADDRESS);
    if (packet->hop_limit <= 1) return packet_untouched(WEIR_UPLINK_EXPIRED);
    /* The segments of an offloaded packet are as large as its receiver's device takes. */
    route_fill(&fib, packet, nat, source, skb->gso_size ? 0 : length + room);
    way = bpf_fib_lookup(skb, &fib, sizeof(fib), 0);
    if (way == BPF_FIB_LKUP_RET_FRAG_NEEDED) return VERDICT_TOO_BIG + (fib.mtu_result - room);
    if (way != BPF_FIB_LKUP_RET_SUCCESS && way != BPF_FIB_LKUP_RET_NO_NEIGH)
        return packet_drop(WEIR_UPLINK_NO_ROUTE);
    packet_hop(skb, packet);
    if (step == STEP_ENCAPSULATE) {
        if (packet_encapsulate(skb, packet, nat, source, length)) return VERDICT_DROP;
        uplink_count(WEIR_UPLINK_ENCAPSULATED);
    } else if (step == STEP_FORWARD) {
        nat_write(skb, packet, nat);
        uplink_count(nat->flags & WEIR_NAT_REPLY ? WEIR_UPLINK_ANSWERED : WEIR_UPLINK_FORWARDED);
    }
    return packet_send(&fib);
}

/* The element of the flow whose packet an ICMP error quotes, for the way of the error, with what
 * becomes of the packets on that way in *step; 0: none. */
static __noinline const struct weir_nat* error_flow(struct __sk_buff* skb, __u32 offset, int is_v6,
                                                    int* step) {
    const struct weir_nat* nat;
    struct packet quoted = {};
    struct weir_nat_key key;

    *step = STEP_NONE;
    if (packet_parse_quoted(skb, &quoted, offset, is_v6)) return 0;
    if (quoted.is_later_fragment && fragment_resolve(&quoted)) return 0;
    key.source = quoted.destination;
    key.destination = quoted.source;
    key.source_port = quoted.destination_port;
    key.destination_port = quoted.source_port;
    key.protocol = quoted.protocol;
    __builtin_memset(key.pad, 0, sizeof(key.pad));
    nat = nat_lookup_outside(&key);
    if (nat) *step = uplink_step_of(&key, nat);
    return nat;
}

/* An ICMP error about a translated flow: to whoever sent what it quotes, as it was sent. */
static __noinline int packet_error(struct __sk_buff* skb, const struct packet* packet) {
    int step;
    const struct weir_nat* nat =
        error_flow(skb, packet->l4_offset + sizeof(struct icmp_header), packet->is_v6, &step);
    struct weir_nat to = {};

    if (!nat || step == STEP_NONE) return VERDICT_NEXT;
    if (step == STEP_ENCAPSULATE) return packet_forward(skb, packet, nat, step);
    to.source = packet->source;
    to.destination = nat->destination;
    if (nat_translate_error(skb, packet, 1, WEIR_NAT_DSR, 0) < 0) return VERDICT_NEXT;
    uplink_count(WEIR_UPLINK_ERROR);
    /* The backend may be the node itself, to which no route leads on. */
    return step == STEP_LOCAL ? VERDICT_NEXT : packet_forward(skb, packet, &to, STEP_RELAY);
}

/* Returns the program's verdict, or VERDICT_REFUSE or the like. */
static __always_inline int packet_do(struct __sk_buff* skb, const struct packet* packet,
                                     const struct weir_nat* nat, int step) {
    if (step == UPLINK_NOT_LET_BY(WEIR_UPLINK_REFUSED)) return VERDICT_REFUSE;
    if (step < 0) return packet_drop(UPLINK_OUTCOME(step));
    if (step == STEP_NONE) return VERDICT_NEXT;
    if (packet->is_fragment && !packet->is_later_fragment)
        fragment_remember(packet, WEIR_SLOT_NONE, bpf_ktime_get_coarse_ns());
    if (step != STEP_LOCAL) return packet_forward(skb, packet, nat, step);
    nat_write(skb, packet, nat);
    uplink_count(WEIR_UPLINK_LOCAL);
    return VERDICT_NEXT;
}

/* Whether what is inside is for a service whose backends answer for it. */
static __noinline int inner_is_ours(struct __sk_buff* skb, const struct packet* outer) {
    struct packet inner = {};
    struct weir_nat_key key;
    const struct weir_service* service;
    int step, result;

    if (packet_parse_quoted(skb, &inner, outer->l4_offset, outer->is_v6)) return 0;
    if (inner.is_icmp_error) {
        error_flow(skb, inner.l4_offset + sizeof(struct icmp_header), outer->is_v6, &step);
        return step == STEP_LOCAL;
    }
    if (inner.is_later_fragment && fragment_resolve(&inner)) return 0;
    nat_key_of(&inner, &key);
    service = uplink_service(&key, &result);
    return service && (service->flags & WEIR_SERVICE_DSR);
}

/* What becomes of the packet. backend: the destination of the outer IP header that it came in;
 * 0: it came in none. As packet_do(). Not inlined: the stack is short. */
static __noinline int packet_handle(struct __sk_buff* skb, const struct packet* packet,
                                    const struct weir_address* backend) {
    struct decision decision = {};
    int step = backend ? uplink_decide_inner(packet, backend, &decision)
                       : uplink_decide(packet, &decision);

    if (step == STEP_LOCAL && !decision.way) host_note(skb, skb->ifindex, decision.nat);
    return packet_do(skb, packet, decision.nat, step);
}

/* What another node has encapsulated. As packet_do(). */
static __always_inline int packet_unpack(struct __sk_buff* skb, struct packet* packet) {
    struct weir_address backend = packet->destination;

    if (!inner_is_ours(skb, packet) || packet_decapsulate(skb, packet)) return VERDICT_NEXT;
    uplink_count(WEIR_UPLINK_DECAPSULATED);
    __builtin_memset(packet, 0, sizeof(*packet));
    if (packet_parse(skb, packet)) return VERDICT_DROP;
    if (packet->is_icmp_error) return packet_error(skb, packet);
    if (packet->is_later_fragment && fragment_resolve(packet))
        return packet_drop(WEIR_UPLINK_ORPHAN);
    return packet_handle(skb, packet, &backend);
}

/* RFC 1191, RFC 8201: the sender learns what fits. */
static __always_inline int answer_too_big(struct __sk_buff* skb, const struct packet* packet,
                                          __u16 mtu) {
    struct icmp_header icmp = {.type = packet->is_v6 ? ICMPV6_PKT_TOOBIG : ICMP_DEST_UNREACH,
                               .code = packet->is_v6 ? 0 : ICMP_FRAG_NEEDED,
                               .sequence = bpf_htons(mtu)};

    uplink_count(WEIR_UPLINK_TOO_BIG);
    return reject_with(skb, packet, &icmp);
}

static __always_inline int answer_refusal(struct __sk_buff* skb, const struct packet* packet) {
    uplink_count(WEIR_UPLINK_REFUSED);
    return packet->protocol == IPPROTO_TCP ? reject_with_reset(skb, packet)
                                           : reject_with_error(skb, packet);
}

/* The program's verdict. */
static __always_inline int packet_finish(struct __sk_buff* skb, const struct packet* packet,
                                         int verdict) {
    int is_answered;

    if (likely(verdict < VERDICT_REFUSE)) return verdict;
    is_answered = verdict >= VERDICT_TOO_BIG ? answer_too_big(skb, packet, verdict)
                                             : answer_refusal(skb, packet);
    return is_answered ? frame_return(skb) : VERDICT_DROP;
}

SEC("tcx/ingress")
int weir_uplink_tc(struct __sk_buff* skb) {
    struct packet packet = {};
    int verdict;

    if (skb->pkt_type != FRAME_FOR_NODE) return VERDICT_NEXT;
    if (packet_parse(skb, &packet) || packet.kind != PACKET_IP || packet.l3_offset != ETH_HLEN)
        return VERDICT_NEXT;
    if (packet.protocol == (packet.is_v6 ? IPPROTO_IPV6 : IPPROTO_IPIP) && !packet.is_fragment)
        verdict = packet_unpack(skb, &packet);
    else if (packet.is_icmp_error)
        verdict = packet_error(skb, &packet);
    else if (packet.is_later_fragment && fragment_resolve(&packet))
        verdict = VERDICT_NEXT; /* of somebody else's datagram, as a rule */
    else
        verdict = packet_handle(skb, &packet, 0);
    return packet_finish(skb, &packet, verdict);
}

/* What the node itself answers as a backend. */
static __noinline int host_answer(struct __sk_buff* skb) {
    struct packet packet = {};
    struct weir_nat_key key;
    struct weir_nat* nat;

    if (packet_parse(skb, &packet) || packet.kind != PACKET_IP) return VERDICT_NEXT;
    if (packet.is_icmp_error) {
        nat_translate_error(skb, &packet, 1, WEIR_NAT_REPLY, WEIR_NAT_REPLY);
        return VERDICT_NEXT;
    }
    if (packet.is_later_fragment && fragment_resolve(&packet)) return VERDICT_NEXT;
    if (!host_may_answer(packet.source_port)) return VERDICT_NEXT;
    if (packet.is_fragment && !packet.is_later_fragment)
        fragment_remember(&packet, WEIR_SLOT_NONE, bpf_ktime_get_coarse_ns());
    nat_key_of(&packet, &key);
    nat = nat_lookup_outside(&key);
    /* Answers to this node's address are another node's, not its own. */
    if (!nat || !(nat->flags & WEIR_NAT_REPLY) || uplink_step_of(&key, nat) != STEP_NONE)
        return VERDICT_NEXT;
    if (packet.tcp_flags & TCP_FIN_OR_RST) nat->flags |= WEIR_NAT_CLOSING;
    nat_touch(nat);
    nat_write(skb, &packet, nat);
    return VERDICT_NEXT;
}

SEC("tcx/egress")
int weir_uplink_out(struct __sk_buff* skb) {
    return likely(!host_is_backend()) ? VERDICT_NEXT : host_answer(skb);
}

/* Kernel helpers that this file uses are for GPL-compatible programs. */
char LICENSE[] SEC("license") = "Dual BSD/GPL";
