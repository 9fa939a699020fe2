/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Answers of a pod to clients outside that carry the node's own address, because they asked a
 * NodePort. The kernel takes what comes in at a pod's interface with such a source for a martian
 * and drops it, so that they are routed here and sent past it. */
#ifndef WEIR_BPF_SERVICE_RETURN_H
#define WEIR_BPF_SERVICE_RETURN_H

#include "hook.h"
#include "nat_life.h"
#include "nat_write.h"
#include "route.h"

#define IP_DONT_FRAGMENT 0x4000

/* Notes in the answer's element whether the address that it gets is one of the node's. Asked anew
 * once a tick of the clock, for addresses come and go: to be called before nat_touch(). */
static __always_inline void return_note_own(struct __sk_buff* skb, struct weir_nat* nat) {
    if (likely((nat->flags & WEIR_NAT_ASKED) && !nat_is_due(nat))) return;
    if (route_is_own(skb, skb->ifindex, &nat->source))
        nat->flags |= WEIR_NAT_ASKED | WEIR_NAT_OWN;
    else
        nat->flags = (nat->flags & ~WEIR_NAT_OWN) | WEIR_NAT_ASKED;
}

/* From the IP header on, of one segment of an offloaded packet. 0: the kernel may say. */
static __always_inline __u32 return_length(struct __sk_buff* skb, const struct packet* packet) {
    __u32 header = packet->l4_offset - packet->l3_offset;
    __u8 offset = 0;

    if (!skb->gso_size) return packet_length(skb, packet);
    if (packet->protocol == IPPROTO_UDP) return header + sizeof(struct udphdr) + skb->gso_size;
    if (packet->protocol != IPPROTO_TCP) return 0;
    bpf_skb_load_bytes(skb, packet->l4_offset + 12, &offset, sizeof(offset));
    return header + (offset >> 4) * 4 + skb->gso_size;
}

static __always_inline int return_may_be_cut(struct __sk_buff* skb, const struct packet* packet) {
    __be16 flags = 0;

    if (packet->is_v6) return 0;
    bpf_skb_load_bytes(skb, packet->l3_offset + offsetof(struct iphdr, frag_off), &flags,
                       sizeof(flags));
    return !(flags & bpf_htons(IP_DONT_FRAGMENT));
}

/* Translates the answer and sends it. nat: what it carries afterwards. What ends here, because of
 * its hops or its size, stays as the pod has sent it: then the kernel tells the pod. What may be
 * cut into pieces is the kernel's as well, and lost. Returns the hook's verdict. */
static __noinline int return_send(struct __sk_buff* skb, const struct packet* packet,
                                  const struct weir_nat* nat) {
    struct bpf_fib_lookup fib = {.ifindex = skb->ifindex};
    int is_known;
    long way;

    if (packet->hop_limit <= 1) return VERDICT_PASS;
    route_fill(&fib, packet, nat, &nat->source, return_length(skb, packet));
    way = bpf_fib_lookup(skb, &fib, sizeof(fib), 0);
    if (way == BPF_FIB_LKUP_RET_FRAG_NEEDED && !return_may_be_cut(skb, packet)) return VERDICT_PASS;
    is_known = way == BPF_FIB_LKUP_RET_SUCCESS || way == BPF_FIB_LKUP_RET_NO_NEIGH;
    if (is_known) packet_hop(skb, packet);
    nat_write(skb, packet, nat);
    return is_known ? packet_send(&fib) : VERDICT_PASS;
}

/* The same for an ICMP error by the pod, which is translated already. */
static __noinline int return_error(struct __sk_buff* skb) {
    struct packet packet = {};
    struct weir_nat as_it_is = {};

    if (packet_parse(skb, &packet) || packet.l3_offset != ETH_HLEN ||
        !route_is_own(skb, skb->ifindex, &packet.source))
        return VERDICT_PASS;
    as_it_is.source = packet.source;
    as_it_is.destination = packet.destination;
    as_it_is.source_port = packet.source_port;
    as_it_is.destination_port = packet.destination_port;
    return return_send(skb, &packet, &as_it_is);
}

#endif
