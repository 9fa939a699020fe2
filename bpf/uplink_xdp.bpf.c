// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * Packets from outside to NodePorts, LoadBalancer and external addresses, before the kernel makes
 * anything of them. A backend on this node gets the packet through the node's stack; one on another
 * node gets it at once, with this node's address for its source, or in an outer IP header so that
 * it answers the client itself.
 *
 * This program does the plain case and changes nothing before it knows that it can finish. The rest
 * it passes untouched to the tc program of the same uplink (uplink_tc.bpf.c): fragments, options,
 * ICMP, packets that are refused or too big, ways whose next hop the kernel has yet to find.
 */
#include "uplink_decide.h"
#include "uplink_frame.h"
#include "uplink_host.h"
#include "uplink_way.h"

/* Whether XDP frames can be sent through the interface. */
static __always_inline int is_xdp_uplink(__u32 ifindex) {
    const struct weir_interface* interface = uplink_interface(ifindex);

    return interface && interface->mode == WEIR_UPLINK_XDP;
}

/* Whether the frame is for the node: a switch floods those of unknown destinations, and a group's
 * are for everybody. The kernel sorts out the others, as it does all of an interface that is not
 * known. */
static __always_inline int is_for_node(struct xdp_md* ctx) {
    const struct weir_interface* interface = uplink_interface(ctx->ingress_ifindex);
    const __u8* mac = FRAME_START(ctx);

    if (!interface || FRAME_START(ctx) + ETH_HLEN > FRAME_END(ctx)) return 0;
    return *(const __u32*)mac == *(const __u32*)interface->mac &&
           *(const __u16*)(mac + 4) == *(const __u16*)(interface->mac + 4);
}

/* Bytes of the packet from its IP header on. */
static __always_inline __u32 frame_length(struct xdp_md* ctx, const struct packet* packet) {
    void* data = FRAME_START(ctx);

    if (data + ETH_HLEN + sizeof(struct ipv6hdr) > FRAME_END(ctx)) return 0;
    if (packet->is_v6)
        return bpf_ntohs(((struct ipv6hdr*)(data + ETH_HLEN))->payload_len) +
               sizeof(struct ipv6hdr);
    return bpf_ntohs(((struct iphdr*)(data + ETH_HLEN))->tot_len);
}

/* Returns the program's verdict. known: where the flow's packets went, if it is known. Not inlined:
 * the stack is short. */
static __noinline int frame_forward(struct xdp_md* ctx, const struct packet* packet,
                                    const struct weir_nat* nat, int step, struct weir_way* known) {
    const struct weir_address* source = route_source(nat, step);
    __u32 length = frame_length(ctx, packet), outcome = WEIR_UPLINK_FORWARDED;
    int room = step == STEP_ENCAPSULATE ? ip_header_length(packet->is_v6) : 0;
    struct weir_way way = {};

    if (!source || !length || packet->hop_limit <= 1) return XDP_PASS;
    if (!way_find(ctx, packet, nat, length + room, known, &way)) return XDP_PASS;
    if (way.ifindex != ctx->ingress_ifindex && !is_xdp_uplink(way.ifindex)) return XDP_PASS;
    if (room) {
        if (bpf_xdp_adjust_head(ctx, -room)) return XDP_PASS; /* a driver without headroom */
        outcome = WEIR_UPLINK_ENCAPSULATED;
        if (!frame_encapsulate(ctx, packet, nat, source, length)) return XDP_ABORTED;
    } else {
        if (nat->flags & WEIR_NAT_REPLY) outcome = WEIR_UPLINK_ANSWERED;
        if (!frame_translate(ctx, packet, nat, 1)) return XDP_PASS;
    }
    if (!frame_address(ctx, &way)) return XDP_ABORTED;
    uplink_count(outcome);
    return way.ifindex == ctx->ingress_ifindex ? XDP_TX : bpf_redirect(way.ifindex, 0);
}

/* A refusal takes an answer, which the tc program gives and counts. */
static __always_inline int frame_stop(int result) {
    if (result == UPLINK_NOT_LET_BY(WEIR_UPLINK_REFUSED)) return XDP_PASS;
    uplink_count(UPLINK_OUTCOME(result));
    return XDP_DROP;
}

/* Up the node's stack, to the backend. */
static __always_inline int frame_deliver(struct xdp_md* ctx, const struct packet* packet,
                                         const struct weir_nat* nat, __u32 outer) {
    if (outer) {
        if (!frame_decapsulate(ctx, outer)) return XDP_PASS;
        uplink_count(WEIR_UPLINK_DECAPSULATED);
    }
    frame_translate(ctx, packet, nat, 0);
    uplink_count(WEIR_UPLINK_LOCAL);
    return XDP_PASS;
}

SEC("xdp.frags")
int weir_uplink_xdp(struct xdp_md* ctx) {
    struct decision decision = {};
    struct weir_address backend = {};
    struct packet packet = {};
    __u32 outer = 0;
    int step;

    if (!frame_parse(ctx, &packet, &outer, &backend) || !is_for_node(ctx)) return XDP_PASS;
    step = outer ? uplink_decide_inner(&packet, &backend, &decision)
                 : uplink_decide(&packet, &decision);
    if (likely(step == STEP_NONE)) return XDP_PASS;
    if (unlikely(step < 0)) return frame_stop(step);
    if (step == STEP_LOCAL) {
        if (!decision.way) host_note(ctx, ctx->ingress_ifindex, decision.nat);
        return frame_deliver(ctx, &packet, decision.nat, outer);
    }
    return frame_forward(ctx, &packet, decision.nat, step, decision.way);
}

/* Kernel helpers that this file uses are for GPL-compatible programs. */
char LICENSE[] SEC("license") = "Dual BSD/GPL";
