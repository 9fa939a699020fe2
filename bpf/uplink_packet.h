/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* A packet in the uplink's tc program: its outer header. */
#ifndef WEIR_BPF_UPLINK_PACKET_H
#define WEIR_BPF_UPLINK_PACKET_H

#include "uplink_route.h"

#define ICMP_FRAG_NEEDED 4 /* code of ICMP_DEST_UNREACH */
#define ICMPV6_PKT_TOOBIG 2

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

#endif
