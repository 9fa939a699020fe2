/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* The way of nearly all packets: whole TCP and UDP packets of answered flows whose verdict is
 * current and that change nothing but counters. In as few instructions and cache lines as it takes,
 * because between two packets the caches go cold. Whatever is not exactly that is left untouched
 * for the rest of the program, which decides the same. */
#ifndef WEIR_BPF_ESTABLISHED_H
#define WEIR_BPF_ESTABLISHED_H

#include "endpoint.h"
#include "flow.h"

/* A TCP segment that changes no state, or a UDP datagram. length: what the IP header leaves. */
static __always_inline int established_is_transport(const struct tcphdr* tcp, __u8 protocol,
                                                    __u32 length) {
    if (protocol == IPPROTO_TCP)
        return tcp->doff >= 5 && tcp->doff * 4u <= length &&
               !(((__u8*)tcp)[13] & (TCP_SYN | TCP_FIN | TCP_RST));
    return protocol == IPPROTO_UDP &&
           bpf_ntohs(((struct udphdr*)tcp)->len) >= sizeof(struct udphdr);
}

/* own: 0 where the packet need not be from the pod. Returns as established_parse(). */
static __always_inline int established_key(const struct weir_address* source,
                                           const struct weir_address* destination,
                                           const struct tcphdr* tcp, __u8 protocol,
                                           const struct weir_pod* own, struct weir_flow_key* key) {
    if (own && !endpoint_owns_first(own, source)) return -1;
    if (address_equals(source, destination)) return -1;
    return flow_key(source, destination, tcp->source, tcp->dest, protocol, key);
}

/* Fills the key of an untagged packet without options, extensions or fragments, from the pod's own
 * address or to its MAC. Returns whether the sender is the key's low end, or -1 when the packet is
 * not one of those. The same checks as in packet_parse_frame(). */
static __always_inline int established_parse(struct __sk_buff* skb, __u32 direction,
                                             const struct weir_pod* pod,
                                             struct weir_flow_key* key) {
    const struct weir_pod* own = direction == WEIR_EGRESS ? pod : 0;
    void* data = (void*)(long)skb->data;
    void* end = (void*)(long)skb->data_end;
    struct ethhdr* eth = data;
    struct tcphdr* tcp;
    __u32 length;

    if (data + sizeof(*eth) + sizeof(struct iphdr) + sizeof(*tcp) > end) return -1;
    if (direction == WEIR_INGRESS && !endpoint_is_mac(pod, eth->h_dest)) return -1;
    if (eth->h_proto == bpf_htons(ETH_P_IP)) {
        struct iphdr* ip = data + sizeof(*eth);
        struct weir_address source, destination;

        length = bpf_ntohs(ip->tot_len);
        if (*(__u8*)ip != 0x45 || (ip->frag_off & bpf_htons(0x3fff)) ||
            length < sizeof(*ip) + sizeof(*tcp) || length > skb->len - sizeof(*eth))
            return -1;
        tcp = data + sizeof(*eth) + sizeof(*ip);
        if (!established_is_transport(tcp, ip->protocol, length - sizeof(*ip))) return -1;
        address_map_v4(&source, ip->saddr);
        address_map_v4(&destination, ip->daddr);
        return established_key(&source, &destination, tcp, ip->protocol, own, key);
    }
    if (eth->h_proto == bpf_htons(ETH_P_IPV6)) {
        struct ipv6hdr* ip = data + sizeof(*eth);
        const struct weir_address* source = (const void*)&ip->saddr;
        const struct weir_address* destination = (const void*)&ip->daddr;

        tcp = data + sizeof(*eth) + sizeof(*ip);
        if ((void*)(tcp + 1) > end) return -1;
        length = bpf_ntohs(ip->payload_len);
        if (ip->version != 6 || length < sizeof(*tcp) ||
            length > skb->len - sizeof(*eth) - sizeof(*ip))
            return -1;
        if (!established_is_transport(tcp, ip->nexthdr, length)) return -1;
        if (address_is_mapped_v4(source) || address_is_mapped_v4(destination)) return -1;
        return established_key(source, destination, tcp, ip->nexthdr, own, key);
    }
    return -1;
}

/* What is to be done once a tick, because reading the clock costs more: returns whether the flow
 * goes on as it is. */
