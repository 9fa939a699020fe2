/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What passes or drops before policy judges it. */
#ifndef WEIR_BPF_ADMIT_H
#define WEIR_BPF_ADMIT_H

#include "fragment.h"
#include "judge.h"
#include "neighbour.h"

/* Whether an ICMP error belongs to a flow that the pod at the hook is allowed to have: then it
 * passes, whatever policy says of ICMP, so that path MTU discovery and the like work. passage: room
 * to work in, there is no stack left for another. */
static __noinline int flow_allows_error(struct __sk_buff* skb, const struct packet* packet,
                                        const struct hook* hook, struct passage* passage) {
    struct packet quoted = {};
    struct weir_flow* flow;
    __u64 word;

    if (packet_parse_quoted(skb, &quoted, packet->l4_offset + sizeof(struct icmp_header),
                            packet->is_v6))
        return 0;
    /* It goes back to whoever sent what it quotes; from the pod it must quote what the pod got. */
    if (!address_equals(&quoted.source, &packet->destination) ||
        (hook->direction == WEIR_EGRESS && !address_equals(&quoted.destination, &packet->source)))
        return 0;
    if (quoted.is_later_fragment && fragment_resolve(&quoted)) return 0;
    passage->is_low = flow_key_of(&quoted, &passage->key);
    passage->is_not_answered = 0;
    flow = flow_find(passage);
    if (!flow) return 0;
    passage->from_initiator = flow_is_from_initiator(flow, passage->is_low);
    /* The quoted packet travelled the other way: what the pod receives quotes what it sent. */
    passage->side = hook_side(hook->direction == WEIR_INGRESS ? WEIR_EGRESS : WEIR_INGRESS,
                              passage->from_initiator);
    word = pod_rules(hook->pod, passage->side);
    if (!WEIR_RULES_TABLE(word)) return 0;
    if (WEIR_RULES_GENERATION(flow->sides[passage->side & 1]) == WEIR_RULES_GENERATION(word))
        return 1;
    if ((flow->state & WEIR_FLOW_OWN_NODE) && passage->side == WEIR_INGRESS) return 1;
    return pod_decide(passage, word) == 0;
}

/* Whether the pod gets back what it sent: by frame_return(), the pod talks to itself through a
 * service, or it has none. */
static __always_inline int pod_is_returned(struct __sk_buff* skb, __u32 direction) {
    return services_on && direction == WEIR_INGRESS && skb->ingress_ifindex == skb->ifindex;
}

/* Everything that passes or drops before policy. Returns 1 when the packet passes, 0 when policy
 * must judge it, -reason when it is dropped, or VERDICT_ASK. */
static __noinline int pod_admit_any(struct __sk_buff* skb, const struct hook* hook,
                                    struct packet* packet, struct passage* passage) {
    const struct weir_pod* pod = hook->pod;
    int is_egress = hook->direction == WEIR_EGRESS;
    int error;

    if (pod_is_returned(skb, hook->direction)) return 1;
    if (packet->kind == PACKET_ARP) {
        error = neighbour_check_arp(skb, packet, is_egress ? pod : 0);
        return error ? error : 1;
    }
    if (is_egress) {
        error = neighbour_check_source(packet, pod);
        if (error) return error;
    } else if (!endpoint_is_addressed(skb, pod, packet)) {
        return -WEIR_DROP_NOT_ADDRESSED;
    }
    if (neighbour_is_discovery(packet)) {
        error = is_egress ? neighbour_check_claim(skb, packet, pod) : 0;
        return error ? error : 1;
    }
    /* A pod that talks to itself, through a service or a hairpin: only its own packets that came
     * back are believed. */
    if (address_equals(&packet->source, &packet->destination) &&
        (is_egress ||
         (skb->ingress_ifindex == skb->ifindex && endpoint_owns(pod, &packet->source))))
        return 1;
    if (packet->is_later_fragment) {
        error = fragment_resolve(packet);
        if (error) return error;
    }
    if (!packet->is_icmp_error) return 0;
    if (flow_allows_error(skb, packet, hook, passage)) return 1;
    return services_on && hook->direction == WEIR_EGRESS && !hook->translation ? VERDICT_ASK : 0;
}

/* The same, for the plain case at once: a whole TCP or UDP packet between two ends, from the
 * pod's own address or to its MAC. */
static __always_inline int pod_admit(struct __sk_buff* skb, const struct hook* hook,
                                     struct packet* packet, struct passage* passage) {
    int is_plain = packet->is_plain && !address_equals(&packet->source, &packet->destination) &&
                   !pod_is_returned(skb, hook->direction);

    if (likely(is_plain &&
               (hook->direction == WEIR_EGRESS ? endpoint_owns_first(hook->pod, &packet->source)
                                               : endpoint_has_mac(skb, hook->pod))))
        return 0;
    return pod_admit_any(skb, hook, packet, passage);
}

#endif
