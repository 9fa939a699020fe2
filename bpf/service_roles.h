/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What services have to do with a packet's flow: whether it is for one, or an answer from one. */
#ifndef WEIR_BPF_SERVICE_ROLES_H
#define WEIR_BPF_SERVICE_ROLES_H

#include "flow.h"
#include "hook.h"
#include "nat.h"

/* What became of what a pod sends, before policy. Negative: -reason, it is dropped. */
enum translation {
    TRANSLATION_NONE = 0,     /* nobody asked */
    TRANSLATION_DECLINED = 1, /* it is for no service, or stays what it is */
    TRANSLATION_DONE = 2,     /* it has the backend's address */
    TRANSLATION_OPENED = 3,   /* the same, and it is the first of its flow */
    TRANSLATION_RETURNED = 4  /* it is for the pod itself, and on its way back */
};

/* What the maps of translated flows say of a flow that the hook does not know. */
enum recall {
    RECALL_NOTHING = 0,
    RECALL_ASK = 1,        /* it may be for a service */
    RECALL_OF_SERVICE = 2, /* an answer in a flow from a pod here to a service */
    RECALL_ANSWER = 3,     /* an answer to what the uplink translated */
    RECALL_REQUEST = 4,    /* what the uplink translated */
    RECALL_MOVED = 5,      /* an answer by a backend whose client was moved to another */
    RECALL_RETRY = 6       /* a SYN in a handshake that was moved */
};

/* Whether the other end was asked in vain, and another is now (service_retry.h). */
static __always_inline int recall_is_moved(const struct packet* packet,
                                           const struct weir_nat_key* back) {
    const struct weir_nat* nat;

    if (packet->protocol != IPPROTO_TCP || packet->is_syn) return 0;
    nat = bpf_map_lookup_elem(&weir_nat, back);
    return nat && (nat->flags & (WEIR_NAT_MOVED | WEIR_NAT_REPLY)) == WEIR_NAT_MOVED;
}

static __noinline int service_recall(const struct packet* packet, __u32 direction) {
    struct weir_nat_key key, back;
    const struct weir_nat *nat, *outside;

    if (!service_is_balanced(packet->protocol)) return RECALL_NOTHING;
    nat_key_of(packet, &key);
    nat = bpf_map_lookup_elem(&weir_nat, &key);
    if (nat && (nat->flags & WEIR_NAT_REPLY) && !(nat->flags & WEIR_NAT_HAIRPIN))
        return RECALL_OF_SERVICE;
    outside = nat_lookup_outside(&key);
    if (outside && (outside->flags & WEIR_NAT_REPLY)) return RECALL_ANSWER;
    nat_reverse(&key, &back);
    if (!nat && recall_is_moved(packet, &back)) return RECALL_MOVED;
    if (direction == WEIR_EGRESS && nat && packet->is_syn && (nat->flags & WEIR_NAT_MOVED))
        return RECALL_RETRY;
    if (direction == WEIR_EGRESS)
        return nat || packet->opening != OPENING_RECEIVER ? RECALL_ASK : RECALL_NOTHING;
    outside = nat_lookup_outside(&back);
    return outside && (outside->flags & WEIR_NAT_REPLY) ? RECALL_REQUEST : RECALL_NOTHING;
}

/* What services have to do with a flow that is known. Returns 0, VERDICT_ASK_PORT, or
 * VERDICT_RETRY. */
static __always_inline int flow_keep_roles(struct hook* hook, const struct passage* passage,
                                           const struct packet* packet, struct weir_flow* flow) {
    int is_initiators = hook->direction == WEIR_EGRESS && passage->from_initiator;

    if (is_initiators && !hook->translation) {
        if (flow->state & WEIR_FLOW_OF_SERVICE) return VERDICT_ASK_PORT;
        if (packet->is_syn && packet->protocol == IPPROTO_TCP && !flow->packets[1])
            return VERDICT_RETRY;
    }
    if (is_initiators && hook->translation >= TRANSLATION_DONE &&
        !(flow->state & WEIR_FLOW_OF_SERVICE))
        __sync_fetch_and_or(&flow->state, WEIR_FLOW_OF_SERVICE);
    hook->roles = flow->state & (WEIR_FLOW_TRANSLATED | WEIR_FLOW_OF_SERVICE);
    return 0;
}

/* The same of a flow that is not: then those maps know who opened it. Returns 0, VERDICT_ASK,
 * VERDICT_RETRY, or -reason. */
static __always_inline int flow_recall_roles(struct hook* hook, struct packet* packet) {
    int recall;

    if (hook->translation >= TRANSLATION_DONE) {
        hook->roles = WEIR_FLOW_OF_SERVICE;
        packet->opening = OPENING_SENDER;
        return 0;
    }
    recall = service_recall(packet, hook->direction);
    if (recall == RECALL_ASK) return hook->translation ? 0 : VERDICT_ASK;
    if (recall == RECALL_RETRY) return hook->translation ? 0 : VERDICT_RETRY;
    if (recall == RECALL_NOTHING) return 0;
    if (recall == RECALL_MOVED) return -WEIR_DROP_SERVICE_MOVED;
    hook->roles = recall == RECALL_OF_SERVICE ? WEIR_FLOW_OF_SERVICE : WEIR_FLOW_TRANSLATED;
    packet->opening = recall == RECALL_REQUEST ? OPENING_SENDER : OPENING_RECEIVER;
    return 0;
}

/* Whether an answer that was let by must yet get a service's address. An ICMP error may be about
 * one. */
static __always_inline int flow_is_answer(const struct hook* hook, const struct passage* passage,
                                          const struct packet* packet) {
    if (!services_on) return 0;
    if (packet->is_icmp_error) return !hook->translation;
    return !passage->from_initiator &&
           (hook->roles &
            (hook->direction == WEIR_EGRESS ? WEIR_FLOW_TRANSLATED : WEIR_FLOW_OF_SERVICE));
}

#endif
