/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Where a packet goes from here, and the outer header of one that goes there encapsulated. */
#ifndef WEIR_BPF_UPLINK_ROUTE_H
#define WEIR_BPF_UPLINK_ROUTE_H

#include "nat_write.h"
#include "route.h"
#include "uplink_flow.h"

#define OUTER_HOP_LIMIT 64

static __always_inline __u32 ip_header_length(int is_v6) {
    return is_v6 ? sizeof(struct ipv6hdr) : sizeof(struct iphdr);
}

/* The source of what is sent on. 0: the node has no address of the family. */
static __always_inline const struct weir_address* route_source(const struct weir_nat* nat,
                                                               int step) {
    const struct weir_uplink* node;

    if (step != STEP_ENCAPSULATE) return &nat->source;
    node = uplink_node();
    return node ? uplink_address(node, &nat->destination) : 0;
}

/* RFC 2003. length: of the packet inside. "Don't fragment": its MTU was looked at. */
static __always_inline void outer_v4(struct iphdr* ip, const struct weir_address* source,
                                     const struct weir_address* destination, __u32 length) {
    __u32 sum = 0;
    int i;

    __builtin_memset(ip, 0, sizeof(*ip));
    *(__u8*)ip = 0x45;
    ip->tot_len = bpf_htons(length + sizeof(*ip));
    ip->frag_off = bpf_htons(0x4000);
    ip->ttl = OUTER_HOP_LIMIT;
    ip->protocol = IPPROTO_IPIP;
    ip->saddr = source->words[3];
    ip->daddr = destination->words[3];
    for (i = 0; i < 10; i++)
        sum += ((const __be16*)ip)[i];
    ip->check = ~nat_fold_word(sum);
}

/* RFC 2473. */
static __always_inline void outer_v6(struct ipv6hdr* ip, const struct weir_address* source,
                                     const struct weir_address* destination, __u32 length) {
    __builtin_memset(ip, 0, sizeof(*ip));
    ip->version = 6;
    ip->payload_len = bpf_htons(length);
    ip->nexthdr = IPPROTO_IPV6;
    ip->hop_limit = OUTER_HOP_LIMIT;
    __builtin_memcpy(&ip->saddr, source, sizeof(*source));
    __builtin_memcpy(&ip->daddr, destination, sizeof(*destination));
}

#endif
