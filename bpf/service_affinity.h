/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Session affinity: the backend that a client had last. */
#ifndef WEIR_BPF_SERVICE_AFFINITY_H
#define WEIR_BPF_SERVICE_AFFINITY_H

#include "service_backend.h"

struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, 65536);
    __type(key, struct weir_affinity_key);
    __type(value, struct weir_affinity);
} weir_affinities SEC(".maps");

#define NANOSECONDS 1000000000ull

/* A client that is known by its network namespace, as it is before its socket has an address: a pod
 * has one of its own. No client has a multicast address, so these stand for it. A service of both
 * families has backends of each. */
static __always_inline void affinity_client_netns(struct weir_address* client, __u64 cookie,
                                                  int is_v4) {
    client->halves[0] = 0;
    client->bytes[0] = 0xff;
    client->bytes[1] = is_v4 ? 4 : 6;
    client->halves[1] = cookie;
}

/* The client's backend, if it used the service within its time and the backend is usable: from now
 * on it is for as long again. Returns its id, or 0. */
static __always_inline __u32 affinity_lookup(const struct weir_affinity_key* key, __u32 seconds,
                                             __u64 now) {
    struct weir_affinity* affinity = bpf_map_lookup_elem(&weir_affinities, key);
    struct weir_backend* backend;

    if (!affinity || now - affinity->last_used > seconds * NANOSECONDS) return 0;
    backend = backend_lookup(affinity->backend, affinity->generation);
    if (!backend || backend->service != key->service || !backend_is_usable(backend)) return 0;
    affinity->last_used = now;
    return affinity->backend;
}

static __always_inline void affinity_remember(const struct weir_affinity_key* key, __u32 id,
                                              const struct weir_backend* backend, __u64 now) {
    struct weir_affinity affinity = {
        .last_used = now, .backend = id, .generation = backend->generation};

    bpf_map_update_elem(&weir_affinities, key, &affinity, BPF_ANY);
}

#endif
