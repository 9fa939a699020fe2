// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * The two programs at the host side of a pod's veth. What a pod sends passes weir_pod_egress (tc
 * ingress), what it receives weir_pod_ingress (tc egress). One pair of programs serves all pods.
 * A packet of a known flow whose cached verdict is current costs one lookup that depends on
 * traffic. The writers end the hooks' work with what goes through a service (rewrite.h).
 */
#include "admit.h"
#include "fragment.h"
#include "judge.h"
#include "service_established.h"
#include "service_pod.h"
#include "service_retry.h"
#include "service_roles.h"

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(map_flags, BPF_F_MMAPABLE);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct weir_meta);
} weir_meta SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_PROG_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, __u32);
} weir_egress_writer SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_PROG_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, __u32);
} weir_ingress_writer SEC(".maps");

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
            result = services_on ? flow_keep_roles(hook, passage, packet, flow) : 0;
            return result ? result : flow_continue(hook, passage, flow);
        }
    }
    result = services_on ? flow_recall_roles(hook, packet) : 0;
    if (unlikely(result < 0)) { /* an answer that comes too late */
        passage->from_initiator = 0;
        passage->side = hook_side(hook->direction, 0);
    }
    return result ? result : flow_open(hook, passage, packet, !!flow);
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

/* What a pod sends in a flow that is unknown as it comes, or not answered. verdict: VERDICT_ASK or
 * the like. */
static __always_inline int pod_ask(struct __sk_buff* skb, int verdict) {
    int translation = TRANSLATION_DECLINED;

    if (verdict != VERDICT_RETRY || service_retry(skb))
        translation = service_open(skb, verdict == VERDICT_ASK_PORT);
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
    if (services_on && established == ESTABLISHED_PLANNED) {
        bpf_tail_call(skb, &weir_egress_writer, 0);
        rewrite_as_planned(skb);
        return VERDICT_PASS;
    }
    if (services_on && established == ESTABLISHED_SENT) return VERDICT_SENT;
    verdict =
        pod_handle_any(skb, WEIR_EGRESS, established,
                       established == ESTABLISHED_TRANSLATED ? TRANSLATION_DONE : TRANSLATION_NONE);
    if (services_on && verdict >= VERDICT_ASK) verdict = pod_ask(skb, verdict);
    return verdict == VERDICT_ANSWER ? service_answer(skb, WEIR_EGRESS) : verdict;
}

SEC("tcx/egress")
int weir_pod_ingress(struct __sk_buff* skb) {
    int verdict = established_pass(skb, WEIR_INGRESS);

    if (likely(verdict == ESTABLISHED_PASSED)) return VERDICT_PASS;
    if (services_on && verdict == ESTABLISHED_PLANNED) {
        bpf_tail_call(skb, &weir_ingress_writer, 0);
        rewrite_as_planned(skb);
        return VERDICT_PASS;
    }
    verdict = pod_handle_any(skb, WEIR_INGRESS, verdict, TRANSLATION_NONE);
    return verdict == VERDICT_ANSWER ? service_answer(skb, WEIR_INGRESS) : verdict;
}

/* The kernel lets a hook end only in a program for the same one. */
SEC("tcx/ingress")
int weir_write_egress(struct __sk_buff* skb) {
    return rewrite_packet(skb);
}

SEC("tcx/egress")
int weir_write_ingress(struct __sk_buff* skb) {
    return rewrite_packet(skb);
}

/* Kernel helpers that this file uses are for GPL-compatible programs. */
char LICENSE[] SEC("license") = "Dual BSD/GPL";
