/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* From a frame to one struct packet: Ethernet, VLAN tags, IPv4 or IPv6 with extension headers,
 * fragments, transport. IPv4 addresses are mapped, so that all that follows has one code path. */
#ifndef WEIR_BPF_PARSE_H
#define WEIR_BPF_PARSE_H

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <linux/udp.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "abi.h"

enum packet_kind { PACKET_ARP = 1, PACKET_IP = 2 };

/* What the transport header says about who opened the flow. */
enum packet_opening {
    OPENING_SENDER = 0,   /* the sender opens it, or the protocol cannot tell otherwise */
    OPENING_RECEIVER = 1, /* it answers: SYN+ACK, INIT ACK, echo reply */
    OPENING_UNKNOWN = 2   /* in the middle of a TCP or SCTP flow */
};

struct packet {
    struct weir_address source; /* the two lie as in an IPv6 header */
    struct weir_address destination;
    __be16 source_port;
    __be16 destination_port;
    __u8 protocol; /* IPPROTO_* of the transport */
    __u8 kind;
    __u8 opening;
    __u8 is_syn; /* starts a connection: SYN without ACK, INIT */
    __u8 tcp_flags;
    __u8 icmp_type;
    __u8 icmp_code;
    __u8 hop_limit;
    __u8 is_v6;
    __u8 is_fragment;
    __u8 is_later_fragment; /* has no transport header of its own */
    __u8 is_icmp_error;
    __u8 is_plain; /* parsed by packet_parse_fast: whole TCP or UDP */
    __u16 l3_offset;
    __u16 l4_offset;
    __u16 packets; /* on the wire: segments of an offloaded packet */
    __be32 fragment_id;
    __u32 bytes;
};

#define FAMILY_V4 2 /* AF_INET, of <sys/socket.h> */
#define FAMILY_V6 10

#define WEIR_VLAN_TAGS 2
#define WEIR_IPV6_EXTENSIONS 8

/* An IPv6 header up to its addresses (RFC 8200): those go straight to where they are needed, the
 * stack is short. */
struct ipv6_start {
    __u8 version; /* and the upper half of the traffic class */
    __u8 flow[3];
    __be16 payload_length;
    __u8 next;
    __u8 hop_limit;
};

/* linux/icmp.h drags in the C library, which has no headers for this target. */
#define ICMP_ECHOREPLY 0
#define ICMP_DEST_UNREACH 3
#define ICMP_SOURCE_QUENCH 4
#define ICMP_ECHO 8
#define ICMP_TIME_EXCEEDED 11
#define ICMP_PARAMETERPROB 12
#define ICMPV6_DEST_UNREACH 1
#define ICMPV6_PARAMPROB 4
#define ICMPV6_ECHO_REQUEST 128
#define ICMPV6_ECHO_REPLY 129

/* RFC 792, RFC 4443: the first 8 bytes of every message; the identifier is an echo's. */
struct icmp_header {
    __u8 type;
    __u8 code;
    __be16 checksum;
    __be16 identifier;
    __be16 sequence;
};

struct vlan_tag {
    __be16 tci;
    __be16 protocol;
};

struct ipv6_extension {
    __u8 next;
    __u8 length;
    __be16 fragment_offset; /* fragment header only */
    __be32 fragment_id;
};

struct sctp_start {
    __be16 source_port;
    __be16 destination_port;
    __be32 tag;
    __be32 checksum;
    __u8 chunk_type;
};

static __always_inline void address_map_v4(struct weir_address* address, __be32 v4) {
    address->halves[0] = 0;
    address->words[2] = bpf_htonl(0xffff);
    address->words[3] = v4;
}

#define likely(condition) __builtin_expect(!!(condition), 1)
#define unlikely(condition) __builtin_expect(!!(condition), 0)

static __always_inline int address_is_mapped_v4(const struct weir_address* address) {
    return address->halves[0] == 0 && address->words[2] == bpf_htonl(0xffff);
}

static __always_inline int address_equals(const struct weir_address* a,
                                          const struct weir_address* b) {
    return a->halves[0] == b->halves[0] && a->halves[1] == b->halves[1];
}

