/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What the kernel sees of a backend's health: handshakes that fail, connections reset before the
 * backend said anything. TCP only. A process that gives up by itself closes its socket first, and
 * then the socket has no backend any more: that is no failure. */
#ifndef WEIR_BPF_SERVICE_HEALTH_H
#define WEIR_BPF_SERVICE_HEALTH_H

#include "service_socket.h"

/* Whether somebody asks for ejection: consecutive failures are counted then, with what becomes of a
 * connection after its SYN, a call for each change of its state. The agent sets it. */
volatile __u8 health_is_watched = 0;

static __always_inline struct weir_backend* health_backend(const struct weir_socket* socket) {
    return backend_lookup(socket->backend, socket->generation);
}

/* Once for each handshake with a backend: a SYN without an answer in time, a RST, or an ICMP error.
 */
static __always_inline void health_handshake_failed(struct weir_socket* socket) {
    struct weir_backend* backend = health_backend(socket);

    if (!backend || socket->has_failed) return;
    socket->has_failed = 1;
    if (health_is_watched) __sync_fetch_and_add(&backend->failures, 1);
    __sync_fetch_and_add(&backend->failed, 1);
}

/* The socket remembers what it ends: a backend that accepts and resets each time fails each time.
 */
static __always_inline void health_connected(struct weir_socket* socket) {
    struct weir_backend* backend = health_backend(socket);

    if (!backend) return;
    socket->failures = backend->failures < 0xffff ? backend->failures : 0xffff;
    if (socket->failures) backend->failures = 0;
}

static __always_inline void health_reset(const struct weir_socket* socket) {
    struct weir_backend* backend = health_backend(socket);
    __u32 before;

    if (!backend) return;
    before = backend->failures;
    if (before < socket->failures) before = socket->failures;
    backend->failures = before + 1;
}

static __always_inline void health_note_state(struct bpf_sock_ops* ctx) {
    struct weir_socket* socket = socket_find_in_set(bpf_get_socket_cookie(ctx));

    if (!socket) return;
    if (ctx->args[0] == BPF_TCP_SYN_SENT && ctx->args[1] == BPF_TCP_ESTABLISHED)
        health_connected(socket);
    else if (ctx->args[0] == BPF_TCP_SYN_SENT && ctx->args[1] == BPF_TCP_CLOSE)
        health_handshake_failed(socket);
    else if (ctx->args[0] == BPF_TCP_ESTABLISHED && ctx->args[1] == BPF_TCP_CLOSE &&
             !ctx->bytes_received)
        health_reset(socket);
}

#endif
