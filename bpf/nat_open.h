/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Opens a translated flow: both of its elements, and a source port that tells its answers from
 * those of every other flow with the backend. */
#ifndef WEIR_BPF_NAT_OPEN_H
#define WEIR_BPF_NAT_OPEN_H

#include "flow_table.h"
#include "nat.h"

/* Source ports that are tried: the pod's own, then so many at random. */
#define NAT_PORTS 16

/* Whether the pod talks to the backend's own address from this port already: the answers would be
 * taken for the service's. back: the key of the answers. */
static __noinline int nat_is_direct(const struct weir_nat_key* back, __u64 now) {
    struct weir_flow_key key;
    struct weir_flow* flow;

    flow_key(&back->source, &back->destination, back->source_port, back->destination_port,
             back->protocol, &key);
    flow = bpf_map_lookup_elem(&weir_flows, &key);
    if (!flow) flow = bpf_map_lookup_elem(&weir_new_flows, &key);
    if (!flow || (flow->state & (WEIR_FLOW_OF_SERVICE | WEIR_FLOW_CLOSED))) return 0;
    return flow_has_connections(back->protocol) ||
           (__s64)(now - flow->last_seen) < (__s64)flow_idle_ns;
}

/* Inserts the answers' element if no other flow has it. Returns whether it did. */
static __always_inline int nat_take(const struct weir_nat_key* back, const struct weir_nat* reply) {
    struct weir_nat* known;

    if (!bpf_map_update_elem(&weir_nat, back, reply, BPF_NOEXIST)) return 1;
    known = bpf_map_lookup_elem(&weir_nat, back);
    if (!known || !nat_is_same(known, reply)) return 0;
    return !bpf_map_update_elem(&weir_nat, back, reply, BPF_ANY); /* this flow's, from before */
}

static __always_inline __be16 nat_random_port(void) {
    __u32 span = 65536 - flow_ephemeral_first;

    return bpf_htons(flow_ephemeral_first + (((__u64)bpf_get_prandom_u32() * span) >> 32));
}

/* key: the packet that opens the flow, as it comes. forward: what becomes of it; gets its source
 * port here. Returns whether both elements are there. */
static __noinline int nat_open(const struct weir_nat_key* key, struct weir_nat* forward) {
    struct weir_nat_key back = {.source = forward->destination,
                                .destination = forward->source,
                                .source_port = forward->destination_port,
                                .destination_port = key->source_port,
                                .protocol = key->protocol};
    struct weir_nat reply = *forward;
    int i;

    reply.source = key->destination;
    reply.destination = key->source;
    reply.source_port = key->destination_port;
    reply.destination_port = key->source_port;
    reply.flags |= WEIR_NAT_REPLY;
    for (i = 0; i <= NAT_PORTS; i++) {
        if (!nat_is_direct(&back, forward->last_used) && nat_take(&back, &reply)) {
            forward->source_port = back.destination_port;
            if (!bpf_map_update_elem(&weir_nat, key, forward, BPF_ANY)) return 1;
            bpf_map_delete_elem(&weir_nat, &back);
            return 0;
        }
        if (key->protocol == IPPROTO_SCTP) return 0; /* its checksum covers the ports */
        back.destination_port = nat_random_port();
    }
    return 0;
}

#endif
