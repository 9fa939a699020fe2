// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * The two programs at the host side of a pod's veth. What a pod sends passes weir_pod_egress (tc
 * ingress), what it receives weir_pod_ingress (tc egress). One pair of programs serves all pods.
 * A packet of a known flow whose cached verdict is current costs one lookup that depends on
 * traffic.
 */
#include "endpoint.h"
#include "flow.h"
#include "fragment.h"
#include "neighbour.h"
#include "policy.h"
#include "service_established.h"
#include "service_pod.h"

/* Same values as TCX_NEXT and TCX_DROP: let the next program of the hook decide, never skip it. */
#define VERDICT_PASS -1
#define VERDICT_DROP 2
/* Not yet the hook's verdict, where there are services. */
#define VERDICT_ANSWER 16   /* passes; a service's address has yet to be put in */
#define VERDICT_ASK 17      /* the flow is unknown: it may be for a service */
#define VERDICT_ASK_PORT 18 /* a flow to a service has these addresses and ports already */

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(map_flags, BPF_F_MMAPABLE);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct weir_meta);
} weir_meta SEC(".maps");

/* Where this packet passes: everything the decision needs but the packet itself. */
struct hook {
    const struct weir_pod* pod;
    __u32 direction;
    __u8 is_own_node; /* the pod's own node sent it */
    __s8 translation; /* enum translation, or -reason */
    __u16 roles;      /* WEIR_FLOW_TRANSLATED, WEIR_FLOW_OF_SERVICE: what services the flow needs */
};

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

/* What services have to do with a flow that is known. Returns 0, or VERDICT_ASK_PORT. */
static __always_inline int flow_keep_roles(struct hook* hook, const struct passage* passage,
                                           struct weir_flow* flow) {
    int is_initiators = hook->direction == WEIR_EGRESS && passage->from_initiator;

    if (is_initiators && !hook->translation && (flow->state & WEIR_FLOW_OF_SERVICE))
        return VERDICT_ASK_PORT;
    if (is_initiators && hook->translation >= TRANSLATION_DONE &&
        !(flow->state & WEIR_FLOW_OF_SERVICE))
        __sync_fetch_and_or(&flow->state, WEIR_FLOW_OF_SERVICE);
    hook->roles = flow->state & (WEIR_FLOW_TRANSLATED | WEIR_FLOW_OF_SERVICE);
    return 0;
}

/* The same of a flow that is not: then weir_nat knows who opened it. Returns 0, or VERDICT_ASK. */
static __always_inline int flow_recall_roles(struct hook* hook, struct packet* packet) {
    int recall;

    if (hook->translation >= TRANSLATION_DONE) {
        hook->roles = WEIR_FLOW_OF_SERVICE;
        packet->opening = OPENING_SENDER;
        return 0;
    }
    recall = service_recall(packet, hook->direction);
    if (recall == RECALL_ASK) return hook->translation ? 0 : VERDICT_ASK;
    if (recall == RECALL_NOTHING) return 0;
    hook->roles = recall == RECALL_OF_SERVICE ? WEIR_FLOW_OF_SERVICE : WEIR_FLOW_TRANSLATED;
    packet->opening = recall == RECALL_REQUEST ? OPENING_SENDER : OPENING_RECEIVER;
    return 0;
}

