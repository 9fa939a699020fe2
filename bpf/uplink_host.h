/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Backends that are the node itself (pods with hostNetwork): no pod's hook sees what they answer,
 * which gets the service's address as it leaves through the uplink. */
#ifndef WEIR_BPF_UPLINK_HOST_H
#define WEIR_BPF_UPLINK_HOST_H

#include "route.h"
#include "uplink_flow.h"

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, WEIR_HOST_PORT_WORDS + 1);
    __type(key, __u32);
    __type(value, __u32);
} weir_host_ports SEC(".maps");

/* Of a flow that begins: its backend may be the node. ctx: the program's. */
static __noinline void host_note(void* ctx, __u32 ifindex, const struct weir_nat* nat) {
    __u32 port = bpf_ntohs(nat->destination_port), index = port / 32;
    __u32* word = bpf_map_lookup_elem(&weir_host_ports, &index);
    __u32 bit = 1u << (port % 32);

    if (!word || (*word & bit) || !route_is_own(ctx, ifindex, &nat->destination)) return;
    __sync_fetch_and_or(word, bit);
    index = WEIR_HOST_PORT_WORDS;
    word = bpf_map_lookup_elem(&weir_host_ports, &index);
    if (word) *word = 1;
}

/* Whether the node may have answered from the port. */
static __always_inline int host_may_answer(__be16 port) {
    __u32 index = bpf_ntohs(port) / 32;
    const __u32* word = bpf_map_lookup_elem(&weir_host_ports, &index);

    return word && (*word >> (bpf_ntohs(port) % 32) & 1);
}

/* Whether anything at all is to be looked at. */
static __always_inline int host_is_backend(void) {
    __u32 index = WEIR_HOST_PORT_WORDS;
    const __u32* any = bpf_map_lookup_elem(&weir_host_ports, &index);

    return any && *any;
}

#endif
