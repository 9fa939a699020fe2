/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What the kernel sees of a backend's health: handshakes that fail, connections reset before the
 * backend said anything. TCP only. A process that gives up by itself closes its socket first, and
 * then the socket has no backend any more: that is no failure. */
#ifndef WEIR_BPF_SERVICE_HEALTH_H
#define WEIR_BPF_SERVICE_HEALTH_H

#include "service_socket.h"

/* From the first SYN on, of connections that were given a backend: nobody else pays. */
static __always_inline void health_watch(struct bpf_sock_ops* ctx) {
    struct weir_socket* socket = socket_find_in_set(bpf_get_socket_cookie(ctx));

    if (!socket || !socket->use.backend) return;
    bpf_sock_ops_cb_flags_set(
        ctx, ctx->bpf_sock_ops_cb_flags | BPF_SOCK_OPS_STATE_CB_FLAG | BPF_SOCK_OPS_RTO_CB_FLAG);
}

/* Once for each handshake: a SYN without an answer in time, a RST, or an ICMP error. */
static __always_inline void health_handshake_failed(struct weir_socket* socket,
                                                    struct weir_backend* backend) {
    if (socket->has_failed) return;
    socket->has_failed = 1;
    __sync_fetch_and_add(&backend->failures, 1);
    __sync_fetch_and_add(&backend->failed, 1);
}

/* The socket remembers what it ends: a backend that accepts and resets each time fails each time.
 */
static __always_inline void health_connected(struct weir_socket* socket,
                                             struct weir_backend* backend) {
    socket->failures = backend->failures < 0xffff ? backend->failures : 0xffff;
    if (socket->failures) backend->failures = 0;
}

static __always_inline void health_reset(const struct weir_socket* socket,
                                         struct weir_backend* backend) {
    __u32 before = backend->failures;

    if (before < socket->failures) before = socket->failures;
    backend->failures = before + 1;
}

static __always_inline void health_note(struct bpf_sock_ops* ctx) {
    struct weir_socket* socket = socket_find_in_set(bpf_get_socket_cookie(ctx));
    struct weir_backend* backend;

    if (!socket) return;
    backend = socket_backend(socket);
    if (!backend) return;
    if (ctx->op == BPF_SOCK_OPS_RTO_CB) {
        if (ctx->state == BPF_TCP_SYN_SENT) health_handshake_failed(socket, backend);
        return;
    }
    if (ctx->args[0] == BPF_TCP_SYN_SENT && ctx->args[1] == BPF_TCP_ESTABLISHED)
        health_connected(socket, backend);
    else if (ctx->args[0] == BPF_TCP_SYN_SENT && ctx->args[1] == BPF_TCP_CLOSE)
        health_handshake_failed(socket, backend);
    else if (ctx->args[0] == BPF_TCP_ESTABLISHED && ctx->args[1] == BPF_TCP_CLOSE &&
             !ctx->bytes_received)
        health_reset(socket, backend);
}

#endif