/* The transport header at packet->l4_offset. length: what the IP header leaves for it. quoted: the
 * packet is quoted by an ICMP error, which carries only its first 8 bytes for sure. */
static __always_inline int parse_transport(struct __sk_buff* skb, struct packet* packet,
                                           __u32 length, int quoted) {
    __u32 offset = packet->l4_offset;

    switch (packet->protocol) {
        case IPPROTO_TCP: {
            struct tcphdr tcp = {};

            if (bpf_skb_load_bytes(skb, offset, &tcp, quoted ? 8 : sizeof(tcp)))
                return -WEIR_DROP_TRUNCATED_TRANSPORT;
            packet->source_port = tcp.source;
            packet->destination_port = tcp.dest;
            packet->opening = OPENING_UNKNOWN;
            if (quoted) return 0;
            if (length < sizeof(tcp)) return -WEIR_DROP_TRUNCATED_TRANSPORT;
            if (tcp.doff < 5 || tcp.doff * 4u > length) return -WEIR_DROP_INVALID_TRANSPORT;
            packet->tcp_flags = ((__u8*)&tcp)[13];
            packet->is_syn = tcp.syn && !tcp.ack;
            if (tcp.syn) packet->opening = tcp.ack ? OPENING_RECEIVER : OPENING_SENDER;
            return 0;
        }
        case IPPROTO_UDP: {
            struct udphdr udp;

            if (length < sizeof(udp) || bpf_skb_load_bytes(skb, offset, &udp, sizeof(udp)))
                return -WEIR_DROP_TRUNCATED_TRANSPORT;
            packet->source_port = udp.source;
            packet->destination_port = udp.dest;
            /* 0 stands for a jumbogram (RFC 2675). */
            if (udp.len && bpf_ntohs(udp.len) < sizeof(udp)) return -WEIR_DROP_INVALID_TRANSPORT;
            return 0;
        }
        case IPPROTO_SCTP: {
            struct sctp_start sctp = {};
            __u32 size = quoted ? 8 : 13;

            if ((!quoted && length < 13) || bpf_skb_load_bytes(skb, offset, &sctp, size))
                return -WEIR_DROP_TRUNCATED_TRANSPORT;
            packet->source_port = sctp.source_port;
            packet->destination_port = sctp.destination_port;
            packet->opening = OPENING_UNKNOWN;
            if (quoted) return 0;
            packet->is_syn = sctp.chunk_type == 1;
            if (sctp.chunk_type == 1)
                packet->opening = OPENING_SENDER;
            else if (sctp.chunk_type == 2)
                packet->opening = OPENING_RECEIVER;
            return 0;
        }
        case IPPROTO_ICMP:
        case IPPROTO_ICMPV6: {
            struct icmp_header icmp;
            int is_echo, is_reply;

            if (length < sizeof(icmp) || bpf_skb_load_bytes(skb, offset, &icmp, sizeof(icmp)))
                return -WEIR_DROP_TRUNCATED_TRANSPORT;
            /* Each is a protocol of its own family; elsewhere it has no meaning that Weir knows. */
            if ((packet->protocol == IPPROTO_ICMPV6) != packet->is_v6) return 0;
            packet->icmp_type = icmp.type;
            packet->icmp_code = icmp.code;
            if (packet->is_v6) {
                is_reply = icmp.type == ICMPV6_ECHO_REPLY;
                is_echo = is_reply || icmp.type == ICMPV6_ECHO_REQUEST;
                packet->is_icmp_error =
                    icmp.type >= ICMPV6_DEST_UNREACH && icmp.type <= ICMPV6_PARAMPROB;
            } else {
                is_reply = icmp.type == ICMP_ECHOREPLY;
                is_echo = is_reply || icmp.type == ICMP_ECHO;
                packet->is_icmp_error =
                    icmp.type == ICMP_DEST_UNREACH || icmp.type == ICMP_SOURCE_QUENCH ||
                    icmp.type == ICMP_TIME_EXCEEDED || icmp.type == ICMP_PARAMETERPROB;
            }
            if (is_echo) {
                packet->source_port = icmp.identifier;
                packet->destination_port = icmp.identifier;
            }
            if (is_reply) packet->opening = OPENING_RECEIVER;
            return 0;
        }
        default:
            return 0;
    }
}

