/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* ARP, neighbour discovery and multicast listener reports: they pass before policy, but a pod may
 * claim only its own addresses in them. */
#ifndef WEIR_BPF_NEIGHBOUR_H
#define WEIR_BPF_NEIGHBOUR_H

#include "endpoint.h"

#define ARPHRD_ETHER 1 /* linux/if_arp.h drags in the C library */

#define MLD_QUERY 130
#define MLD_DONE 132
#define ND_ROUTER_SOLICITATION 133
#define ND_ROUTER_ADVERTISEMENT 134
#define ND_NEIGHBOUR_SOLICITATION 135
#define ND_NEIGHBOUR_ADVERTISEMENT 136
#define ND_REDIRECT 137
#define MLD2_REPORT 143

/* RFC 826 for Ethernet and IPv4. */
struct arp_ipv4 {
    __be16 hardware;
    __be16 protocol;
    __u8 hardware_length;
    __u8 protocol_length;
    __be16 operation;
    __u8 sender_mac[6];
    __be32 sender;
    __u8 target_mac[6];
    __be32 target;
} __attribute__((packed));

/* pod: the sender when it is a pod, else null. Returns 0 or -reason. */
static __always_inline int neighbour_check_arp(struct __sk_buff* skb, const struct packet* packet,
                                               const struct weir_pod* pod) {
    struct arp_ipv4 arp;

    if (bpf_skb_load_bytes(skb, packet->l4_offset, &arp, sizeof(arp)) ||
        arp.hardware != bpf_htons(ARPHRD_ETHER) || arp.protocol != bpf_htons(ETH_P_IP) ||
        arp.hardware_length != ETH_ALEN || arp.protocol_length != 4)
        return -WEIR_DROP_INVALID_ARP;
    /* A sender of 0.0.0.0 only asks (RFC 5227). */
    if (pod && arp.sender && !endpoint_owns_v4(pod, arp.sender))
        return -WEIR_DROP_SPOOFED_NEIGHBOUR;
    return 0;
}

/* Whether it is neighbour discovery (RFC 4861: never forwarded, so hop limit 255, never a fragment)
 * or multicast listener discovery (RFC 2710, RFC 3810: hop limit 1). */
static __always_inline int neighbour_is_discovery(const struct packet* packet) {
    if (packet->protocol != IPPROTO_ICMPV6 || !packet->is_v6 || packet->is_fragment) return 0;
    if (packet->icmp_type >= ND_ROUTER_SOLICITATION && packet->icmp_type <= ND_REDIRECT)
        return packet->hop_limit == 255;
    if ((packet->icmp_type >= MLD_QUERY && packet->icmp_type <= MLD_DONE) ||
        packet->icmp_type == MLD2_REPORT)
        return packet->hop_limit == 1;
    return 0;
}

/* What a pod may say in neighbour discovery. Returns 0 or -reason. Router advertisements and
 * redirects are a router's (CVE-2020-10749). */
static __always_inline int neighbour_check_claim(struct __sk_buff* skb, const struct packet* packet,
                                                 const struct weir_pod* pod) {
    struct weir_address target;

    if (packet->icmp_type == ND_ROUTER_ADVERTISEMENT || packet->icmp_type == ND_REDIRECT)
        return -WEIR_DROP_SPOOFED_NEIGHBOUR;
    if (packet->icmp_type != ND_NEIGHBOUR_ADVERTISEMENT) return 0;
    if (bpf_skb_load_bytes(skb, packet->l4_offset + sizeof(struct icmp_header), &target,
                           sizeof(target)))
        return -WEIR_DROP_TRUNCATED_TRANSPORT;
    return endpoint_owns(pod, &target) ? 0 : -WEIR_DROP_SPOOFED_NEIGHBOUR;
}

/* RFC 6620-like check of what leaves a pod: the source must be its own. Without one, a host may
 * still ask for neighbours (duplicate address detection) and for a lease. Returns 0 or -reason. */
static __always_inline int neighbour_check_source(const struct packet* packet,
                                                  const struct weir_pod* pod) {
    const struct weir_address* source = &packet->source;

    if (endpoint_owns(pod, source)) return 0;
    if (source->halves[0] == 0 && source->halves[1] == 0 && neighbour_is_discovery(packet))
        return 0;
    if (address_is_mapped_v4(source) && source->words[3] == 0 && packet->protocol == IPPROTO_UDP &&
        packet->source_port == bpf_htons(68) && packet->destination_port == bpf_htons(67))
        return 0;
    return -WEIR_DROP_SPOOFED_SOURCE;
}

#endif
