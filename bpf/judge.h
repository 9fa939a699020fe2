/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What policy says of a packet: the cached verdict of its flow, or the pod's table. */
#ifndef WEIR_BPF_JUDGE_H
#define WEIR_BPF_JUDGE_H

#include "flow.h"
#include "hook.h"
#include "policy.h"

/* Asks the pod's table. word: the pod's rules of the passage's side. Returns 0 with passage->rule,
 * or -reason. */
__noinline int pod_decide(struct passage* passage, __u64 word) {
    const struct weir_address* peer;
    int initiator_is_high;
    __u32 port_key = WEIR_PORT_KEY_OTHER, verdict = 0;
    __be16 port;
    int error;

    if (!passage) return -WEIR_DROP_DANGLING_ID;
    initiator_is_high = passage->is_low != passage->from_initiator;
    /* The peer is the far end: the responder for the initiator's side and the other way round. */
    peer = (passage->side == WEIR_EGRESS) == initiator_is_high ? &passage->key.low
                                                               : &passage->key.high;
    port = initiator_is_high ? passage->key.low_port : passage->key.high_port;
    if (flow_has_ports(passage->key.protocol))
        port_key = WEIR_PORT_KEY(passage->key.protocol, bpf_ntohs(port));

    passage->rule = WEIR_RULE_NONE;
    error = policy_decide(WEIR_RULES_TABLE(word), peer, port_key, &verdict);
    if (error) return error;
    passage->is_for_own_node = !!(verdict & WEIR_VERDICT_OWN_NODE);
    passage->rule = verdict & ~(WEIR_VERDICT_DENY | WEIR_VERDICT_OWN_NODE);
    if (!(verdict & WEIR_VERDICT_DENY)) return 0;
    return passage->rule == WEIR_RULE_POD_UNKNOWN ? -WEIR_DROP_POD_UNKNOWN : -WEIR_DROP_POLICY_DENY;
}

/* A flow that the pod's own node opens: it passes before all but the rules that are for it too. */
static __always_inline int own_node_decide(struct passage* passage, __u64 word) {
    int error = pod_decide(passage, word);

    if (error == -WEIR_DROP_POLICY_DENY && passage->is_for_own_node) return error;
    passage->rule = WEIR_RULE_OWN_NODE;
    return 0;
}

/* A flow whose side has no current verdict: it is new to this pod, or the pod's rules or the peer's
 * class changed. Returns 0 or -reason; a denial is not cached and leaves the entry as it is. */
static __noinline int flow_decide_again(const struct hook* hook, struct passage* passage,
                                        struct weir_flow* flow, __u64 word) {
    int is_nodes = flow->state & WEIR_FLOW_OWN_NODE;
    int error;

    if (hook->is_own_node) {
        passage->rule = WEIR_RULE_OWN_NODE;
        if (passage->side == WEIR_EGRESS) /* the node answers the pod: the pod's side to judge */
            return 0;
        error = own_node_decide(passage, word);
        if (error) return error;
        if (!is_nodes) __sync_fetch_and_or(&flow->state, WEIR_FLOW_OWN_NODE);
    } else if (is_nodes && passage->side == WEIR_INGRESS && hook->direction == WEIR_EGRESS) {
        error = own_node_decide(passage, word);
        if (error) return error;
    } else {
        error = pod_decide(passage, word);
        /* Forwarded, with the addresses of the node's own flow: judged, and never cached as its. */
        if (error || (is_nodes && passage->side == WEIR_INGRESS)) return error;
    }
    flow->sides[passage->side & 1] = WEIR_RULES_WORD(WEIR_RULES_GENERATION(word), passage->rule);
    event_flow(passage, flow, WEIR_EVENT_ALLOWED);
    return 0;
}

static __always_inline int flow_continue(const struct hook* hook, struct passage* passage,
                                         struct weir_flow* flow) {
    __u64 word;
    int error;

    passage->side = hook_side(hook->direction, passage->from_initiator);
    word = pod_rules(hook->pod, passage->side);
    if (!WEIR_RULES_TABLE(word)) return -WEIR_DROP_NO_ENDPOINT;
    if (unlikely(WEIR_RULES_GENERATION(flow->sides[passage->side & 1]) !=
                     WEIR_RULES_GENERATION(word) ||
                 ((flow->state & WEIR_FLOW_OWN_NODE) && hook->direction == WEIR_INGRESS &&
                  !hook->is_own_node))) {
        error = flow_decide_again(hook, passage, flow, word);
        if (error) return error;
    } else {
        passage->rule = (__u32)flow->sides[passage->side & 1];
    }
    flow_account(flow, passage, hook->direction);
    return 0;
}

/* A segment from the middle of a connection nobody remembers, between ports that do not tell who
 * opened it: it passes only if policy allows the connection either way. No entry is made. */
static __always_inline int flow_decide_both(const struct hook* hook, struct passage* passage) {
    int error;

    passage->from_initiator = 0;
    passage->side = hook_side(hook->direction, 0);
    error = pod_decide(passage, pod_rules(hook->pod, passage->side));
    if (error) return error;
    passage->from_initiator = 1;
    passage->side = hook_side(hook->direction, 1);
    return pod_decide(passage, pod_rules(hook->pod, passage->side));
}

static __noinline int flow_open(const struct hook* hook, struct passage* passage,
                                const struct packet* packet, int is_replacing) {
    int opening = packet->opening;
    __u64 word, cached = 0;
    __u32 state = hook->roles;
    int error;

    if (opening == OPENING_UNKNOWN) opening = flow_opening_from_ports(packet);
    passage->from_initiator = opening != OPENING_RECEIVER;
    passage->side = hook_side(hook->direction, passage->from_initiator);
    word = pod_rules(hook->pod, passage->side);
    if (!WEIR_RULES_TABLE(word)) return -WEIR_DROP_NO_ENDPOINT;

    if (hook->is_own_node) {
        passage->rule = WEIR_RULE_OWN_NODE;
        if (passage->side == WEIR_INGRESS) {
            error = own_node_decide(passage, word);
            if (error) return error;
            cached = WEIR_RULES_WORD(WEIR_RULES_GENERATION(word), passage->rule);
            state |= WEIR_FLOW_OWN_NODE;
        }
    } else if (opening == OPENING_UNKNOWN) {
        return flow_decide_both(hook, passage);
    } else {
        error = pod_decide(passage, word);
        if (error) return error;
        cached = WEIR_RULES_WORD(WEIR_RULES_GENERATION(word), passage->rule);
    }
    if (packet->tcp_flags & TCP_RST) /* ends what nobody remembers */
        return 0;
    if (hook->direction == WEIR_EGRESS)
        state |= passage->from_initiator ? WEIR_FLOW_EGRESS_LOCAL : WEIR_FLOW_INGRESS_LOCAL;
    if (is_replacing) flow_forget(&passage->key);
    flow_create(passage, cached, state);
    return 0;
}

#endif
