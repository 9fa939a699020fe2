/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Gives a packet other addresses and ports, with all checksums that cover them. The helpers know
 * what the program cannot see: whether the transport's checksum is still to be completed by a
 * device (CHECKSUM_PARTIAL), which then covers addresses only. */
#ifndef WEIR_BPF_NAT_WRITE_H
#define WEIR_BPF_NAT_WRITE_H

#include "nat.h"

/* One's complement sum of the words of `to` without those of `from` (RFC 1624), not yet folded. */
static __always_inline __u64 nat_difference(const void* from, const void* to, int words) {
    __u64 sum = 0;
    int i;

#pragma unroll
    for (i = 0; i < words; i++) {
        sum += (__u32) ~((const __be32*)from)[i];
        sum += ((const __be32*)to)[i];
    }
    return sum;
}

static __always_inline __u32 nat_fold(__u64 sum) {
    sum = (sum & 0xffffffff) + (sum >> 32);
    return (sum & 0xffffffff) + (sum >> 32);
}

/* To the 16 bits of a checksum. */
static __always_inline __u16 nat_fold_word(__u64 sum) {
    __u32 folded = nat_fold(sum);

    folded = (folded & 0xffff) + (folded >> 16);
    return (folded & 0xffff) + (folded >> 16);
}

/* Of the checksum in the transport's header; 0: there is none that covers the addresses. SCTP's
 * CRC32c does not. */
static __always_inline __u32 nat_checksum_offset(__u8 protocol) {
    switch (protocol) {
        case IPPROTO_TCP:
            return offsetof(struct tcphdr, check);
        case IPPROTO_UDP:
            return offsetof(struct udphdr, check);
        case IPPROTO_ICMPV6:
            return offsetof(struct icmp_header, checksum);
        default:
            return 0;
    }
}

/* A UDP checksum of 0 says that there is none, and stays; one that comes to 0 is 0xffff. In TCP and
 * ICMPv6, 0 is a sum as any. */
static __always_inline __u64 nat_checksum_flags(__u8 protocol) {
    return protocol == IPPROTO_UDP ? BPF_F_MARK_MANGLED_0 : 0;
}

/* The addresses, and the IPv4 header's checksum. Returns what the transport's checksum differs
 * by. to: source and destination, one behind the other as in packet. */
static __always_inline __u32 nat_write_addresses(struct __sk_buff* skb, const struct packet* packet,
                                                 const struct weir_address* to) {
    __u32 difference = nat_fold(nat_difference(&packet->source, to, 8));
    __be32 v4[2] = {to[0].words[3], to[1].words[3]};

    if (packet->is_v6) {
        bpf_skb_store_bytes(skb, packet->l3_offset + offsetof(struct ipv6hdr, saddr), to,
                            2 * sizeof(*to), 0);
        return difference;
    }
    bpf_l3_csum_replace(skb, packet->l3_offset + offsetof(struct iphdr, check), 0, difference, 0);
    bpf_skb_store_bytes(skb, packet->l3_offset + offsetof(struct iphdr, saddr), v4, sizeof(v4), 0);
    return difference;
}

/* The transport's checksum, for a difference of addresses. */
static __always_inline void nat_write_checksum(struct __sk_buff* skb, const struct packet* packet,
                                               __u32 difference) {
    __u32 offset = nat_checksum_offset(packet->protocol);

    if (!offset) return;
    bpf_l4_csum_replace(skb, packet->l4_offset + offset, 0, difference,
                        BPF_F_PSEUDO_HDR | nat_checksum_flags(packet->protocol));
    /* The helper thinks of IPv4, whose header checksum makes up for the addresses in a device's sum
     * over the packet (CHECKSUM_COMPLETE). IPv6 has none: there it is the transport's. */
    if (packet->is_v6) bpf_csum_update(skb, difference);
}

/* Not of a later fragment: it has no ports. to: source and destination. */
static __always_inline void nat_write_ports(struct __sk_buff* skb, const struct packet* packet,
                                            const __be16* to) {
    __u32 offset = nat_checksum_offset(packet->protocol);
    __u32 before = *(const __u32*)&packet->source_port, after = *(const __u32*)to;

    if (before == after) return;
    bpf_skb_store_bytes(skb, packet->l4_offset, &after, sizeof(after), 0);
    if (offset)
        bpf_l4_csum_replace(skb, packet->l4_offset + offset, before, after,
                            sizeof(after) | nat_checksum_flags(packet->protocol));
}

/* All that a flow's element says of a TCP, UDP or SCTP packet. */
static __always_inline void nat_write(struct __sk_buff* skb, const struct packet* packet,
                                      const struct weir_nat* to) {
    __u32 difference = nat_write_addresses(skb, packet, &to->source);

    if (packet->is_later_fragment) return;
    nat_write_checksum(skb, packet, difference);
    nat_write_ports(skb, packet, &to->source_port);
}

#endif
