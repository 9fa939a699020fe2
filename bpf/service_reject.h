/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* The answer of a service without a usable backend: the pod's own packet is turned round into an
 * RST or an ICMP error and goes back to it, from the service's address. */
#ifndef WEIR_BPF_SERVICE_REJECT_H
#define WEIR_BPF_SERVICE_REJECT_H

#include "nat_write.h"

#define REJECT_HOP_LIMIT 64
/* Bytes of the refused packet that an error quotes at most: its IP header with options or
 * extensions, and the 8 that tell whose it was. */
#define REJECT_QUOTE 120
#define REJECT_QUOTE_TRANSPORT 8

#define ICMP_PORT_UNREACHABLE 3   /* code of ICMP_DEST_UNREACH */
#define ICMPV6_PORT_UNREACHABLE 4 /* code of ICMPV6_DEST_UNREACH */

/* Sends the frame back to whom it came from. Returns the hook's verdict. */
static __always_inline int frame_return(struct __sk_buff* skb) {
    __u8 macs[2][ETH_ALEN] = {};

    bpf_skb_load_bytes(skb, offsetof(struct ethhdr, h_dest), macs[1], ETH_ALEN);
    bpf_skb_load_bytes(skb, offsetof(struct ethhdr, h_source), macs[0], ETH_ALEN);
    bpf_skb_store_bytes(skb, 0, macs, sizeof(macs), 0);
    return bpf_redirect(skb->ifindex, 0);
}

/* Whether a device, or the receiver's stack, will complete the transport's checksum: then the field
 * holds the sum over the addresses alone. It changes only where it is complete. */
static __always_inline int reject_is_partial(struct __sk_buff* skb, __u32 offset) {
    __u16 zero = 0, after = 0;

    bpf_skb_store_bytes(skb, offset, &zero, sizeof(zero), 0);
    bpf_l4_csum_replace(skb, offset, 0, 0x1234, sizeof(__u16));
    bpf_skb_load_bytes(skb, offset, &after, sizeof(after));
    return !after;
}

/* Sum over what a transport's checksum covers of the IP header; addresses may be in either order.
 */
static __always_inline __u64 reject_pseudo_header(const struct packet* packet, __u8 protocol,
                                                  __u32 length) {
    const __be32* words = (const __be32*)&packet->source;
    __u64 sum = bpf_htonl(protocol);
    int i;

    sum += bpf_htonl(length);
#pragma unroll
    for (i = 0; i < 8; i++) {
        /* The prefixes of mapped IPv4 addresses are none of the header's. */
        if (packet->is_v6 || i % 4 == 3) sum += words[i];
    }
    return sum;
}

/* The IP header that answers the packet's: no options, no extensions. length: behind it. */
static __always_inline void reject_write_ip(struct __sk_buff* skb, const struct packet* packet,
                                            __u8 protocol, __u32 length) {
    if (packet->is_v6) {
        struct ipv6hdr ip = {.version = 6,
                             .payload_len = bpf_htons(length),
                             .nexthdr = protocol,
                             .hop_limit = REJECT_HOP_LIMIT};

        __builtin_memcpy(&ip.saddr, &packet->destination, sizeof(ip.saddr));
        __builtin_memcpy(&ip.daddr, &packet->source, sizeof(ip.daddr));
        bpf_skb_store_bytes(skb, packet->l3_offset, &ip, sizeof(ip), 0);
    } else {
        struct iphdr ip = {.version = 4,
                           .ihl = 5,
                           .tot_len = bpf_htons(sizeof(ip) + length),
                           .frag_off = bpf_htons(0x4000), /* do not fragment */
                           .ttl = REJECT_HOP_LIMIT,
                           .protocol = protocol,
                           .saddr = packet->destination.words[3],
                           .daddr = packet->source.words[3]};

        ip.check = ~nat_fold_word((__u32)bpf_csum_diff(0, 0, (__be32*)&ip, sizeof(ip), 0));
        bpf_skb_store_bytes(skb, packet->l3_offset, &ip, sizeof(ip), 0);
    }
}

static __always_inline __u32 reject_ip_length(const struct packet* packet) {
    return packet->is_v6 ? sizeof(struct ipv6hdr) : sizeof(struct iphdr);
}

/* Where the packet ends, which may be before the frame does. */
static __always_inline __u32 reject_packet_end(struct __sk_buff* skb, const struct packet* packet) {
    __be16 length = 0;

    bpf_skb_load_bytes(skb,
                       packet->l3_offset + (packet->is_v6 ? offsetof(struct ipv6hdr, payload_len)
                                                          : offsetof(struct iphdr, tot_len)),
                       &length, sizeof(length));
    return packet->l3_offset + bpf_ntohs(length) + (packet->is_v6 ? sizeof(struct ipv6hdr) : 0);
}

