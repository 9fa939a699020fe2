/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What leaves the kernel: counters of every packet, events of some. */
#ifndef WEIR_BPF_EVENT_H
#define WEIR_BPF_EVENT_H

#include "parse.h"

struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, WEIR_COUNTERS);
    __type(key, __u32);
    __type(value, struct weir_counter);
} weir_counters SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_RINGBUF);
    __uint(max_entries, 1024 * 1024);
} weir_events SEC(".maps");

/* Bytes that may wait before the agent is woken; it also looks by itself several times a second. */
const volatile __u32 event_wakeup_bytes = 256 * 1024;

static __always_inline void counter_add(__u32 index, __u32 packets, __u32 bytes) {
    struct weir_counter* counter = bpf_map_lookup_elem(&weir_counters, &index);

    if (!counter) return;
    counter->packets += packets;
    counter->bytes += bytes;
}

/* stands_for: how many events it is for; 0: none, it is held back. */
static __always_inline struct weir_event* event_reserve(__u32 stands_for) {
    struct weir_event* event;

    if (!stands_for) return 0;
    event = bpf_ringbuf_reserve(&weir_events, sizeof(*event), 0);
    if (!event) counter_add(WEIR_COUNTER_EVENTS_LOST, stands_for, 0);
    return event;
}

/* A wakeup costs as much as ten events, so there is one whenever so many more of them wait, not one
 * an event. Another CPU's event may hide that moment: then the next such moment serves. */
static __always_inline void event_submit(struct weir_event* event) {
    __u64 waiting = bpf_ringbuf_query(&weir_events, BPF_RB_AVAIL_DATA);
    int is_urgent = waiting >= event_wakeup_bytes &&
                    waiting % event_wakeup_bytes < sizeof(*event) + BPF_RINGBUF_HDR_SZ;

    bpf_ringbuf_submit(event, is_urgent ? BPF_RB_FORCE_WAKEUP : BPF_RB_NO_WAKEUP);
}

#endif
