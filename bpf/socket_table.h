/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What sockets were given, by cookie: a table of small sets. */
#ifndef WEIR_BPF_SOCKET_TABLE_H
#define WEIR_BPF_SOCKET_TABLE_H

#include "service_backend.h"

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(map_flags, BPF_F_MMAPABLE);
    __uint(max_entries, WEIR_SOCKET_SETS);
    __type(key, __u32);
    __type(value, struct weir_socket_set);
} weir_sockets SEC(".maps");

/* Cookies in a row share a set, and so a cache line that is warm. */
static __always_inline struct weir_socket_set* socket_set(__u64 cookie) {
    __u32 index = (cookie / WEIR_SOCKET_WAYS) % WEIR_SOCKET_SETS;

    return bpf_map_lookup_elem(&weir_sockets, &index);
}

/* The place in the set that is the cookie's, or -1. */
static __always_inline int socket_way(const struct weir_socket_set* set, __u64 cookie) {
    int i;

#pragma unroll
    for (i = 0; i < WEIR_SOCKET_WAYS; i++) {
        if (set->cookies[i] == cookie) return i;
    }
    return -1;
}

static __always_inline struct weir_socket* socket_find_in_set(__u64 cookie) {
    struct weir_socket_set* set = socket_set(cookie);
    int way = set ? socket_way(set, cookie) : -1;

    return way < 0 ? 0 : &set->sockets[way & (WEIR_SOCKET_WAYS - 1)];
}

/* Gives back what was taken out of a socket. */
static __always_inline void socket_give_back(union weir_use use) {
    struct weir_backend* backend = backend_lookup(use.backend, use.generation);

    if (backend) backend_release(backend);
}

/* The connection is over, or the socket connects to something else. */
static __always_inline void socket_release(struct weir_socket* socket) {
    union weir_use use = {.word = __sync_lock_test_and_set(&socket->use.word, 0)};

    socket_give_back(use);
}

static __always_inline struct weir_backend* socket_backend(const struct weir_socket* socket) {
    return backend_lookup(socket->use.backend, socket->use.generation);
}

#endif
