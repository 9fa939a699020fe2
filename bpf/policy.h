/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* The compiled policy: peer address -> class, (table, class or its parent) -> row, row and
 * port -> verdict. */
#ifndef WEIR_BPF_POLICY_H
#define WEIR_BPF_POLICY_H

#include "parse.h"

/* The sizes below are defaults; the loader sets max_entries from its configuration. */
struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __uint(max_entries, 262144);
    __type(key, struct weir_address);
    __type(value, struct weir_peer);
} weir_peers SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_LPM_TRIE);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __uint(max_entries, 65536);
    __type(key, struct weir_prefix);
    __type(value, __u32);
} weir_prefixes SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(map_flags, BPF_F_MMAPABLE);
    __uint(max_entries, 16384);
    __type(key, __u32);
    __type(value, struct weir_row);
} weir_tables SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 262144);
    __type(key, struct weir_rule_key);
    __type(value, struct weir_row);
} weir_rules SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(map_flags, BPF_F_MMAPABLE);
    __uint(max_entries, 262144);
    __type(key, __u32);
    __type(value, struct weir_interval);
} weir_rows SEC(".maps");

static __always_inline __u32 policy_class(const struct weir_address* address) {
    struct weir_prefix prefix = {.prefix_length = 128};
    struct weir_peer* peer;
    __u32* class_id;

    /* Before 6.2 a global function's argument is no map key: "R2 type=mem expected=fp, pkt, ...".
     * The prefix's copy serves both maps, the stack is short. */
    __builtin_memcpy(&prefix.address, address, sizeof(prefix.address));
    peer = bpf_map_lookup_elem(&weir_peers, &prefix.address);
    if (peer) return peer->class_id;
    class_id = bpf_map_lookup_elem(&weir_prefixes, &prefix);
    return class_id ? *class_id : WEIR_CLASS_NONE;
}

/* The last interval of the row that starts at or before the port. */
static __always_inline int policy_search(const struct weir_row* row, __u32 port_key,
                                         __u32* verdict) {
    __u32 low = 0, high = row->count, i;

    /* Invariant: the interval at low starts at or before the port, the one at high after it. 16
     * halvings end it for WEIR_ROW_MAX_INTERVALS. */
    for (i = 0; i < 16 && high - low > 1; i++) {
        __u32 middle = low + (high - low) / 2;
        __u32 index = row->offset + middle;
        struct weir_interval* interval = bpf_map_lookup_elem(&weir_rows, &index);

        if (!interval) return -WEIR_DROP_DANGLING_ID;
        if (interval->start <= port_key)
            low = middle;
        else
            high = middle;
    }
    low += row->offset;
    {
        struct weir_interval* interval = bpf_map_lookup_elem(&weir_rows, &low);

        if (!interval) return -WEIR_DROP_DANGLING_ID;
        *verdict = interval->verdict;
    }
    return 0;
}

/* What the table says of a flow with this peer to this port. Returns 0 with *verdict (rule id and
 * WEIR_VERDICT_DENY), or -reason. Its own function, so that the verifier checks it once. */
__noinline int policy_decide(__u32 table, const struct weir_address* peer, __u32 port_key,
                             __u32* verdict) {
    struct weir_rule_key key = {.table = table};
    struct weir_row* row = 0;
    struct weir_row copy;
    __u32 parent;

    if (!peer || !verdict) return -WEIR_DROP_DANGLING_ID;
    key.class_id = policy_class(peer);
    parent = WEIR_CLASS_PARENT(key.class_id);
    if (key.class_id != parent) {
        row = bpf_map_lookup_elem(&weir_rules, &key);
        key.class_id = parent;
    }
    if (!row && parent != WEIR_CLASS_NONE) row = bpf_map_lookup_elem(&weir_rules, &key);
    if (!row) row = bpf_map_lookup_elem(&weir_tables, &table);
    if (!row || !row->count) return -WEIR_DROP_DANGLING_ID;
    copy = *row;
    return policy_search(&copy, port_key, verdict);
}

#endif
