/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* ICMP errors about translated packets: whoever gets one must find in it the packet that it sent,
 * or path MTU discovery and the like do not work (RFC 5508 section 4). */
#ifndef WEIR_BPF_NAT_ERROR_H
#define WEIR_BPF_NAT_ERROR_H

#include "fragment.h"
#include "nat_write.h"

/* Writes the quoted packet's ports, and its transport's checksum as far as it is quoted. Returns
 * what ICMP's own checksum differs by. */
static __always_inline __u64 nat_error_write_ports(struct __sk_buff* skb,
                                                   const struct packet* quoted,
                                                   const struct weir_nat* nat, __u32 difference) {
    __be16 ports[2] = {nat->destination_port, nat->source_port};
    __u32 offset = quoted->l4_offset + nat_checksum_offset(quoted->protocol);
    __u64 sum = nat_difference(&quoted->source_port, ports, 1);
    __u16 old = 0, new = 0;

    bpf_skb_store_bytes(skb, quoted->l4_offset, ports, sizeof(ports), 0);
    if (offset == quoted->l4_offset || bpf_skb_load_bytes(skb, offset, &old, sizeof(old)))
        return sum;
    bpf_l4_csum_replace(skb, offset, 0, nat_fold(sum + difference),
                        nat_checksum_flags(quoted->protocol));
    bpf_skb_load_bytes(skb, offset, &new, sizeof(new));
    return sum + (__u16)~old + new;
}

/* nat: the element of the packets that travel as the error does, against the quoted one. Its own
 * function, as nat_translate_error() is: the stack is short. */
static __noinline int nat_error_write(struct __sk_buff* skb, const struct packet* packet,
                                      const struct packet* quoted, const struct weir_nat* nat) {
    struct weir_address ends[2] = {nat->destination, nat->source};
    __u32 difference = nat_write_addresses(skb, quoted, ends);
    __u64 sum;

    sum = packet->is_v6 ? difference : 0; /* IPv4's header checksum makes up for its addresses */
    if (!quoted->is_later_fragment) sum += nat_error_write_ports(skb, quoted, nat, difference);
    bpf_l4_csum_replace(skb, packet->l4_offset + offsetof(struct icmp_header, checksum), 0,
                        nat_fold(sum), 0);
    /* A router on the way keeps its address. */
    ends[0] = address_equals(&packet->source, &quoted->destination) ? nat->source : packet->source;
    ends[1] = nat->destination;
    nat_write_checksum(skb, packet, nat_write_addresses(skb, packet, ends));
    return nat->flags;
}

/* Translates an error in both of its headers. is_outside: the flow is one from outside. wanted:
 * what the element's flags in mask must be. Returns its flags, or -1: it quotes no such flow's
 * packet. */
static __noinline int nat_translate_error(struct __sk_buff* skb, const struct packet* packet,
                                          int is_outside, __u32 mask, __u32 wanted) {
    struct packet quoted = {};
    struct weir_nat_key key;
    struct weir_nat* nat;

    if (packet_parse_quoted(skb, &quoted, packet->l4_offset + sizeof(struct icmp_header),
                            packet->is_v6))
        return -1;
    if (quoted.is_later_fragment && fragment_resolve(&quoted)) return -1;
    if (!address_equals(&quoted.source, &packet->destination)) return -1;
    key.source = quoted.destination;
    key.destination = quoted.source;
    key.source_port = quoted.destination_port;
    key.destination_port = quoted.source_port;
    key.protocol = quoted.protocol;
    __builtin_memset(key.pad, 0, sizeof(key.pad));
    nat = is_outside ? nat_lookup_outside(&key) : bpf_map_lookup_elem(&weir_nat, &key);
    if (!nat || (nat->flags & mask) != wanted) return -1;
    return nat_error_write(skb, packet, &quoted, nat);
}

#endif
