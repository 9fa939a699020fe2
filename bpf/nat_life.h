/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* How long an element of weir_nat serves: when it was used, and whether its flow is over. */
#ifndef WEIR_BPF_NAT_LIFE_H
#define WEIR_BPF_NAT_LIFE_H

#include "flow_table.h"
#include "nat.h"

/* How long a UDP flow keeps its backend without a packet: what conntrack gives one with replies. */
#define SERVICE_UDP_IDLE (120ull * 1000 * 1000 * 1000)

/* Takes both elements of a flow out. key: of what the element is for. */
static __noinline int nat_end(const struct weir_nat_key* key, const struct weir_nat* nat) {
    struct weir_nat_key back;

    nat_answer_key(nat, key->protocol, &back);
    bpf_map_delete_elem(&weir_nat, &back);
    bpf_map_delete_elem(&weir_nat, key);
    return 0;
}

/* When a packet of either direction was seen last. */
static __noinline __u64 nat_last_used(const struct weir_nat_key* key, const struct weir_nat* nat) {
    struct weir_nat_key back;
    const struct weir_nat* reply;

    nat_answer_key(nat, key->protocol, &back);
    reply = bpf_map_lookup_elem(&weir_nat, &back);
    return reply && reply->last_used > nat->last_used ? reply->last_used : nat->last_used;
}

/* Whether the flow with the backend is known to be over. */
static __noinline int nat_is_closed(const struct weir_nat_key* key, const struct weir_nat* nat) {
    const __u32 ended = WEIR_FLOW_CLOSED | WEIR_FLOW_FIN | WEIR_FLOW_FIN_REPLY;
    struct weir_flow_key flow_of_backend;
    const struct weir_flow* flow;

    flow_key(&nat->source, &nat->destination, nat->source_port, nat->destination_port,
             key->protocol, &flow_of_backend);
    flow = bpf_map_lookup_elem(&weir_flows, &flow_of_backend);
    if (!flow) flow = bpf_map_lookup_elem(&weir_new_flows, &flow_of_backend);
    return flow && (flow->state & ended);
}

/* Whether the packet begins another flow than the one that the element was made for. A connection
 * keeps its backend whatever becomes of it; a datagram only while it is active. */
static __always_inline int nat_is_over(const struct weir_nat_key* key, const struct weir_nat* nat,
                                       int is_syn, __u64 now) {
    const struct weir_backend* backend;

    if (flow_has_connections(key->protocol) && !is_syn) return 0;
    if (nat->backend) {
        backend = backend_lookup(nat->backend, nat->generation);
        if (!backend || backend->state != WEIR_BACKEND_ACTIVE) return 1;
    }
    if (is_syn && nat_is_closed(key, nat)) return 1;
    if ((__s64)(now - nat->last_used) < (__s64)SERVICE_UDP_IDLE) return 0;
    return (__s64)(now - nat_last_used(key, nat)) >= (__s64)SERVICE_UDP_IDLE;
}

/* The element for an answer that passes this hook: at ingress, of the pod that talks to a service;
 * at egress, of one that the uplink sent the request to. */
static __always_inline struct weir_nat* nat_of_answer(const struct weir_nat_key* key,
                                                      __u32 direction) {
    struct weir_nat* nat =
        direction == WEIR_INGRESS ? bpf_map_lookup_elem(&weir_nat, key) : nat_lookup_outside(key);

    return nat && (nat->flags & (WEIR_NAT_REPLY | WEIR_NAT_HAIRPIN)) == WEIR_NAT_REPLY ? nat : 0;
}

#endif
