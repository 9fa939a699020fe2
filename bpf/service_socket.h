/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What a connected socket was given: in the table, and for the few that find their set full in the
 * socket itself. Nobody's traffic evicts another's. */
#ifndef WEIR_BPF_SERVICE_SOCKET_H
#define WEIR_BPF_SERVICE_SOCKET_H

#include "socket_table.h"

struct {
    __uint(type, BPF_MAP_TYPE_SK_STORAGE);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __type(key, int);
    __type(value, struct weir_socket);
} weir_spilled SEC(".maps");

static __always_inline struct weir_socket* socket_find(struct bpf_sock_addr* ctx) {
    struct weir_socket* socket = socket_find_in_set(bpf_get_socket_cookie(ctx));

    return socket ? socket : bpf_sk_storage_get(&weir_spilled, ctx->sk, 0, 0);
}

/* The socket is locked: no two threads connect it at once. Sockets of one set take their places by
 * compare and exchange. */
static __always_inline struct weir_socket* socket_make(struct bpf_sock_addr* ctx) {
    __u64 cookie = bpf_get_socket_cookie(ctx);
    struct weir_socket_set* set = socket_set(cookie);
    int i, way;

    if (set) {
        way = socket_way(set, cookie);
        if (way >= 0) return &set->sockets[way & (WEIR_SOCKET_WAYS - 1)];
        for (i = 0; i < WEIR_SOCKET_WAYS; i++) {
            way = (cookie + i) % WEIR_SOCKET_WAYS;
            if (!__sync_val_compare_and_swap(&set->cookies[way], 0, cookie))
                return &set->sockets[way];
        }
    }
    return bpf_sk_storage_get(&weir_spilled, ctx->sk, 0, BPF_SK_STORAGE_GET_F_CREATE);
}

/* Whether it was recorded. */
static __always_inline int socket_record(struct bpf_sock_addr* ctx,
                                         const struct weir_service_key* frontend, __u32 id,
                                         const struct weir_backend* backend) {
    struct weir_socket* socket = socket_make(ctx);

    if (unlikely(!socket)) return 0;
    if (unlikely(socket->use.backend)) socket_release(socket);
    socket->frontend = frontend->address;
    socket->port = frontend->port;
    socket->is_moved = 0;
    socket->has_failed = 0;
    socket->use = (union weir_use){{id, backend->generation}};
    return 1;
}

/* If the peer is the backend that the socket was given, the frontend takes its place. One that was
 * moved to another backend (service_retry.h) has the first as its peer. */
static __always_inline int socket_show_frontend(struct bpf_sock_addr* ctx,
                                                struct weir_service_key* peer) {
    struct weir_socket* socket = socket_find(ctx);
    struct weir_backend* backend;

    backend = socket ? socket_backend(socket) : 0;
    if (!backend) return 0;
    if (!socket->is_moved &&
        (backend->port != peer->port || !address_equals(&backend->address, &peer->address)))
        return 0;
    peer->address = socket->frontend;
    peer->port = socket->port;
    return 1;
}

#endif
