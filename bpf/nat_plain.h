/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* As nat_write.h, for a packet that established_parse() took: in one call to the kernel, where it
 * says how far the transport's checksum is computed. */
#ifndef WEIR_BPF_NAT_PLAIN_H
#define WEIR_BPF_NAT_PLAIN_H

#include <bpf/bpf_core_read.h>

#include "nat_write.h"

/* How far, as the kernel has it in struct sk_buff. */
enum checksum_state {
    CHECKSUM_NONE = 0,
    CHECKSUM_UNNECESSARY = 1,
    CHECKSUM_COMPLETE = 2, /* the device summed up the packet as it came */
    CHECKSUM_PARTIAL = 3,  /* a device will complete it: it covers the pseudo header alone */
    CHECKSUM_UNKNOWN = 4
};

/* What of the kernel's own this file reads. */
struct sk_buff {
    __u8 ip_summed : 2;
} __attribute__((preserve_access_index));

#define LINUX_6_2 0x060200

extern int LINUX_KERNEL_VERSION __kconfig;
extern void* bpf_cast_to_kern_ctx(void*) __ksym __weak; /* there since Linux 6.2 */

static __always_inline enum checksum_state checksum_state_of(struct __sk_buff* skb) {
    const struct sk_buff* kernels;

    if (LINUX_KERNEL_VERSION < LINUX_6_2) return CHECKSUM_UNKNOWN;
    kernels = bpf_cast_to_kern_ctx(skb);
    return BPF_CORE_READ_BITFIELD(kernels, ip_summed);
}

/* From the ports on, as far as the checksum. */
struct plain_tcp {
    __be32 ports;
    __u8 between[12]; /* up to the window */
    __u16 check;
} __attribute__((packed));

struct plain_udp {
    __be32 ports;
    __be16 length;
    __u16 check;
} __attribute__((packed));

/* From the checksum of an IPv4 header without options on. */
struct plain_v4 {
    __u16 check;
    __be32 source;
    __be32 destination;
    union {
        struct plain_tcp tcp;
        struct plain_udp udp;
    };
} __attribute__((packed));

/* From the addresses of an IPv6 header without extensions on. */
struct plain_v6 {
    struct weir_address addresses[2];
    union {
        struct plain_tcp tcp;
        struct plain_udp udp;
    };
} __attribute__((packed));

/* The transport's checksum. addresses: what they differ by; from, to: the ports. */
static __always_inline __u16 plain_checksum(__u16 check, enum checksum_state state, __u32 addresses,
                                            __be32 from, __be32 to) {
    if (state == CHECKSUM_PARTIAL) return nat_fold_word((__u64)check + addresses);
    return ~nat_fold_word((__u64)(__u16)~check + addresses + (__u32)~from + to);
}

/* What the packet has from its ports on, as it will be. addresses: what they differ by. */
static __always_inline void plain_fill_tcp(struct plain_tcp* start, const struct plain_tcp* tcp,
                                           __be32 ports, enum checksum_state state,
                                           __u32 addresses) {
    start->ports = ports;
    __builtin_memcpy(start->between, tcp->between, sizeof(start->between));
    start->check = plain_checksum(tcp->check, state, addresses, tcp->ports, ports);
}

/* A UDP checksum of 0 says that there is none. */
static __always_inline void plain_fill_udp(struct plain_udp* start, const struct plain_udp* udp,
                                           __be32 ports, enum checksum_state state,
                                           __u32 addresses) {
    start->ports = ports;
    start->length = udp->length;
    start->check = plain_checksum(udp->check, state, addresses, udp->ports, ports);
    if (!start->check) start->check = 0xffff;
    if (!udp->check) start->check = 0;
}

static __always_inline void plain_write_v4(struct __sk_buff* skb, const struct weir_nat_key* from,
                                           const struct weir_nat* to, enum checksum_state state) {
    __u32 ends[2] = {from->source.words[3], from->destination.words[3]};
    __u32 difference, offset = sizeof(struct ethhdr) + offsetof(struct iphdr, check);
    __be32 ports = *(const __be32*)&to->source_port;
    void* data = (void*)(long)skb->data;
    struct iphdr* ip = data + sizeof(struct ethhdr);
    struct plain_v4 start;

    if ((void*)(ip + 1) + sizeof(struct tcphdr) > (void*)(long)skb->data_end) return;
    start.source = to->source.words[3];
    start.destination = to->destination.words[3];
    difference = nat_fold(nat_difference(ends, &start.source, 2));
    start.check = ~nat_fold_word((__u64)(__u16)~ip->check + difference);
    if (from->protocol == IPPROTO_TCP) {
        plain_fill_tcp(&start.tcp, (void*)(ip + 1), ports, state, difference);
        bpf_skb_store_bytes(skb, offset, &start, offsetof(struct plain_v4, tcp) + sizeof(start.tcp),
                            0);
    } else {
        plain_fill_udp(&start.udp, (void*)(ip + 1), ports, state, difference);
        bpf_skb_store_bytes(skb, offset, &start, offsetof(struct plain_v4, udp) + sizeof(start.udp),
                            0);
    }
}

static __always_inline void plain_write_v6(struct __sk_buff* skb, const struct weir_nat_key* from,
                                           const struct weir_nat* to, enum checksum_state state) {
    __u32 difference = nat_fold(nat_difference(from, to, 8));
    __u32 offset = sizeof(struct ethhdr) + offsetof(struct ipv6hdr, saddr);
    __be32 ports = *(const __be32*)&to->source_port;
    void* data = (void*)(long)skb->data;
    struct ipv6hdr* ip = data + sizeof(struct ethhdr);
    struct plain_v6 start;

    if ((void*)(ip + 1) + sizeof(struct tcphdr) > (void*)(long)skb->data_end) return;
    start.addresses[0] = to->source;
    start.addresses[1] = to->destination;
    if (from->protocol == IPPROTO_TCP) {
        plain_fill_tcp(&start.tcp, (void*)(ip + 1), ports, state, difference);
        bpf_skb_store_bytes(skb, offset, &start, offsetof(struct plain_v6, tcp) + sizeof(start.tcp),
                            0);
    } else {
        plain_fill_udp(&start.udp, (void*)(ip + 1), ports, state, difference);
        bpf_skb_store_bytes(skb, offset, &start, offsetof(struct plain_v6, udp) + sizeof(start.udp),
                            0);
    }
}

/* With the helpers, which know the state and what else there is to keep in step with it. */
static __noinline void plain_write_by_helpers(struct __sk_buff* skb,
                                              const struct weir_nat_key* from,
                                              const struct weir_nat* to) {
    struct packet packet = {.source = from->source,
                            .destination = from->destination,
                            .source_port = from->source_port,
                            .destination_port = from->destination_port,
                            .protocol = from->protocol,
                            .is_v6 = !address_is_mapped_v4(&from->source),
                            .l3_offset = sizeof(struct ethhdr)};

    packet.l4_offset =
        packet.l3_offset + (packet.is_v6 ? sizeof(struct ipv6hdr) : sizeof(struct iphdr));
    nat_write(skb, &packet, to);
}

static __always_inline void nat_write_plain(struct __sk_buff* skb, const struct weir_nat_key* from,
                                            const struct weir_nat* to) {
    enum checksum_state state = checksum_state_of(skb);

    if (unlikely(state == CHECKSUM_COMPLETE || state == CHECKSUM_UNKNOWN))
        plain_write_by_helpers(skb, from, to);
    else if (address_is_mapped_v4(&from->source))
        plain_write_v4(skb, from, to, state);
    else
        plain_write_v6(skb, from, to, state);
}

#endif