static __always_inline int parse_ipv4(struct __sk_buff* skb, struct packet* packet, __u32 offset,
                                      int quoted) {
    struct iphdr ip;
    __u32 header, total, fragment, available;

    if (bpf_skb_load_bytes(skb, offset, &ip, sizeof(ip))) return -WEIR_DROP_TRUNCATED_IP;
    header = ip.ihl * 4u;
    total = bpf_ntohs(ip.tot_len);
    available = skb->len - offset;
    if (ip.version != 4 || header < sizeof(ip)) return -WEIR_DROP_INVALID_IP;
    /* BIG TCP: an offloaded packet over 64 KiB has no length in its header. */
    if (!total && skb->gso_size) total = available;
    if (total < header) return -WEIR_DROP_INVALID_IP;
    if (available < header || (!quoted && available < total)) return -WEIR_DROP_TRUNCATED_IP;

    address_map_v4(&packet->source, ip.saddr);
    address_map_v4(&packet->destination, ip.daddr);
    packet->protocol = ip.protocol;
    packet->hop_limit = ip.ttl;
    packet->l3_offset = offset;
    packet->l4_offset = offset + header;
    fragment = bpf_ntohs(ip.frag_off);
    if (fragment & 0x3fff) { /* more fragments, or an offset */
        packet->is_fragment = 1;
        packet->fragment_id = ip.id;
        packet->is_later_fragment = (fragment & 0x1fff) != 0;
    }
    if (packet->is_later_fragment) {
        /* RFC 1858: a second fragment that overwrites the TCP header of the first. */
        if (ip.protocol == IPPROTO_TCP && (fragment & 0x1fff) * 8 < sizeof(struct tcphdr))
            return -WEIR_DROP_INVALID_TRANSPORT;
        return 0;
    }
    return parse_transport(skb, packet, total - header, quoted);
}

static __always_inline int parse_ipv6(struct __sk_buff* skb, struct packet* packet, __u32 offset,
                                      int quoted) {
    struct ipv6_start ip;
    __u32 payload, available, end, fragment;
    __u8 next;
    int i;

    if (bpf_skb_load_bytes(skb, offset, &ip, sizeof(ip)) ||
        bpf_skb_load_bytes(skb, offset + sizeof(ip), &packet->source,
                           sizeof(packet->source) + sizeof(packet->destination)))
        return -WEIR_DROP_TRUNCATED_IP;
    if (ip.version >> 4 != 6) return -WEIR_DROP_INVALID_IP;
    payload = bpf_ntohs(ip.payload_length);
    available = skb->len - offset - sizeof(struct ipv6hdr);
    if (!payload && skb->gso_size) /* BIG TCP */
        payload = available;
    if (!quoted && available < payload) return -WEIR_DROP_TRUNCATED_IP;

    /* RFC 4291 2.5.5.2: such addresses are for nodes to represent IPv4, never for the wire. Let by,
     * they would be taken for the IPv4 address. */
    if (address_is_mapped_v4(&packet->source) || address_is_mapped_v4(&packet->destination))
        return -WEIR_DROP_INVALID_ADDRESS;
    packet->is_v6 = 1;
    packet->hop_limit = ip.hop_limit;
    packet->l3_offset = offset;
    offset += sizeof(struct ipv6hdr);
    end = offset + payload;
    next = ip.next;

    for (i = 0; i <= WEIR_IPV6_EXTENSIONS; i++) {
        struct ipv6_extension extension;

        switch (next) {
            case IPPROTO_HOPOPTS:
            case IPPROTO_ROUTING:
            case IPPROTO_DSTOPTS:
            case IPPROTO_FRAGMENT:
            case IPPROTO_AH:
            case IPPROTO_MH:
            case 139: /* HIP */
            case 140: /* Shim6 */
                break;
            default:
                packet->protocol = next;
                packet->l4_offset = offset;
                return parse_transport(skb, packet, end - offset, quoted);
        }
        if (offset + 8 > end || bpf_skb_load_bytes(skb, offset, &extension, sizeof(extension)))
            return -WEIR_DROP_IPV6_EXTENSIONS;
        if (next == IPPROTO_FRAGMENT) {
            fragment = bpf_ntohs(extension.fragment_offset);
            if (fragment & ~0x6u) { /* not an atomic fragment (RFC 6946) */
                packet->is_fragment = 1;
                packet->fragment_id = extension.fragment_id;
                packet->is_later_fragment = (fragment & 0xfff8) != 0;
            }
            offset += 8;
        } else if (next == IPPROTO_AH) {
            offset += (extension.length + 2u) * 4;
        } else {
            offset += (extension.length + 1u) * 8;
        }
        if (offset > end) return -WEIR_DROP_IPV6_EXTENSIONS;
        next = extension.next;
        if (packet->is_later_fragment) {
            packet->protocol = next;
            packet->l4_offset = offset;
            return 0;
        }
    }
    return -WEIR_DROP_IPV6_EXTENSIONS;
}

