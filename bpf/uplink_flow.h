/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Flows from outside: what their elements of weir_uplink_nat mean, and when one is over. */
#ifndef WEIR_BPF_UPLINK_FLOW_H
#define WEIR_BPF_UPLINK_FLOW_H

#include "nat.h"
#include "uplink_node.h"

#define UPLINK_SECOND 1000000000ull
/* After that long without a packet, a UDP flow is over: what conntrack gives one with replies. */
#define UPLINK_UDP_IDLE (120 * UPLINK_SECOND)
/* A connection that nobody closed: longer than the two hours after which keepalive begins. */
#define UPLINK_TCP_IDLE (9000 * UPLINK_SECOND)
/* One that an end closed: the backend may wait for stragglers (TIME-WAIT). And one whose SYN was
 * sent that long ago and not answered. */
#define UPLINK_CLOSED_IDLE (60 * UPLINK_SECOND)

#define TCP_FIN_OR_RST 0x05

/* What becomes of a packet. */
enum uplink_step {
    STEP_NONE = 0,        /* untouched: it is no service's, or stays what it is */
    STEP_LOCAL = 1,       /* translated, and up the node's stack to the backend */
    STEP_FORWARD = 2,     /* translated, and sent on */
    STEP_ENCAPSULATE = 3, /* sent on as it is, in an outer IP header */
    STEP_RELAY = 4        /* an ICMP error that is translated already, sent on */
};

/* Elements of answers that a pod here gives are not for the uplink. */
static __always_inline int uplink_step_of(const struct weir_nat_key* key,
                                          const struct weir_nat* nat) {
    if (nat->flags & WEIR_NAT_REPLY)
        return address_equals(&key->destination, &nat->destination) ? STEP_NONE : STEP_FORWARD;
    if (nat->flags & WEIR_NAT_DSR) return STEP_ENCAPSULATE;
    return address_equals(&key->source, &nat->source) ? STEP_LOCAL : STEP_FORWARD;
}

static __always_inline __u64 uplink_idle_limit(__u8 protocol, __u32 flags) {
    if (flags & (WEIR_NAT_CLOSING | WEIR_NAT_PENDING)) return UPLINK_CLOSED_IDLE;
    return protocol == IPPROTO_UDP ? UPLINK_UDP_IDLE : UPLINK_TCP_IDLE;
}

/* Whether the flow that an answer's element is of is over: both of its elements were idle for as
 * long as it takes. back: that element's key. */
static __noinline int uplink_is_stale(const struct weir_nat_key* back, const struct weir_nat* reply,
                                      __u64 now) {
    struct weir_nat_key key;
    const struct weir_nat* request;
    __u64 last_used = reply->last_used;
    __u32 flags = reply->flags;

    if ((__s64)(now - last_used) <= (__s64)UPLINK_CLOSED_IDLE) return 0; /* the least of all */
    nat_answer_key(reply, back->protocol, &key);
    request = nat_lookup_outside(&key);
    if (request) {
        flags |= request->flags;
        if (request->last_used > last_used) last_used = request->last_used;
    }
    return (__s64)(now - last_used) > (__s64)uplink_idle_limit(back->protocol, flags);
}

/* Whether the packet begins another flow than the one that the request's element was made for. */
static __always_inline int uplink_is_over(const struct weir_nat* nat, const struct packet* packet) {
    const struct weir_backend* backend;

    if (likely(packet->protocol != IPPROTO_UDP && !packet->is_syn)) return 0;
    backend = backend_lookup(nat->backend, nat->generation);
    if (!backend) return 1;
    if (packet->is_syn)
        return backend->state != WEIR_BACKEND_ACTIVE || (nat->flags & WEIR_NAT_CLOSING);
    if (backend->state != WEIR_BACKEND_ACTIVE && backend->state != WEIR_BACKEND_DRAINING) return 1;
    return nat_is_due(nat) &&
           (__s64)(bpf_ktime_get_coarse_ns() - nat->last_used) > (__s64)UPLINK_UDP_IDLE;
}

/* Whether the answers' element is of the flow whose requests have this key. */
static __always_inline int uplink_is_answered_by(const struct weir_nat_key* key,
                                                 const struct weir_nat* answer) {
    return answer->destination_port == key->source_port &&
           address_equals(&answer->destination, &key->source) &&
           answer->source_port == key->destination_port &&
           address_equals(&answer->source, &key->destination);
}

/* Both elements of a flow. Where its answers had theirs, another flow may have its own by now. */
static __noinline void uplink_forget(const struct weir_nat_key* key, const struct weir_nat* nat) {
    const struct weir_nat* answer;
    struct weir_nat_key back;

    if (!(nat->flags & WEIR_NAT_DSR)) {
        nat_answer_key(nat, key->protocol, &back);
        answer = nat_lookup_outside(&back);
        if (answer && uplink_is_answered_by(key, answer))
            bpf_map_delete_elem(&weir_uplink_nat, &back);
    }
    bpf_map_delete_elem(&weir_uplink_nat, key);
}

/* Makes an element, which has this key, that of the packets which go the other way. */
static __always_inline void uplink_turn(const struct weir_nat_key* key, struct weir_nat* nat) {
    nat->source = key->destination;
    nat->destination = key->source;
    nat->source_port = key->destination_port;
    nat->destination_port = key->source_port;
    nat->flags ^= WEIR_NAT_REPLY;
}

/* Whether the answers still find their element: the kernel may have evicted it, and then another
 * flow may have its port. Puts it back where nobody has. */
static __noinline int uplink_mend(const struct weir_nat_key* key, const struct weir_nat* nat) {
    struct weir_nat_key back;
    struct weir_nat reply = *nat;
    const struct weir_nat* known;

    nat_answer_key(nat, key->protocol, &back);
    known = nat_lookup_outside(&back);
    if (known) return uplink_is_answered_by(key, known);
    uplink_turn(key, &reply);
    return !nat_insert_outside(&back, &reply);
}

/* Makes the requests' element, for there is an answer, whose element this is. Where another backend
 * has answered before, the flow is that one's. */
static __noinline void uplink_confirm(const struct weir_nat_key* key, struct weir_nat* reply) {
    struct weir_nat_key request;
    struct weir_nat forward = *reply;
    const struct weir_nat* known;

    nat_answer_key(reply, key->protocol, &request);
    uplink_turn(key, &forward);
    forward.flags = 0;
    if (nat_insert_outside(&request, &forward)) {
        known = nat_lookup_outside(&request);
        if (!known || !nat_is_same(known, &forward)) return;
    }
    reply->flags &= ~WEIR_NAT_PENDING;
}

/* Notes that the flow lives. Once a second it asks for the answers' element; returns 0 if another
 * flow has taken it. */
static __always_inline int uplink_touch(const struct weir_nat_key* key, struct weir_nat* nat,
                                        const struct packet* packet) {
    __u64 before = nat->last_used, now;

    if (unlikely(packet->tcp_flags & TCP_FIN_OR_RST)) nat->flags |= WEIR_NAT_CLOSING;
    if (likely(!nat_is_due(nat))) return 1; /* reading the clock costs more than a tick's number */
    now = bpf_ktime_get_coarse_ns();
    nat->tick = bpf_jiffies64();
    nat->last_used = now;
    if (likely(now >> 30 == before >> 30) || (nat->flags & (WEIR_NAT_REPLY | WEIR_NAT_DSR)))
        return 1;
    return uplink_mend(key, nat);
}

#endif
