/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Translated flows: what becomes of a packet, by its addresses and ports as it comes. For any hook:
 * nothing here touches a packet. */
#ifndef WEIR_BPF_NAT_H
#define WEIR_BPF_NAT_H

#include "abi_uplink.h"
#include "service_backend.h"

struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, 131072);
    __type(key, struct weir_nat_key);
    __type(value, struct weir_nat);
} weir_nat SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, 131072);
    __type(key, struct weir_nat_key);
    __type(value, struct weir_uplink_nat);
} weir_uplink_nat SEC(".maps");

/* An element that is about to be inserted: the stack has no room for it. */
struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct weir_uplink_nat);
} weir_nat_scratch SEC(".maps");

/* Of a flow from outside. */
static __always_inline struct weir_nat* nat_lookup_outside(const struct weir_nat_key* key) {
    struct weir_uplink_nat* element = bpf_map_lookup_elem(&weir_uplink_nat, key);

    return element ? &element->nat : 0;
}

static __always_inline struct weir_uplink_nat* nat_scratch(void) {
    __u32 zero = 0;

    return bpf_map_lookup_elem(&weir_nat_scratch, &zero);
}

/* Inserts an element of a flow from outside, whose way is not known yet. Returns 0 or an error:
 * when there is one already. */
static __always_inline long nat_insert_outside(const struct weir_nat_key* key,
                                               const struct weir_nat* nat) {
    struct weir_uplink_nat* element = nat_scratch();

    if (!element) return -1;
    element->nat = *nat;
    __builtin_memset(&element->way, 0, sizeof(element->way));
    return bpf_map_update_elem(&weir_uplink_nat, key, element, BPF_NOEXIST);
}

/* Whether it was not used since the clock's last tick. */
static __always_inline int nat_is_due(const struct weir_nat* nat) {
    return nat->tick != (__u16)bpf_jiffies64();
}

static __always_inline void nat_touch(struct weir_nat* nat) {
    __u16 tick = bpf_jiffies64();

    if (likely(nat->tick == tick)) return;
    nat->tick = tick;
    nat->last_used = bpf_ktime_get_coarse_ns();
}

static __always_inline void nat_key_of(const struct packet* packet, struct weir_nat_key* key) {
    key->source = packet->source;
    key->destination = packet->destination;
    key->source_port = packet->source_port;
    key->destination_port = packet->destination_port;
    key->protocol = packet->protocol;
    __builtin_memset(key->pad, 0, sizeof(key->pad));
}

/* The key of the packets that answer those of this one. */
static __always_inline void nat_reverse(const struct weir_nat_key* key, struct weir_nat_key* back) {
    back->source = key->destination;
    back->destination = key->source;
    back->source_port = key->destination_port;
    back->destination_port = key->source_port;
    back->protocol = key->protocol;
    __builtin_memset(back->pad, 0, sizeof(back->pad));
}

/* The key of the packets that answer what this element translates. */
static __always_inline void nat_answer_key(const struct weir_nat* nat, __u8 protocol,
                                           struct weir_nat_key* back) {
    back->source = nat->destination;
    back->destination = nat->source;
    back->source_port = nat->destination_port;
    back->destination_port = nat->source_port;
    back->protocol = protocol;
    __builtin_memset(back->pad, 0, sizeof(back->pad));
}

/* Whether both make the same of a packet. */
static __always_inline int nat_is_same(const struct weir_nat* one, const struct weir_nat* other) {
    return one->source_port == other->source_port &&
           one->destination_port == other->destination_port &&
           address_equals(&one->source, &other->source) &&
           address_equals(&one->destination, &other->destination);
}

/* A flow's hash, for Maglev: the same on every node, for the same packet. */
static __always_inline __u32 nat_hash(const struct weir_nat_key* key) {
    __u64 hash =
        ((__u64)key->protocol << 32 | (__u32)key->source_port << 16 | key->destination_port) *
        0x9e3779b97f4a7c15ull;
    int i;

#pragma unroll
    for (i = 0; i < 2; i++) {
        hash = (hash ^ (hash >> 32) ^ key->source.halves[i]) * 0x9e3779b97f4a7c15ull;
        hash = (hash ^ (hash >> 32) ^ key->destination.halves[i]) * 0x9e3779b97f4a7c15ull;
    }
    return hash >> 32;
}

#endif
