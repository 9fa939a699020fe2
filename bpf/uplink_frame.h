/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* A frame in an XDP program: reads, translates, encapsulates and decapsulates the plain case by
 * direct access. Whatever is not plain is the tc program's. */
#ifndef WEIR_BPF_UPLINK_FRAME_H
#define WEIR_BPF_UPLINK_FRAME_H

#include "uplink_route.h"

#define FRAME_START(ctx) ((void*)(long)(ctx)->data)
#define FRAME_END(ctx) ((void*)(long)(ctx)->data_end)

/* Bytes that the frame has from the packet's IP header on, which is so far behind the Ethernet
 * header: more than lie in a row, if it has fragments. */
static __always_inline __u32 frame_room(struct xdp_md* ctx, const void* l3, const void* end,
                                        __u32 outer, int is_v6) {
    __u32 linear = end - l3;
    __u32 length = is_v6 ? bpf_ntohs(((const struct ipv6hdr*)l3)->payload_len)
                         : bpf_ntohs(((const struct iphdr*)l3)->tot_len);

    if (is_v6) length += sizeof(struct ipv6hdr);
    if (likely(length <= linear)) return linear;
    return bpf_xdp_get_buff_len(ctx) - ETH_HLEN - outer;
}

/* Returns 1 when it is a plain packet, filled in. outer: bytes of the IP header before the packet's
 * own; its destination is then in *backend. */
static __always_inline int frame_parse(struct xdp_md* ctx, struct packet* packet, __u32* outer,
                                       struct weir_address* backend) {
    void *data = FRAME_START(ctx), *end = FRAME_END(ctx), *l3 = data + ETH_HLEN;
    struct ethhdr* eth = data;
    int is_v6;

    if (l3 + sizeof(struct iphdr) + sizeof(struct tcphdr) > end) return 0;
    is_v6 = eth->h_proto == bpf_htons(ETH_P_IPV6);
    if (!is_v6 && eth->h_proto != bpf_htons(ETH_P_IP)) return 0;
    *outer = 0;
    if (!is_v6 && ((struct iphdr*)l3)->protocol == IPPROTO_IPIP) {
        struct iphdr* ip = l3;

        if (*(__u8*)ip != 0x45 || (ip->frag_off & bpf_htons(0x3fff))) return 0;
        *outer = sizeof(*ip);
        address_map_v4(backend, ip->daddr);
        l3 += sizeof(*ip);
        if (l3 + sizeof(*ip) + sizeof(struct tcphdr) > end) return 0;
    } else if (is_v6 && ((struct ipv6hdr*)l3)->nexthdr == IPPROTO_IPV6) {
        struct ipv6hdr* ip = l3;

        if (l3 + 2 * sizeof(*ip) + sizeof(struct tcphdr) > end) return 0;
        *outer = sizeof(*ip);
        __builtin_memcpy(backend, &ip->daddr, sizeof(*backend));
        l3 += sizeof(*ip);
    }
    return packet_parse_plain(l3, end, is_v6, ETH_HLEN, frame_room(ctx, l3, end, *outer, is_v6),
                              packet);
}

static __always_inline void frame_fix_checksum(__be16* checksum, __u64 difference) {
    *checksum = ~nat_fold_word((__u16) ~*checksum + difference);
}

/* difference: of the addresses. A UDP checksum of 0 says that there is none, and stays. */
static __always_inline void frame_translate_transport(void* l4, const struct packet* packet,
                                                      const struct weir_nat* nat,
                                                      __u32 difference) {
    __u64 sum = nat_difference(&packet->source_port, &nat->source_port, 1) + difference;
    struct udphdr* udp = l4;

    udp->source = nat->source_port;
    udp->dest = nat->destination_port;
    if (packet->protocol == IPPROTO_TCP) {
        frame_fix_checksum(&((struct tcphdr*)l4)->check, sum);
    } else if (udp->check) {
        frame_fix_checksum(&udp->check, sum);
        if (!udp->check) udp->check = 0xffff;
    }
}

