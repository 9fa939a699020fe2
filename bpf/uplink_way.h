/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* The ways that frames go, remembered for a tick of the clock: of a flow in its own element, of
 * those that begin by the backend's id. A CPU may read one that another writes just then: where a
 * route changes in that tick, one frame may go astray. */
#ifndef WEIR_BPF_UPLINK_WAY_H
#define WEIR_BPF_UPLINK_WAY_H

#include "uplink_route.h"

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 131072);
    __type(key, __u32);
    __type(value, struct weir_backend_way);
} weir_ways SEC(".maps");

/* length: of the packet that is to go it, from its IP header on. */
static __always_inline int way_is_good(const struct weir_way* way, __u32 tick, __u32 length) {
    return way->ifindex && way->tick == tick && length <= way->mtu;
}

/* Asks the node's tables. Returns whether there is a way, to a neighbour that is known. */
static __noinline int way_ask(struct xdp_md* ctx, const struct packet* packet,
                              const struct weir_nat* nat, __u32 length, struct weir_way* way) {
    int step = nat->flags & WEIR_NAT_DSR ? STEP_ENCAPSULATE : STEP_FORWARD;
    const struct weir_address* source = route_source(nat, step);
    struct bpf_fib_lookup fib = {.ifindex = ctx->ingress_ifindex};

    if (!source) return 0;
    route_fill(&fib, packet, nat, source, length);
    if (bpf_fib_lookup(ctx, &fib, sizeof(fib), 0) != BPF_FIB_LKUP_RET_SUCCESS) return 0;
    way->ifindex = fib.ifindex;
    way->tick = bpf_jiffies64();
    way->mtu = fib.mtu_result;
    __builtin_memcpy(way->to, fib.dmac, sizeof(way->to));
    __builtin_memcpy(way->from, fib.smac, sizeof(way->from));
    return 1;
}

/* The way of a flow that begins: that of another to the same backend, or asked for. */
static __always_inline int way_of_backend(struct xdp_md* ctx, const struct packet* packet,
                                          const struct weir_nat* nat, __u32 length,
                                          struct weir_way* way) {
    struct weir_backend_way* shared = bpf_map_lookup_elem(&weir_ways, &nat->backend);

    if (!shared) return way_ask(ctx, packet, nat, length, way);
    *way = shared->way;
    if (shared->generation == nat->generation && shared->ingress == ctx->ingress_ifindex &&
        way_is_good(way, bpf_jiffies64(), length))
        return 1;
    if (!way_ask(ctx, packet, nat, length, way)) return 0;
    shared->way = *way;
    shared->generation = nat->generation;
    shared->ingress = ctx->ingress_ifindex;
    return 1;
}

/* The way for a packet of this length, asked for where it is not known. known: the flow's; 0: the
 * flow begins. Returns whether there is one. */
static __always_inline int way_find(struct xdp_md* ctx, const struct packet* packet,
                                    const struct weir_nat* nat, __u32 length,
                                    struct weir_way* known, struct weir_way* way) {
    if (!known) return way_of_backend(ctx, packet, nat, length, way);
    *way = *known;
    if (likely(way_is_good(way, bpf_jiffies64(), length))) return 1;
    if (!way_ask(ctx, packet, nat, length, way)) return 0;
    *known = *way;
    return 1;
}

#endif
