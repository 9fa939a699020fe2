/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* The established way (established.h) through services: what a pod sends to a service costs one
 * lookup more than to its backend, its answers one more, any other packet a look at one bit. */
#ifndef WEIR_BPF_SERVICE_ESTABLISHED_H
#define WEIR_BPF_SERVICE_ESTABLISHED_H

#include "established.h"
#include "nat_life.h"
#include "rewrite.h"
#include "service_return.h"

_Static_assert(sizeof(struct weir_nat_key) == sizeof(struct weir_flow_key) &&
                   __builtin_offsetof(struct weir_nat_key, source_port) ==
                       __builtin_offsetof(struct weir_flow_key, low_port) &&
                   __builtin_offsetof(struct weir_nat_key, protocol) ==
                       __builtin_offsetof(struct weir_flow_key, protocol),
               "one is copied as the other");

static __always_inline void established_nat_key(const struct weir_flow_key* flow, int is_low,
                                                struct weir_nat_key* key) {
    if (is_low) {
        *key = *(const struct weir_nat_key*)flow; /* the same layout */
        return;
    }
    key->source = flow->high;
    key->destination = flow->low;
    key->source_port = flow->high_port;
    key->destination_port = flow->low_port;
    key->protocol = flow->protocol;
    __builtin_memset(key->pad, 0, sizeof(key->pad));
}

/* Leaves the writing to the program that writes, where it may. Returns enum established_result. */
static __always_inline int established_rewrite(struct __sk_buff* skb, const struct weir_nat* nat) {
    if (likely(rewrite_plan(skb, nat))) return ESTABLISHED_PLANNED;
    rewrite_by_helpers(skb, nat);
    return ESTABLISHED_PASSED;
}

/* What a pod sends in a flow that is known under a service's address alone, or that was moved to
 * another backend. A pod that talks to itself is left to the rest of the program. Returns enum
 * established_result; ESTABLISHED_ABSENT: it is no such flow's. */
static __noinline int established_translate(struct __sk_buff* skb, struct weir_pod* pod,
                                            const struct weir_flow_key* flow, int is_low) {
    struct weir_flow_key translated;
    struct weir_nat_key key;
    struct weir_nat* nat;
    int result;

    established_nat_key(flow, is_low, &key);
    nat = bpf_map_lookup_elem(&weir_nat, &key);
    if (!nat || (nat->flags & (WEIR_NAT_REPLY | WEIR_NAT_HAIRPIN))) return ESTABLISHED_ABSENT;
    if (unlikely(nat_is_due(nat))) {
        if (nat_is_over(&key, nat, 0, bpf_ktime_get_coarse_ns())) return ESTABLISHED_ABSENT;
        nat_touch(nat);
    }
    is_low = flow_key(&nat->source, &nat->destination, nat->source_port, nat->destination_port,
                      key.protocol, &translated);
    result = established_continue(skb, WEIR_EGRESS, pod, &translated, is_low, 1);
    if (likely(result == ESTABLISHED_PASSED)) return established_rewrite(skb, nat);
    rewrite_by_helpers(skb, nat);
    return ESTABLISHED_TRANSLATED;
}

/* Gives an answer the node's own address, and sends it. Returns enum established_result. */
static __noinline int established_return(struct __sk_buff* skb, const struct weir_nat* nat) {
    struct packet packet = {};

    if (!packet_parse_fast(skb, &packet)) return ESTABLISHED_PASSED;
    return return_send(skb, &packet, nat) == VERDICT_PASS ? ESTABLISHED_PASSED : ESTABLISHED_SENT;
}

/* Gives an answer that was let by the service's address. Returns enum established_result. */
static __noinline int established_answer(struct __sk_buff* skb, const struct weir_flow_key* flow,
                                         int is_low, __u32 direction) {
    struct weir_nat_key key;
    struct weir_nat* nat;

    established_nat_key(flow, is_low, &key);
    nat = nat_of_answer(&key, direction);
    if (unlikely(!nat)) {
        service_count(WEIR_SERVICE_NAT_LOST);
        return ESTABLISHED_PASSED;
    }
    if (direction == WEIR_EGRESS) return_note_own(skb, nat);
    nat_touch(nat);
    if (nat->flags & WEIR_NAT_OWN) return established_return(skb, nat);
    return established_rewrite(skb, nat);
}

/* Whether what the pod sends may be to a service. */
static __always_inline int established_is_hinted(const struct weir_flow_key* key, int is_low,
                                                 __u32 direction) {
    return services_on && direction == WEIR_EGRESS &&
           service_is_hinted(is_low ? &key->high : &key->low,
                             is_low ? key->high_port : key->low_port);
}

/* Lets such a packet by, translated where services are on, and counts it. Returns enum
 * established_result. */
static __always_inline int established_pass(struct __sk_buff* skb, __u32 direction) {
    struct weir_flow_key key;
    struct weir_pod* pod;
    __u32 slot;
    int is_low, result, is_asked = 0;

    pod = endpoint_lookup(skb->ifindex, &slot);
    if (!pod || skb->gso_size) return ESTABLISHED_OTHER;
    is_low = established_parse(skb, direction, pod, &key);
    if (is_low < 0) return ESTABLISHED_OTHER;
    if (unlikely(established_is_hinted(&key, is_low, direction))) {
        result = established_translate(skb, pod, &key, is_low);
        if (result != ESTABLISHED_ABSENT) return result;
        is_asked = 1;
    }
    result = established_continue(skb, direction, pod, &key, is_low, 0);
    if (likely(result == ESTABLISHED_PASSED) || !services_on) return result;
    if (result == ESTABLISHED_ANSWER) return established_answer(skb, &key, is_low, direction);
    if (result == ESTABLISHED_ABSENT && direction == WEIR_EGRESS && !is_asked)
        return established_translate(skb, pod, &key, is_low);
    return result;
}

#endif
