/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What one pod may take of what all share, so that a flood from it costs only itself: unanswered
 * flows, and room in the ring buffer. In windows of 2^30 ns. */
#ifndef WEIR_BPF_LOAD_H
#define WEIR_BPF_LOAD_H

#include "parse.h"

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, WEIR_MAX_PODS + 1);
    __type(key, __u32);
    __type(value, struct weir_load);
} weir_loads SEC(".maps");

/* Events of one kind that an endpoint reports singly in a window; after that, one for so many. */
const volatile __u32 load_event_burst = 1024;
const volatile __u32 load_event_sampling = 64;

/* The endpoint's load in the current window. Two CPUs that open a window at once may lose a few
 * counts of its start: these are limits, not figures. held_back lasts over windows. */
static __always_inline struct weir_load* load_of(__u32 slot, __u64 now) {
    __u32 key = slot < WEIR_MAX_PODS ? slot : WEIR_MAX_PODS;
    struct weir_load* load = bpf_map_lookup_elem(&weir_loads, &key);
    __u32 window = now >> 30;

    if (load && unlikely(load->window != window)) {
        load->window = window;
        load->opened = 0;
        load->events[WEIR_FLOOD_FLOWS] = 0;
        load->events[WEIR_FLOOD_DENIED] = 0;
    }
    return load;
}

/* The endpoint opens a flow. Returns how many unanswered ones it opened in this window before. */
static __always_inline __s32 load_open(__u32 slot, __u64 now) {
    struct weir_load* load = load_of(slot, now);

    return load ? __sync_fetch_and_add(&load->opened, 1) : 0;
}

/* A flow that the endpoint opened was answered. */
static __always_inline void load_answered(__u32 slot) {
    struct weir_load* load = bpf_map_lookup_elem(&weir_loads, &slot);

    if (load && load->opened > 0) __sync_fetch_and_add(&load->opened, -1);
}

/* How many events the one at hand stands for when it is reported; 0: it is held back, and the next
 * one reported counts it. flood: enum weir_event_flood. */
static __always_inline __u32 load_report(__u32 slot, __u32 flood, __u64 now) {
    struct weir_load* load = load_of(slot, now);
    __u32 count;

    if (!load) return 1;
    count = __sync_fetch_and_add(&load->events[flood], 1);
    if (likely(count < load_event_burst) || count % load_event_sampling == 0)
        return 1 + __sync_lock_test_and_set(&load->held_back[flood], 0);
    __sync_fetch_and_add(&load->held_back[flood], 1);
    return 0;
}

#endif