static __always_inline void frame_hop_v4(struct iphdr* ip) {
    ip->ttl--;
    frame_fix_checksum(&ip->check, (__u16)~bpf_htons(0x0100));
}

/* is_forwarded: it takes a hop. Returns whether the frame has all that was parsed. */
static __always_inline int frame_translate(struct xdp_md* ctx, const struct packet* packet,
                                           const struct weir_nat* nat, int is_forwarded) {
    void *data = FRAME_START(ctx), *end = FRAME_END(ctx), *l4;
    __u32 difference = nat_fold(nat_difference(&packet->source, &nat->source, 8));

    if (packet->is_v6) {
        struct ipv6hdr* ip = data + ETH_HLEN;

        l4 = ip + 1;
        if (l4 + sizeof(struct tcphdr) > end) return 0;
        __builtin_memcpy(&ip->saddr, &nat->source, sizeof(ip->saddr));
        __builtin_memcpy(&ip->daddr, &nat->destination, sizeof(ip->daddr));
        if (is_forwarded) ip->hop_limit--;
    } else {
        struct iphdr* ip = data + ETH_HLEN;

        l4 = ip + 1;
        if (l4 + sizeof(struct tcphdr) > end) return 0;
        ip->saddr = nat->source.words[3];
        ip->daddr = nat->destination.words[3];
        frame_fix_checksum(&ip->check, difference);
        if (is_forwarded) frame_hop_v4(ip);
    }
    frame_translate_transport(l4, packet, nat, difference);
    return 1;
}

/* Puts the packet into an outer IP header, for which the caller has made room; it takes a hop.
 * Returns whether the frame has all that was parsed. */
static __always_inline int frame_encapsulate(struct xdp_md* ctx, const struct packet* packet,
                                             const struct weir_nat* nat,
                                             const struct weir_address* source, __u32 length) {
    void *data = FRAME_START(ctx), *end = FRAME_END(ctx);
    struct ethhdr* eth = data;

    if (data + ETH_HLEN + 2 * sizeof(struct iphdr) > end) return 0;
    if (packet->is_v6) {
        struct ipv6hdr* ip = data + ETH_HLEN;

        if ((void*)(ip + 2) > end) return 0;
        outer_v6(ip, source, &nat->destination, length);
        ip[1].hop_limit--;
        eth->h_proto = bpf_htons(ETH_P_IPV6);
    } else {
        struct iphdr* ip = data + ETH_HLEN;

        outer_v4(ip, source, &nat->destination, length);
        frame_hop_v4(&ip[1]);
        eth->h_proto = bpf_htons(ETH_P_IP);
    }
    return 1;
}

/* Takes the outer IP header off. */
static __always_inline int frame_decapsulate(struct xdp_md* ctx, __u32 outer) {
    void *data = FRAME_START(ctx), *end = FRAME_END(ctx);
    struct ethhdr eth;

    if (data + sizeof(eth) > end) return 0;
    eth = *(struct ethhdr*)data;
    if (bpf_xdp_adjust_head(ctx, outer == sizeof(struct iphdr) ? (int)sizeof(struct iphdr)
                                                               : (int)sizeof(struct ipv6hdr)))
        return 0;
    data = FRAME_START(ctx);
    end = FRAME_END(ctx);
    if (data + sizeof(eth) > end) return 0;
    *(struct ethhdr*)data = eth;
    return 1;
}

static __always_inline int frame_address(struct xdp_md* ctx, const struct weir_way* way) {
    void* data = FRAME_START(ctx);
    struct ethhdr* eth = data;

    if (data + sizeof(*eth) > FRAME_END(ctx)) return 0;
    __builtin_memcpy(eth->h_dest, way->to, ETH_ALEN);
    __builtin_memcpy(eth->h_source, way->from, ETH_ALEN);
    return 1;
}

#endif
