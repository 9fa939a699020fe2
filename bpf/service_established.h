/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* The established way (established.h) through services: what a pod sends to a service costs two
 * lookups more than to its backend, its answers one more, any other packet none. */
#ifndef WEIR_BPF_SERVICE_ESTABLISHED_H
#define WEIR_BPF_SERVICE_ESTABLISHED_H

#include "established.h"
#include "nat_life.h"
#include "nat_write.h"
#include "service_return.h"

/* From the checksum of an IPv4 header without options to the ports behind it. */
struct nat_plain_v4 {
    __u16 check;
    __be32 source;
    __be32 destination;
    __be16 ports[2];
} __attribute__((packed));

/* As nat_write(), for a packet that established_parse() took: in as few calls as it takes. */
static __always_inline void nat_write_plain(struct __sk_buff* skb, const struct weir_nat_key* from,
                                            const struct weir_nat* to) {
    __u32 difference = nat_fold(nat_difference(from, to, 8));
    __u32 before = *(const __u32*)&from->source_port, after = *(const __u32*)&to->source_port;
    __u32 checksum = nat_checksum_offset(from->protocol);
    int is_v4 = address_is_mapped_v4(&from->source);

    if (is_v4) {
        void* data = (void*)(long)skb->data;
        struct iphdr* ip = data + sizeof(struct ethhdr);
        struct nat_plain_v4 start = {.source = to->source.words[3],
                                     .destination = to->destination.words[3]};

        if ((void*)(ip + 1) > (void*)(long)skb->data_end) return;
        start.check = ~nat_fold_word((__u64)(__u16)~ip->check + difference);
        __builtin_memcpy(start.ports, &after, sizeof(after));
        bpf_skb_store_bytes(skb, sizeof(struct ethhdr) + offsetof(struct iphdr, check), &start,
                            sizeof(start), 0);
        checksum += sizeof(struct ethhdr) + sizeof(struct iphdr);
    } else {
        /* Both addresses and both ports, in this order in the element and in the packet. */
        bpf_skb_store_bytes(skb, sizeof(struct ethhdr) + offsetof(struct ipv6hdr, saddr), to,
                            offsetof(struct weir_nat, backend), 0);
        checksum += sizeof(struct ethhdr) + sizeof(struct ipv6hdr);
    }
    bpf_l4_csum_replace(skb, checksum, 0, difference, BPF_F_PSEUDO_HDR | BPF_F_MARK_MANGLED_0);
    if (!is_v4) bpf_csum_update(skb, difference); /* as in nat_write_checksum() */
    if (before != after)
        bpf_l4_csum_replace(skb, checksum, before, after, sizeof(after) | BPF_F_MARK_MANGLED_0);
}

static __always_inline void established_nat_key(const struct weir_flow_key* flow, int is_low,
                                                struct weir_nat_key* key) {
    key->source = is_low ? flow->low : flow->high;
    key->destination = is_low ? flow->high : flow->low;
    key->source_port = is_low ? flow->low_port : flow->high_port;
    key->destination_port = is_low ? flow->high_port : flow->low_port;
    key->protocol = flow->protocol;
    __builtin_memset(key->pad, 0, sizeof(key->pad));
}

/* What a pod sends in a flow that is known under a service's address alone. A pod that talks to
 * itself is left to the rest of the program. Returns enum established_result. */
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
    nat_write_plain(skb, &key, nat);
    return result == ESTABLISHED_PASSED ? ESTABLISHED_PASSED : ESTABLISHED_TRANSLATED;
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
    nat_write_plain(skb, &key, nat);
    return ESTABLISHED_PASSED;
}

/* Lets such a packet by, translated where services are on, and counts it. Returns enum
 * established_result. */
static __always_inline int established_pass(struct __sk_buff* skb, __u32 direction) {
    struct weir_flow_key key;
    struct weir_pod* pod;
    __u32 slot;
    int is_low, result;

    pod = endpoint_lookup(skb->ifindex, &slot);
    if (!pod || skb->gso_size) return ESTABLISHED_OTHER;
    is_low = established_parse(skb, direction, pod, &key);
    if (is_low < 0) return ESTABLISHED_OTHER;
    result = established_continue(skb, direction, pod, &key, is_low, 0);
    if (likely(result == ESTABLISHED_PASSED) || !services_on) return result;
    if (result == ESTABLISHED_ANSWER) return established_answer(skb, &key, is_low, direction);
    if (result == ESTABLISHED_ABSENT && direction == WEIR_EGRESS)
        return established_translate(skb, pod, &key, is_low);
    return result;
}

#endif
