/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Where flows are kept: one entry a flow, found with one lookup from either direction of travel,
 * with the verdict of each side cached under the generation of the rules that gave it. */
#ifndef WEIR_BPF_FLOW_TABLE_H
#define WEIR_BPF_FLOW_TABLE_H

#include "parse.h"

struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, 131072);
    __type(key, struct weir_flow_key);
    __type(value, struct weir_flow);
} weir_flows SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, 16384);
    __type(key, struct weir_flow_key);
    __type(value, struct weir_flow);
} weir_new_flows SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, 16384);
    __type(key, struct weir_flow_key);
    __type(value, struct weir_flow);
} weir_crowded_flows SEC(".maps");

/* First port that clients get by themselves (net.ipv4.ip_local_port_range). */
const volatile __u16 flow_ephemeral_first = 32768;
/* After this long without a packet a flow without connections (UDP, ICMP) is over. */
const volatile __u64 flow_idle_ns = 180ull * 1000 * 1000 * 1000;

/* Fills the key; returns whether the sender is its low end. */
static __always_inline int flow_key(const struct weir_address* source,
                                    const struct weir_address* destination, __be16 source_port,
                                    __be16 destination_port, __u8 protocol,
                                    struct weir_flow_key* key) {
    int is_low;

    if (source->halves[0] != destination->halves[0])
        is_low = source->halves[0] < destination->halves[0];
    else if (source->halves[1] != destination->halves[1])
        is_low = source->halves[1] < destination->halves[1];
    else
        is_low = source_port <= destination_port;
    key->low = is_low ? *source : *destination;
    key->high = is_low ? *destination : *source;
    key->low_port = is_low ? source_port : destination_port;
    key->high_port = is_low ? destination_port : source_port;
    key->protocol = protocol;
    __builtin_memset(key->pad, 0, sizeof(key->pad));
    return is_low;
}

static __always_inline int flow_has_connections(__u8 protocol) {
    return protocol == IPPROTO_TCP || protocol == IPPROTO_SCTP;
}

static __always_inline int flow_has_ports(__u8 protocol) {
    return protocol == IPPROTO_UDP || flow_has_connections(protocol);
}

/* Removes the entry of a flow that is over, from where flow_find() found it: its successor may
 * belong into another map, and must not be hidden by it. */
static __always_inline void flow_forget(const struct weir_flow_key* key) {
    if (!bpf_map_delete_elem(&weir_flows, key)) return;
    if (bpf_map_delete_elem(&weir_new_flows, key)) bpf_map_delete_elem(&weir_crowded_flows, key);
}

#endif
