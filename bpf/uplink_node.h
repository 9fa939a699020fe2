/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What the uplink's programs know of their node, and what they count. */
#ifndef WEIR_BPF_UPLINK_NODE_H
#define WEIR_BPF_UPLINK_NODE_H

#include "abi_uplink.h"
#include "parse.h"

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct weir_uplink);
} weir_uplink SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, WEIR_UPLINK_PLACES);
    __type(key, __u32);
    __type(value, struct weir_interface);
} weir_uplinks SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, WEIR_UPLINK_OUTCOME_COUNT);
    __type(key, __u32);
    __type(value, __u64);
} weir_forwards SEC(".maps");

static __always_inline const struct weir_uplink* uplink_node(void) {
    __u32 zero = 0;

    return bpf_map_lookup_elem(&weir_uplink, &zero);
}

/* The node's address of the family of this one; 0: it has none. */
static __always_inline const struct weir_address* uplink_address(const struct weir_uplink* node,
                                                                 const struct weir_address* like) {
    const struct weir_address* own = address_is_mapped_v4(like) ? &node->v4 : &node->v6;

    return own->halves[1] ? own : 0;
}

/* 0: it is no uplink. */
static __always_inline const struct weir_interface* uplink_interface(__u32 ifindex) {
    const struct weir_interface* interface;
    __u32 place, i;

#pragma unroll
    for (i = 0; i < WEIR_UPLINK_TRIES; i++) {
        place = (ifindex + i) % WEIR_UPLINK_PLACES;
        interface = bpf_map_lookup_elem(&weir_uplinks, &place);
        if (interface && interface->ifindex == ifindex) return interface;
    }
    return 0;
}

static __always_inline void uplink_count(__u32 outcome) {
    __u64* count = bpf_map_lookup_elem(&weir_forwards, &outcome);

    if (count) ++*count;
}

#endif
