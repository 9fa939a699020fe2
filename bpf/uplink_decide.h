/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What becomes of a packet that comes in at the uplink: one logic for the XDP and the tc program,
 * which do it each in their own way. */
#ifndef WEIR_BPF_UPLINK_DECIDE_H
#define WEIR_BPF_UPLINK_DECIDE_H

#include "uplink_open.h"

struct decision {
    struct weir_nat_key key;
    struct weir_nat opened;     /* of a new flow */
    const struct weir_nat* nat; /* what the packet carries afterwards */
    struct weir_way* way;       /* that its packets go; 0: it is new */
};

/* The flow's element, if the packet belongs to that flow; its step in *step. */
static __always_inline struct weir_uplink_nat* decide_known(const struct packet* packet,
                                                            const struct weir_nat_key* key,
                                                            int* step) {
    struct weir_uplink_nat* known = bpf_map_lookup_elem(&weir_uplink_nat, key);
    struct weir_nat* nat;

    *step = STEP_NONE;
    if (!known) return 0;
    nat = &known->nat;
    *step = uplink_step_of(key, nat);
    if (*step == STEP_NONE) return known;
    if (unlikely(nat->flags & WEIR_NAT_PENDING)) uplink_confirm(key, nat);
    if (((nat->flags & WEIR_NAT_REPLY) || !uplink_is_over(nat, packet)) &&
        likely(uplink_touch(key, nat, packet)))
        return known;
    uplink_forget(key, nat);
    return 0;
}

/* A segment that ends a connection, or a part of a datagram, opens nothing. */
static __always_inline int decide_opens(const struct packet* packet) {
    return service_is_balanced(packet->protocol) && !(packet->tcp_flags & 0x04) &&
           !packet->is_later_fragment;
}

/* Returns enum uplink_step with decision->nat, or UPLINK_NOT_LET_BY(). */
static __always_inline int uplink_decide(const struct packet* packet, struct decision* decision) {
    struct weir_uplink_nat* known;
    int step;

    nat_key_of(packet, &decision->key);
    known = decide_known(packet, &decision->key, &step);
    if (likely(known)) {
        decision->nat = &known->nat;
        decision->way = &known->way;
        return step;
    }
    if (!decide_opens(packet)) return STEP_NONE;
    decision->nat = &decision->opened;
    return uplink_open(&decision->key, &decision->opened, packet->is_syn);
}

/* The same for a packet that came in an outer IP header to the backend at this address. */
static __always_inline int uplink_decide_inner(const struct packet* packet,
                                               const struct weir_address* backend,
                                               struct decision* decision) {
    struct weir_uplink_nat* known;
    int step;

    nat_key_of(packet, &decision->key);
    known = decide_known(packet, &decision->key, &step);
    if (likely(known)) {
        decision->nat = &known->nat;
        decision->way = &known->way;
        return step == STEP_LOCAL && address_equals(&known->nat.destination, backend) ? STEP_LOCAL
                                                                                      : STEP_NONE;
    }
    if (!decide_opens(packet)) return STEP_NONE;
    decision->nat = &decision->opened;
    return uplink_adopt(&decision->key, backend, &decision->opened);
}

#endif
