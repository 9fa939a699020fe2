/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Services at the pod's hooks, packet by packet: what a pod sends to a service gets its backend
 * before policy judges it, and the answer gets the service's address back after. For packets that
 * no cgroup program translated: those carry the backend's address already, which is no service's.
 * One of those that was moved to another backend comes by here as well.
 */
#ifndef WEIR_BPF_SERVICE_POD_H
#define WEIR_BPF_SERVICE_POD_H

#include "endpoint.h"
#include "fragment.h"
#include "nat_error.h"
#include "nat_life.h"
#include "nat_open.h"
#include "service_packet.h"
#include "service_reject.h"
#include "service_return.h"
#include "service_roles.h"

/* The element for what a pod sends to a service, to itself through one, or to a backend from which
 * its handshake was moved (service_retry.h). */
static __always_inline struct weir_nat* service_find(const struct weir_nat_key* key,
                                                     const struct packet* packet, __u64 now) {
    struct weir_nat* nat = bpf_map_lookup_elem(&weir_nat, key);

    if (!nat) return 0;
    if (nat->flags & WEIR_NAT_REPLY) return nat->flags & WEIR_NAT_HAIRPIN ? nat : 0;
    if (!nat_is_over(key, nat, packet->is_syn, now)) return nat;
    /* Else the flow to the backend's own address would be taken for the one that was moved. */
    if (nat->flags & WEIR_NAT_MOVED) nat_end(key, nat);
    return 0;
}

/* Translates what a pod sends. A pod may always talk to itself. */
static __always_inline int service_apply(struct __sk_buff* skb, const struct packet* packet,
                                         struct weir_nat* nat) {
    int is_hairpin = nat->flags & WEIR_NAT_HAIRPIN;

    nat_touch(nat);
    nat_write(skb, packet, nat);
    if (!is_hairpin) return TRANSLATION_DONE;
    counter_add(WEIR_EGRESS * WEIR_DROP_REASON_COUNT, packet->packets, packet->bytes);
    return TRANSLATION_RETURNED;
}

/* Chooses a backend for a new flow of the slot's pod and makes its elements. is_taken: a flow to a
 * service has the packet's addresses and ports already, after its translation: the packet gets
 * another source port. Returns 1; 0: the packet stays what it is; -reason. */
static __noinline int service_begin(const struct weir_nat_key* key, __u32 slot, __u64 now,
                                    int is_taken) {
    struct weir_nat forward = {.source = key->source,
                               .destination = key->destination,
                               .source_port = key->source_port,
                               .destination_port = key->destination_port,
                               .tick = bpf_jiffies64(),
                               .last_used = now};
    struct weir_backend* backend = 0;
    int chosen = service_choose(key, now);

    if (chosen < 0) return chosen;
    if (!chosen && !is_taken) return 0;
    if (chosen) {
        forward.backend = chosen;
        backend = bpf_map_lookup_elem(&weir_backends, &forward.backend);
        if (!backend) return 0;
        forward.generation = backend->generation;
        forward.destination = backend->address;
        forward.destination_port = backend->port;
        /* Inside the pod, nothing from its own address would be answered through its interface. */
        if (address_equals(&backend->address, &key->source)) {
            forward.source = key->destination;
            forward.flags |= WEIR_NAT_HAIRPIN;
        }
    }
    /* A flood from one pod evicts nobody else's flows. */
    if (load_opened(slot, now) >= flow_pod_share || !nat_open(key, &forward)) {
        service_count(WEIR_SERVICE_NAT_FULL);
        return 0;
    }
    if (backend) __sync_fetch_and_add(&backend->opened, 1);
    return 1;
}

/* What a pod sends, by its own right, in a flow that nobody knows yet. is_taken: see
 * service_begin(). Returns enum translation, or -reason. */
