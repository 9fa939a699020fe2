/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Slots and the backends in them, and the live count of each backend. */
#ifndef WEIR_BPF_SERVICE_BACKEND_H
#define WEIR_BPF_SERVICE_BACKEND_H

#include "service.h"

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(map_flags, BPF_F_MMAPABLE);
    __uint(max_entries, 524288);
    __type(key, __u32);
    __type(value, __u32);
} weir_slots SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(map_flags, BPF_F_MMAPABLE);
    __uint(max_entries, 131072);
    __type(key, __u32);
    __type(value, struct weir_backend);
} weir_backends SEC(".maps");

/* The backend under this id, if it is still the same one. */
static __always_inline struct weir_backend* backend_lookup(__u32 id, __u32 generation) {
    struct weir_backend* backend = bpf_map_lookup_elem(&weir_backends, &id);

    return backend && id && backend->generation == generation ? backend : 0;
}

/* Whether new connections may go to it. */
static __always_inline int backend_is_usable(const struct weir_backend* backend) {
    return backend->state == WEIR_BACKEND_ACTIVE &&
           (!backend->max_connections || backend->live < backend->max_connections);
}

/* Counts a connection, unless the backend has as many as it may: exact, however many CPUs try. */
static __always_inline int backend_take(struct weir_backend* backend) {
    __u32 before = __sync_fetch_and_add(&backend->live, 1);

    if (likely(!backend->max_connections || before < backend->max_connections)) return 1;
    __sync_fetch_and_add(&backend->live, -1);
    return 0;
}

/* A live count begins anew when the programs were off for a while: sockets from before may find
 * nothing to take back. */
static __always_inline void backend_release(struct weir_backend* backend) {
    if (backend->live) __sync_fetch_and_add(&backend->live, -1);
}

/* The backend of a slot if it is usable, with its id; else 0. */
static __always_inline struct weir_backend* slot_backend(__u32 slot, __u32* id) {
    __u32* found = bpf_map_lookup_elem(&weir_slots, &slot);
    struct weir_backend* backend;

    if (!found) return 0;
    *id = *found;
    backend = bpf_map_lookup_elem(&weir_backends, id);
    return backend && backend_is_usable(backend) ? backend : 0;
}

#endif