/* Parses the IP packet that an ICMP error quotes. Its own function, for the verifier's sake: it is
 * checked once and not once a call. */
__noinline int packet_parse_quoted(struct __sk_buff* skb, struct packet* packet, __u32 offset,
                                   int is_v6) {
    if (!packet) return -WEIR_DROP_TRUNCATED_IP;
    if (is_v6) return parse_ipv6(skb, packet, offset, 1);
    return parse_ipv4(skb, packet, offset, 1);
}

/* Parses any frame. Returns 0 with *packet filled, or -reason. */
__noinline int packet_parse_frame(struct __sk_buff* skb, struct packet* packet) {
    struct vlan_tag tag;
    __u32 offset = ETH_HLEN;
    __be16 protocol;
    int i;

    if (!packet) return -WEIR_DROP_TRUNCATED_FRAME;
    if (bpf_skb_load_bytes(skb, offsetof(struct ethhdr, h_proto), &protocol, sizeof(protocol)))
        return -WEIR_DROP_TRUNCATED_FRAME;
    for (i = 0; i <= WEIR_VLAN_TAGS; i++) {
        if (protocol != bpf_htons(ETH_P_8021Q) && protocol != bpf_htons(ETH_P_8021AD)) break;
        if (i == WEIR_VLAN_TAGS) return -WEIR_DROP_VLAN_DEPTH;
        if (bpf_skb_load_bytes(skb, offset, &tag, sizeof(tag))) return -WEIR_DROP_TRUNCATED_FRAME;
        protocol = tag.protocol;
        offset += sizeof(tag);
    }
    packet->l4_offset = offset;
    packet->kind = PACKET_IP;
    if (protocol == bpf_htons(ETH_P_IP)) return parse_ipv4(skb, packet, offset, 0);
    if (protocol == bpf_htons(ETH_P_IPV6)) return parse_ipv6(skb, packet, offset, 0);
    if (protocol == bpf_htons(ETH_P_ARP)) {
        packet->kind = PACKET_ARP;
        return 0;
    }
    return -WEIR_DROP_NON_IP;
}

/* The plain case: an IPv4 or IPv6 packet without options, extensions or fragments, TCP or UDP. l3:
 * its IP header, behind which there are 20 bytes at least, offset bytes into the frame. length: of
 * the frame from there on. Returns 1 when it parsed the packet, 0 when packet_parse_frame() must.
 * The same checks as there, in fewer instructions. */
