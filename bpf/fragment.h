/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Fragments follow their first fragment: it leaves its ports behind for the others. A pod that has
 * more such datagrams than its share gets in nobody's way but its own. */
#ifndef WEIR_BPF_FRAGMENT_H
#define WEIR_BPF_FRAGMENT_H

#include "load.h"

struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, 16384);
    __type(key, struct weir_fragment_key);
    __type(value, struct weir_fragment);
} weir_fragments SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, 16384);
    __type(key, struct weir_fragment_key);
    __type(value, struct weir_fragment);
} weir_crowded_fragments SEC(".maps");

static __always_inline void fragment_key(const struct packet* packet,
                                         struct weir_fragment_key* key) {
    key->source = packet->source;
    key->destination = packet->destination;
    key->identification = packet->fragment_id;
    key->protocol = packet->protocol;
    __builtin_memset(key->pad, 0, sizeof(key->pad));
}

/* Gives a later fragment the ports of its first. Returns 0 or -reason: a fragment that overtook its
 * first one, or whose first was dropped, cannot be judged. */
__noinline int fragment_resolve(struct packet* packet) {
    struct weir_fragment_key key;
    struct weir_fragment* first;

    if (!packet) return -WEIR_DROP_FRAGMENT_ORPHAN;
    fragment_key(packet, &key);
    first = bpf_map_lookup_elem(&weir_fragments, &key);
    if (!first) first = bpf_map_lookup_elem(&weir_crowded_fragments, &key);
    if (!first) return -WEIR_DROP_FRAGMENT_ORPHAN;
    packet->source_port = first->source_port;
    packet->destination_port = first->destination_port;
    packet->icmp_type = first->icmp_type;
    packet->opening = first->opening;
    return 0;
}

/* Called once the first fragment is let by at the slot's hook. On a same-node flow the second hook
 * finds what the first one left: the datagram counts for its sender. */
__noinline int fragment_remember(const struct packet* packet, __u32 slot, __u64 now) {
    struct weir_fragment_key key;
    struct weir_fragment first = {};
    struct weir_fragment* known;

    if (!packet) return 0;
    fragment_key(packet, &key);
    first.source_port = packet->source_port;
    first.destination_port = packet->destination_port;
    first.icmp_type = packet->icmp_type;
    first.opening = packet->opening;
    known = bpf_map_lookup_elem(&weir_fragments, &key);
    if (!known) known = bpf_map_lookup_elem(&weir_crowded_fragments, &key);
    if (known)
        *known = first;
    else if (likely(load_fragment(slot, now)))
        bpf_map_update_elem(&weir_fragments, &key, &first, BPF_ANY);
    else
        bpf_map_update_elem(&weir_crowded_fragments, &key, &first, BPF_ANY);
    return 0;
}

#endif