static __always_inline int established_tick(struct weir_flow* flow, __u8 protocol, __u16 tick) {
    __u64 now = bpf_ktime_get_coarse_ns();

    if (protocol == IPPROTO_UDP && (__s64)(now - flow->last_seen) >= (__s64)flow_idle_ns) return 0;
    if ((__u16)((now >> 30) - flow->reported) >= flow_update_interval) return 0;
    flow->last_seen = now;
    flow->tick = tick;
    return 1;
}

enum established_result {
    ESTABLISHED_OTHER = 0,  /* left to the rest of the program */
    ESTABLISHED_PASSED = 1, /* let by and counted */
    ESTABLISHED_ABSENT = 2, /* left too, and weir_flows has no such flow: need not be asked again */
    ESTABLISHED_ANSWER = 3, /* let by and counted; a service's address has yet to be put in */
    ESTABLISHED_TRANSLATED = 4, /* left too, with a backend's address in place of a service's */
    ESTABLISHED_SENT = 5,       /* let by and counted, and on its way: see service_return.h */
    ESTABLISHED_PLANNED = 6     /* let by and counted; rewrite.h writes what is in weir_rewrites */
};

/* What a packet of a flow to a service is to this hook; see the flags in enum weir_flow_state.
 * is_translated: the hook gave it the backend's address. Returns enum established_result. */
static __always_inline int established_role(__u32 state, __u32 direction, int from_initiator,
                                            int is_translated) {
    if (direction == WEIR_EGRESS && from_initiator)
        return is_translated == !!(state & WEIR_FLOW_OF_SERVICE) ? ESTABLISHED_PASSED
                                                                 : ESTABLISHED_OTHER;
    if (is_translated) return ESTABLISHED_OTHER;
    if (from_initiator) return ESTABLISHED_PASSED;
    return state & (direction == WEIR_EGRESS ? WEIR_FLOW_TRANSLATED : WEIR_FLOW_OF_SERVICE)
               ? ESTABLISHED_ANSWER
               : ESTABLISHED_PASSED;
}

/* Lets such a packet of the flow by and counts it. Returns enum established_result. */
static __always_inline int established_continue(struct __sk_buff* skb, __u32 direction,
                                                struct weir_pod* pod,
                                                const struct weir_flow_key* key, int is_low,
                                                int is_translated) {
    struct weir_flow* flow = bpf_map_lookup_elem(&weir_flows, key);
    __u32 local;
    __u16 tick = bpf_jiffies64();
    __u64 word;
    int from_initiator, role = ESTABLISHED_PASSED;
    __u8 side;

    if (!flow) return ESTABLISHED_ABSENT;
    if (flow->state & (WEIR_FLOW_OWN_NODE | WEIR_FLOW_CLOSED)) return ESTABLISHED_OTHER;
    from_initiator = flow_is_from_initiator(flow, is_low);
    if (services_on &&
        unlikely(is_translated || (flow->state & (WEIR_FLOW_TRANSLATED | WEIR_FLOW_OF_SERVICE)))) {
        role = established_role(flow->state, direction, from_initiator, is_translated);
        if (role == ESTABLISHED_OTHER) return ESTABLISHED_OTHER;
    }
    side = hook_side(direction, from_initiator);
    word = pod_rules(pod, side);
    if (!WEIR_RULES_TABLE(word) ||
        WEIR_RULES_GENERATION(flow->sides[side & 1]) != WEIR_RULES_GENERATION(word) ||
        (flow->sides[side & 1] & WEIR_VERDICT_AUDIT))
        return ESTABLISHED_OTHER;
    /* The sender's hook counts and keeps the time; see flow_account(). */
    local = from_initiator ? WEIR_FLOW_EGRESS_LOCAL : WEIR_FLOW_INGRESS_LOCAL;
    if (direction == WEIR_EGRESS && !(flow->state & local)) return ESTABLISHED_OTHER;
    if (direction == WEIR_EGRESS || !(flow->state & local)) {
        if (unlikely(flow->tick != tick) && !established_tick(flow, key->protocol, tick))
            return ESTABLISHED_OTHER;
        __sync_fetch_and_add(&flow->packets[!from_initiator], 1);
        __sync_fetch_and_add(&flow->bytes[!from_initiator], skb->len);
    }
    __sync_fetch_and_add(&pod->passed[direction].packets, 1);
    __sync_fetch_and_add(&pod->passed[direction].bytes, skb->len);
    return role;
}

#endif