static __always_inline int packet_parse_plain(void* l3, void* end, int is_v6, __u32 offset,
                                              __u32 length, struct packet* packet) {
    struct tcphdr* tcp;
    __u32 payload;

    if (!is_v6) {
        struct iphdr* ip = l3;

        payload = bpf_ntohs(ip->tot_len);
        if (*(__u8*)ip != 0x45 || (ip->frag_off & bpf_htons(0x3fff)) ||
            payload < sizeof(*ip) + sizeof(*tcp) || payload > length)
            return 0;
        address_map_v4(&packet->source, ip->saddr);
        address_map_v4(&packet->destination, ip->daddr);
        packet->protocol = ip->protocol;
        packet->hop_limit = ip->ttl;
        packet->l4_offset = offset + sizeof(*ip);
        payload -= sizeof(*ip);
        tcp = l3 + sizeof(*ip);
    } else {
        struct ipv6hdr* ip = l3;

        if (l3 + sizeof(*ip) + sizeof(*tcp) > end) return 0;
        payload = bpf_ntohs(ip->payload_len);
        if (ip->version != 6 || payload < sizeof(*tcp) || payload > length - sizeof(*ip)) return 0;
        __builtin_memcpy(&packet->source, &ip->saddr, 16);
        __builtin_memcpy(&packet->destination, &ip->daddr, 16);
        if (address_is_mapped_v4(&packet->source) || address_is_mapped_v4(&packet->destination))
            return 0;
        packet->is_v6 = 1;
        packet->protocol = ip->nexthdr;
        packet->hop_limit = ip->hop_limit;
        packet->l4_offset = offset + sizeof(*ip);
        tcp = l3 + sizeof(*ip);
    }

    packet->kind = PACKET_IP;
    packet->is_plain = 1;
    packet->l3_offset = offset;
    packet->source_port = tcp->source;
    packet->destination_port = tcp->dest;
    if (packet->protocol == IPPROTO_TCP) {
        if (tcp->doff < 5 || tcp->doff * 4u > payload) return 0;
        packet->tcp_flags = ((__u8*)tcp)[13];
        packet->is_syn = tcp->syn && !tcp->ack;
        packet->opening = OPENING_UNKNOWN;
        if (tcp->syn) packet->opening = tcp->ack ? OPENING_RECEIVER : OPENING_SENDER;
        return 1;
    }
    if (packet->protocol == IPPROTO_UDP)
        return bpf_ntohs(((struct udphdr*)tcp)->len) >= sizeof(struct udphdr);
    return 0;
}

/* The plain case, of what established.h leaves: untagged, with its headers in the linear part. */
static __always_inline int packet_parse_fast(struct __sk_buff* skb, struct packet* packet) {
    void* data = (void*)(long)skb->data;
    void* end = (void*)(long)skb->data_end;
    struct ethhdr* eth = data;

    if (data + sizeof(*eth) + sizeof(struct iphdr) + sizeof(struct tcphdr) > end) return 0;
    if (eth->h_proto != bpf_htons(ETH_P_IP) && eth->h_proto != bpf_htons(ETH_P_IPV6)) return 0;
    return packet_parse_plain(data + sizeof(*eth), end, eth->h_proto == bpf_htons(ETH_P_IPV6),
                              sizeof(*eth), skb->len - sizeof(*eth), packet);
}

/* Packets and bytes as they are on the wire: an offloaded packet counts as its segments, each with
 * its headers. */
static __always_inline void packet_measure(struct __sk_buff* skb, struct packet* packet) {
    __u32 size = skb->gso_size, header, segments;

    packet->packets = 1;
    packet->bytes = skb->len;
    if (!size) return;
    header = packet->l4_offset;
    if (packet->protocol == IPPROTO_TCP) {
        __u8 offset = 0;

        bpf_skb_load_bytes(skb, packet->l4_offset + 12, &offset, 1);
        header += (offset >> 4) * 4;
    } else if (packet->protocol == IPPROTO_UDP) {
        header += sizeof(struct udphdr);
    }
    segments = skb->gso_segs;
    if (!segments && packet->bytes > header) /* not computed yet for what a tap handed over */
        segments = (packet->bytes - header + size - 1) / size;
    if (segments > 1) {
        packet->packets = segments;
        packet->bytes += (segments - 1) * header;
    }
}

/* Parses any frame and measures it. Returns 0 or -reason. */
static __always_inline int packet_parse(struct __sk_buff* skb, struct packet* packet) {
    int error = 0;

    if (!packet_parse_fast(skb, packet)) {
        __builtin_memset(packet, 0, sizeof(*packet));
        error = packet_parse_frame(skb, packet);
    }
    packet_measure(skb, packet);
    return error;
}

#endif