/* RFC 9293 section 3.5.2: how a segment to nobody is answered. Returns whether the frame is that
 * answer now. */
static __noinline int reject_with_reset(struct __sk_buff* skb, const struct packet* packet) {
    struct tcphdr got = {}, reset = {.doff = 5, .rst = 1};
    __u32 offset = packet->l3_offset + reject_ip_length(packet), length;
    int is_partial;

    if (bpf_skb_load_bytes(skb, packet->l4_offset, &got, sizeof(got)) || got.rst) return 0;
    reset.source = got.dest;
    reset.dest = got.source;
    if (got.ack) {
        reset.seq = got.ack_seq;
    } else {
        length = reject_packet_end(skb, packet) - packet->l4_offset - got.doff * 4;
        reset.ack = 1;
        reset.ack_seq = bpf_htonl(bpf_ntohl(got.seq) + length + got.syn + got.fin);
    }
    is_partial = reject_is_partial(skb, packet->l4_offset + offsetof(struct tcphdr, check));
    if (bpf_skb_change_tail(skb, offset + sizeof(reset), 0)) return 0;
    reject_write_ip(skb, packet, IPPROTO_TCP, sizeof(reset));
    /* The sum over the addresses; with that over the rest, complete. */
    reset.check = nat_fold_word(reject_pseudo_header(packet, IPPROTO_TCP, sizeof(reset)));
    if (!is_partial)
        reset.check = ~nat_fold_word((__u32)bpf_csum_diff(0, 0, (__be32*)&reset, sizeof(reset), 0));
    bpf_skb_store_bytes(skb, offset, &reset, sizeof(reset), 0);
    return 1;
}

struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct weir_error_budget);
} weir_error_budget SEC(".maps");

/* RFC 1812 section 4.3.2.8, RFC 4443 section 2.4 (f): errors are limited, so that nobody's flood
 * makes another. Returns whether one may be sent. */
static __noinline int reject_may_send(void) {
    __u64 now = bpf_ktime_get_coarse_ns(), earned;
    __u32 zero = 0;
    struct weir_error_budget* budget = bpf_map_lookup_elem(&weir_error_budget, &zero);

    if (!budget) return 0;
    earned = (now - budget->last) / WEIR_ERROR_INTERVAL;
    if (earned > WEIR_ERROR_BURST - budget->errors) {
        budget->errors = WEIR_ERROR_BURST;
        budget->last = now;
    } else {
        budget->errors += earned;
        budget->last += earned * WEIR_ERROR_INTERVAL;
    }
    if (!budget->errors) return 0;
    budget->errors--;
    return 1;
}

/* An ICMP error that quotes the packet. error: its header, but for the checksum. Returns whether
 * the frame is that error now. */
static __noinline int reject_with(struct __sk_buff* skb, const struct packet* packet,
                                  const struct icmp_header* error) {
    struct icmp_header icmp = *error;
    __u32 quoted = packet->l4_offset - packet->l3_offset + REJECT_QUOTE_TRANSPORT;
    __u32 offset = packet->l3_offset + reject_ip_length(packet);
    __u8 quote[REJECT_QUOTE] = {};
    __u64 sum;

    if (quoted < sizeof(struct iphdr) || quoted > sizeof(quote) || !reject_may_send()) return 0;
    if (bpf_skb_load_bytes(skb, packet->l3_offset, quote, quoted)) return 0;
    if (bpf_skb_change_tail(skb, offset + sizeof(icmp) + quoted, 0)) return 0;
    reject_write_ip(skb, packet, packet->is_v6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP,
                    sizeof(icmp) + quoted);
    sum = (__u32)bpf_csum_diff(0, 0, (__be32*)&icmp, sizeof(icmp), 0);
    sum += (__u32)bpf_csum_diff(0, 0, (__be32*)quote, sizeof(quote), 0);
    if (packet->is_v6) sum += reject_pseudo_header(packet, IPPROTO_ICMPV6, sizeof(icmp) + quoted);
    icmp.checksum = ~nat_fold_word(sum);
    bpf_skb_store_bytes(skb, offset, &icmp, sizeof(icmp), 0);
    bpf_skb_store_bytes(skb, offset + sizeof(icmp), quote, quoted, 0);
    return 1;
}

/* RFC 1122 section 3.2.2.1, RFC 4443 section 3.1: port unreachable. */
static __noinline int reject_with_error(struct __sk_buff* skb, const struct packet* packet) {
    struct icmp_header error = {
        .type = packet->is_v6 ? ICMPV6_DEST_UNREACH : ICMP_DEST_UNREACH,
        .code = packet->is_v6 ? ICMPV6_PORT_UNREACHABLE : ICMP_PORT_UNREACHABLE};

    return reject_with(skb, packet, &error);
}

#endif
