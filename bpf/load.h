/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What one pod may take of what all share, so that a flood from it costs only itself: unanswered
 * and answered flows, datagrams in fragments, room in the ring buffer. In windows of 2^30 ns,
 * answered flows in windows of 2^36 ns: the table of answered flows must outlast the pauses in
 * them. */
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

/* Flows that an endpoint may move to weir_flows in a long window. The loader sets it. */
const volatile __u32 load_answered_share = 32768;
/* Datagrams in fragments that an endpoint may have in weir_fragments in a window. */
const volatile __u32 load_fragment_share = 2048;

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
        load->fragments = 0;
    }
    return load;
}

/* The endpoint opens a flow. Returns how many unanswered ones it opened in this window before. */
static __always_inline __s32 load_open(__u32 slot, __u64 now) {
    struct weir_load* load = load_of(slot, now);

    return load ? __sync_fetch_and_add(&load->opened, 1) : 0;
}

/* Unanswered flows that the endpoint opened in this window. */
static __always_inline __s32 load_opened(__u32 slot, __u64 now) {
    struct weir_load* load = load_of(slot, now);

    return load ? load->opened : 0;
}

/* A flow that the endpoint opened was answered. Returns whether it is within the share of the
 * answered ones: then it is none of the unanswered ones any more. */
static __always_inline int load_answer(__u32 slot, __u64 now) {
    struct weir_load* load = bpf_map_lookup_elem(&weir_loads, &slot);
    __u32 window = now >> 36;

    if (!load) return 1;
    if (unlikely(load->answered_window != window)) {
        load->answered_window = window;
        load->answered = 0;
    }
    if (unlikely(load->answered >= load_answered_share)) return 0;
    __sync_fetch_and_add(&load->answered, 1);
    if (load->opened > 0) __sync_fetch_and_add(&load->opened, -1);
    return 1;
}

/* The endpoint let a first fragment by. Returns whether it is within its share. */
static __always_inline int load_fragment(__u32 slot, __u64 now) {
    struct weir_load* load = load_of(slot, now);

    return !load || __sync_fetch_and_add(&load->fragments, 1) < load_fragment_share;
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
