/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* A packet in the uplink's tc program: its hop, its outer header, its way out. */
#ifndef WEIR_BPF_UPLINK_PACKET_H
#define WEIR_BPF_UPLINK_PACKET_H

#include "uplink_route.h"

#define ICMP_FRAG_NEEDED 4 /* code of ICMP_DEST_UNREACH */
#define ICMPV6_PKT_TOOBIG 2

/* From its IP header on, without a frame's padding. */
static __always_inline __u32 packet_length(struct __sk_buff* skb, const struct packet* packet) {
    __be16 length = 0;

    if (skb->gso_size) return skb->len - packet->l3_offset;
    if (packet->is_v6) {
        bpf_skb_load_bytes(skb, packet->l3_offset + offsetof(struct ipv6hdr, payload_len), &length,
                           sizeof(length));
        return bpf_ntohs(length) + sizeof(struct ipv6hdr);
    }
    bpf_skb_load_bytes(skb, packet->l3_offset + offsetof(struct iphdr, tot_len), &length,
                       sizeof(length));
    return bpf_ntohs(length);
}

static __always_inline void packet_hop(struct __sk_buff* skb, const struct packet* packet) {
    __u8 hops = packet->hop_limit - 1;

    if (packet->is_v6) {
        bpf_skb_store_bytes(skb, packet->l3_offset + offsetof(struct ipv6hdr, hop_limit), &hops,
                            sizeof(hops), 0);
        return;
    }
    bpf_skb_store_bytes(skb, packet->l3_offset + offsetof(struct iphdr, ttl), &hops, sizeof(hops),
                        0);
    bpf_l3_csum_replace(skb, packet->l3_offset + offsetof(struct iphdr, check),
                        bpf_htons(packet->hop_limit << 8), bpf_htons(hops << 8), sizeof(__be16));
}

/* length: of the packet as it is. Returns 0 or an error. */
static __always_inline long packet_encapsulate(struct __sk_buff* skb, const struct packet* packet,
                                               const struct weir_nat* nat,
                                               const struct weir_address* source, __u32 length) {
    if (packet->is_v6) {
        struct ipv6hdr ip;

        if (bpf_skb_adjust_room(skb, sizeof(ip), BPF_ADJ_ROOM_MAC, BPF_F_ADJ_ROOM_ENCAP_L3_IPV6))
            return -1;
        outer_v6(&ip, source, &nat->destination, length);
        return bpf_skb_store_bytes(skb, packet->l3_offset, &ip, sizeof(ip), 0);
    } else {
        struct iphdr ip;

        if (bpf_skb_adjust_room(skb, sizeof(ip), BPF_ADJ_ROOM_MAC, BPF_F_ADJ_ROOM_ENCAP_L3_IPV4))
            return -1;
        outer_v4(&ip, source, &nat->destination, length);
        return bpf_skb_store_bytes(skb, packet->l3_offset, &ip, sizeof(ip), 0);
    }
}

/* Takes the outer IP header off; segments stay as large as they are. Returns 0 or an error. */
static __always_inline long packet_decapsulate(struct __sk_buff* skb, const struct packet* outer) {
    int room = outer->l4_offset - outer->l3_offset;

    return bpf_skb_adjust_room(skb, -room, BPF_ADJ_ROOM_MAC, BPF_F_ADJ_ROOM_FIXED_GSO);
}

/* To the next hop that the lookup found; the kernel finds its link address, if it has to. */
static __always_inline int packet_send(const struct bpf_fib_lookup* fib) {
    struct bpf_redir_neigh next = {.nh_family = fib->family};

    __builtin_memcpy(next.ipv6_nh, fib->ipv6_dst, sizeof(next.ipv6_nh));
    return bpf_redirect_neigh(fib->ifindex, &next, sizeof(next), 0);
}

#endif
