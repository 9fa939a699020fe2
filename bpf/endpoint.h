/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* The pod behind the interface that a packet passes, and what is its own: addresses and MAC. */
#ifndef WEIR_BPF_ENDPOINT_H
#define WEIR_BPF_ENDPOINT_H

#include "parse.h"

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, WEIR_MAX_PODS);
    __type(key, __u32);
    __type(value, __u32);
} weir_endpoints SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(map_flags, BPF_F_MMAPABLE);
    __uint(max_entries, WEIR_MAX_PODS);
    __type(key, __u32);
    __type(value, struct weir_pod);
} weir_pods SEC(".maps");

/* The hash of an interface's number and its two cold cache lines cost as much as the whole lookup
 * of the flow: nearly every endpoint is in its home slot. */
static __always_inline struct weir_pod* endpoint_lookup(__u32 ifindex, __u32* slot) {
    struct weir_pod* pod;
    __u32* found;

    *slot = WEIR_SLOT_HOME(ifindex);
    pod = bpf_map_lookup_elem(&weir_pods, slot);
    if (pod && pod->ifindex == ifindex) return pod;
    found = bpf_map_lookup_elem(&weir_endpoints, &ifindex);
    if (!found) return 0;
    *slot = *found;
    return bpf_map_lookup_elem(&weir_pods, slot);
}

/* The rules of one side: loaded once and before whatever the verdict depends on, so that a verdict
 * is never cached under a newer generation than it was made with. */
static __always_inline __u64 pod_rules(const struct weir_pod* pod, __u8 side) {
    return *(const volatile __u64*)&pod->rules[side & 1];
}

static __always_inline int endpoint_owns(const struct weir_pod* pod,
                                         const struct weir_address* address) {
    int i;

#pragma unroll
    for (i = 0; i < WEIR_POD_ADDRESSES; i++) {
        if (address_equals(&pod->addresses[i], address))
            return !(address->halves[0] == 0 && address->halves[1] == 0);
    }
    return 0;
}

/* The same for the two addresses that nearly all traffic has; the order is the agent's. */
static __always_inline int endpoint_owns_first(const struct weir_pod* pod,
                                               const struct weir_address* address) {
    if (address->halves[0] == 0 && address->halves[1] == 0) return 0;
    return address_equals(&pod->addresses[0], address) ||
           address_equals(&pod->addresses[1], address);
}

static __always_inline int endpoint_owns_v4(const struct weir_pod* pod, __be32 v4) {
    struct weir_address address;

    address_map_v4(&address, v4);
    return endpoint_owns(pod, &address);
}

static __always_inline int endpoint_is_mac(const struct weir_pod* pod, const __u8* mac) {
    return *(__u32*)mac == *(__u32*)pod->mac && *(__u16*)(mac + 4) == *(__u16*)(pod->mac + 4);
}

/* Whether a frame is addressed to the pod's MAC. */
static __always_inline int endpoint_has_mac(struct __sk_buff* skb, const struct weir_pod* pod) {
    void* data = (void*)(long)skb->data;

    if (data + ETH_HLEN > (void*)(long)skb->data_end) return 0;
    return endpoint_is_mac(pod, data);
}

/* Whether a frame was meant for the pod: a bridge floods frames of unknown destinations to all of
 * its ports. Multicast and broadcast are for everybody. */
static __always_inline int endpoint_is_addressed(struct __sk_buff* skb, const struct weir_pod* pod,
                                                 const struct packet* packet) {
    void* data = (void*)(long)skb->data;
    void* end = (void*)(long)skb->data_end;
    __u8* mac = data;

    if (data + ETH_HLEN > end) return 1;
    if (mac[0] & 1) return 1;
    if (endpoint_has_mac(skb, pod)) return 1;
    return endpoint_owns(pod, &packet->destination);
}

#endif
