/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What a connected socket was given. It lies in the socket: found without a hash, freed with it. */
#ifndef WEIR_BPF_SERVICE_SOCKET_H
#define WEIR_BPF_SERVICE_SOCKET_H

#include "service_backend.h"

struct {
    __uint(type, BPF_MAP_TYPE_SK_STORAGE);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __type(key, int);
    __type(value, struct weir_socket);
} weir_sockets SEC(".maps");

static __always_inline struct weir_socket* socket_state(struct bpf_sock_addr* ctx) {
    return bpf_sk_storage_get(&weir_sockets, ctx->sk, 0, 0);
}

/* The connection is over, or the socket connects to something else. */
static __always_inline void socket_release(struct weir_socket* socket) {
    struct weir_backend* backend = backend_lookup(socket->backend, socket->generation);

    socket->backend = 0;
    if (backend) backend_release(backend);
}

/* Whether it was recorded. */
static __always_inline int socket_record(struct bpf_sock_addr* ctx,
                                         const struct weir_service_key* frontend, __u32 id,
                                         const struct weir_backend* backend) {
    struct weir_socket* socket =
        bpf_sk_storage_get(&weir_sockets, ctx->sk, 0, BPF_SK_STORAGE_GET_F_CREATE);

    if (unlikely(!socket)) return 0;
    if (unlikely(socket->backend)) socket_release(socket);
    socket->frontend = frontend->address;
    socket->port = frontend->port;
    socket->generation = backend->generation;
    socket->backend = id;
    return 1;
}

/* If the peer is the backend that the socket was given, the frontend takes its place. */
static __always_inline int socket_show_frontend(struct bpf_sock_addr* ctx,
                                                struct weir_service_key* peer) {
    struct weir_socket* socket = socket_state(ctx);
    struct weir_backend* backend;

    if (!socket || !socket->backend) return 0;
    backend = backend_lookup(socket->backend, socket->generation);
    if (!backend || backend->port != peer->port ||
        !address_equals(&backend->address, &peer->address))
        return 0;
    peer->address = socket->frontend;
    peer->port = socket->port;
    return 1;
}

#endif