__noinline int service_open(struct __sk_buff* skb, int is_taken) {
    struct packet packet = {};
    struct weir_nat_key key;
    struct weir_nat* nat;
    __u64 now = bpf_ktime_get_coarse_ns();
    __u32 slot = WEIR_SLOT_NONE;
    int result = 0, flags;

    if (!services_on || packet_parse(skb, &packet)) return TRANSLATION_DECLINED;
    endpoint_lookup(skb->ifindex, &slot);
    if (packet.is_icmp_error) {
        flags = nat_translate_error(skb, &packet, 0, 0, 0);
        if (flags < 0) return TRANSLATION_DECLINED;
        return flags & WEIR_NAT_HAIRPIN ? TRANSLATION_RETURNED : TRANSLATION_DONE;
    }
    if (packet.is_later_fragment && fragment_resolve(&packet)) return TRANSLATION_DECLINED;
    nat_key_of(&packet, &key);
    nat = service_find(&key, &packet, now);
    if (!nat) {
        result = packet.is_later_fragment ? 0 : service_begin(&key, slot, now, is_taken);
        if (result <= 0) return result ? result : TRANSLATION_DECLINED;
        nat = bpf_map_lookup_elem(&weir_nat, &key);
        if (!nat) return TRANSLATION_DECLINED;
    }
    if (packet.is_fragment && !packet.is_later_fragment)
        fragment_remember(&packet, slot, now); /* as it comes: policy remembers it as it goes */
    flags = service_apply(skb, &packet, nat);
    return result && flags == TRANSLATION_DONE ? TRANSLATION_OPENED : flags;
}

/* Policy denies the flow that service_open() just opened. */
__noinline int service_forget(struct __sk_buff* skb) {
    struct packet packet = {};
    struct weir_nat_key key, back;
    struct weir_nat* reply;

    if (!services_on || packet_parse(skb, &packet)) return 0;
    nat_key_of(&packet, &key);
    nat_reverse(&key, &back);
    reply = bpf_map_lookup_elem(&weir_nat, &back);
    if (!reply) return 0;
    nat_answer_key(reply, key.protocol, &key);
    bpf_map_delete_elem(&weir_nat, &key);
    bpf_map_delete_elem(&weir_nat, &back);
    return 0;
}

/* An answer, or an ICMP error that answers, after policy: at the ingress hook of the pod that
 * talks to a service, at the egress hook of one that the uplink sent the request to. Returns the
 * hook's verdict. */
__noinline int service_answer(struct __sk_buff* skb, __u32 direction) {
    int is_outside = direction == WEIR_EGRESS;
    struct packet packet = {};
    struct weir_nat_key key;
    struct weir_nat* nat;

    if (!services_on || packet_parse(skb, &packet)) return VERDICT_PASS;
    if (packet.is_icmp_error) {
        if (nat_translate_error(skb, &packet, is_outside, WEIR_NAT_REPLY | WEIR_NAT_HAIRPIN,
                                WEIR_NAT_REPLY) < 0 ||
            !is_outside)
            return VERDICT_PASS;
        return return_error(skb);
    }
    if (packet.is_later_fragment && fragment_resolve(&packet)) return VERDICT_PASS;
    nat_key_of(&packet, &key);
    nat = nat_of_answer(&key, direction);
    if (!nat) {
        service_count(WEIR_SERVICE_NAT_LOST);
        return VERDICT_PASS;
    }
    if (is_outside) return_note_own(skb, nat);
    nat_touch(nat);
    if ((nat->flags & WEIR_NAT_OWN) && packet.l3_offset == ETH_HLEN)
        return return_send(skb, &packet, nat);
    nat_write(skb, &packet, nat);
    return VERDICT_PASS;
}

/* Answers for a service without a backend. Returns whether the frame is the answer now. */
__noinline int service_reject(struct __sk_buff* skb) {
    struct packet packet = {};

    if (!services_on || packet_parse(skb, &packet)) return 0;
    return packet.protocol == IPPROTO_TCP ? reject_with_reset(skb, &packet)
                                          : reject_with_error(skb, &packet);
}

#endif