/* An IP packet that policy must judge. Returns 0, -reason, or VERDICT_ASK and the like. */
static __always_inline int flow_judge(struct hook* hook, struct passage* passage,
                                      struct packet* packet) {
    struct weir_flow* flow;
    int result;

    passage->is_low = flow_key_of(packet, &passage->key);
    flow = flow_find(passage);
    if (flow) {
        passage->from_initiator = flow_is_from_initiator(flow, passage->is_low);
        if (flow_is_current(flow, packet, passage->from_initiator, passage->now)) {
            result = services_on ? flow_keep_roles(hook, passage, flow) : 0;
            return result ? result : flow_continue(hook, passage, flow);
        }
    }
    result = services_on ? flow_recall_roles(hook, packet) : 0;
    return result ? result : flow_open(hook, passage, packet, !!flow);
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

/* Counts and reports the outcome, and turns it into the hook's return value. The single exit. */
static __always_inline int flow_finish(const struct passage* passage, __u32 direction, int result) {
    __u32 reason = result < 0 ? -result : WEIR_DROP_NONE;

    counter_add(direction * WEIR_DROP_REASON_COUNT + reason, passage->packets, passage->bytes);
    if (likely(!reason)) {
        if (unlikely(passage->rule & WEIR_VERDICT_AUDIT))
            counter_add(WEIR_COUNTER_AUDITED + passage->side, passage->packets, passage->bytes);
        return VERDICT_PASS;
    }
    if (reason != WEIR_DROP_NOT_ADDRESSED) event_denied(passage, reason);
    return VERDICT_DROP;
}

/* Any packet, from its first byte. established: enum established_result. translation: enum
 * translation, or -reason. Returns the hook's verdict, or VERDICT_ANSWER and the like. */
__noinline int pod_handle_any(struct __sk_buff* skb, __u32 direction, int established,
                              int translation) {
    struct hook hook = {.direction = direction, .translation = translation};
    struct packet packet = {};
    struct passage passage = {};
    int result;

    passage.now = bpf_ktime_get_coarse_ns();
    passage.slot = WEIR_SLOT_NONE;
    passage.side = direction;
    passage.from_initiator = 1;
    passage.is_not_answered = established == ESTABLISHED_ABSENT;
    result = packet_parse(skb, &packet);
    passage.packets = packet.packets;
    passage.bytes = packet.bytes;
    passage.tcp_flags = packet.tcp_flags;
    passage.icmp_type = packet.icmp_type;
    passage.icmp_code = packet.icmp_code;
    hook.pod = endpoint_lookup(skb->ifindex, &passage.slot);
    if (!hook.pod) return flow_finish(&passage, hook.direction, -WEIR_DROP_NO_ENDPOINT);
    hook.is_own_node = hook.direction == WEIR_INGRESS && !skb->ingress_ifindex;
    if (likely(!result)) result = pod_admit(skb, &hook, &packet, &passage);
    if (unlikely(hook.translation < 0) && !result) result = hook.translation;
    if (likely(!result)) {
        result = flow_judge(&hook, &passage, &packet);
        if (unlikely(packet.is_fragment) && !result && !packet.is_later_fragment)
            fragment_remember(&packet, passage.slot, passage.now);
    } else if (result < 0) {
        passage.is_low = flow_key_of(&packet, &passage.key);
    }
    if (unlikely(result >= VERDICT_ASK)) return result;
    result = flow_finish(&passage, hook.direction, result);
    if (result == VERDICT_PASS && unlikely(flow_is_answer(&hook, &passage, &packet)))
        return VERDICT_ANSWER;
    return result;
}

static __always_inline int pod_answer(struct __sk_buff* skb, __u32 direction) {
    service_answer(skb, direction);
    return VERDICT_PASS;
}

/* What a pod sends in a flow that is unknown as it comes. verdict: VERDICT_ASK or the like. */
static __always_inline int pod_ask(struct __sk_buff* skb, int verdict) {
    int translation = service_open(skb, verdict == VERDICT_ASK_PORT);

    if (translation == TRANSLATION_RETURNED) return frame_return(skb);
    verdict = pod_handle_any(skb, WEIR_EGRESS, ESTABLISHED_OTHER, translation);
    if (verdict != VERDICT_DROP) return verdict;
    if (translation == TRANSLATION_OPENED) service_forget(skb);
    if (translation == -WEIR_DROP_SERVICE_NO_BACKEND && service_reject(skb))
        return frame_return(skb);
    return VERDICT_DROP;
}

SEC("tcx/ingress")
int weir_pod_egress(struct __sk_buff* skb) {
    int established = established_pass(skb, WEIR_EGRESS);
    int verdict;

    if (likely(established == ESTABLISHED_PASSED)) return VERDICT_PASS;
    verdict =
        pod_handle_any(skb, WEIR_EGRESS, established,
                       established == ESTABLISHED_TRANSLATED ? TRANSLATION_DONE : TRANSLATION_NONE);
    if (services_on && verdict >= VERDICT_ASK) verdict = pod_ask(skb, verdict);
    return verdict == VERDICT_ANSWER ? pod_answer(skb, WEIR_EGRESS) : verdict;
}

SEC("tcx/egress")
int weir_pod_ingress(struct __sk_buff* skb) {
    int verdict = established_pass(skb, WEIR_INGRESS);

    if (likely(verdict == ESTABLISHED_PASSED)) return VERDICT_PASS;
    verdict = pod_handle_any(skb, WEIR_INGRESS, verdict, TRANSLATION_NONE);
    return verdict == VERDICT_ANSWER ? pod_answer(skb, WEIR_INGRESS) : verdict;
}

/* Kernel helpers that this file uses are for GPL-compatible programs. */
char LICENSE[] SEC("license") = "Dual BSD/GPL";
