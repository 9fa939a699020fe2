// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * Handshakes of the connections that service.bpf.c gave a backend: what they say of the backend's
 * health, and which backend is next when one does not answer.
 */
#include "service_health.h"
#include "service_retry.h"

/* From the first SYN on, of connections that were given a backend: the others' timeouts and states
 * call nobody. */
static __always_inline void handshake_watch(struct bpf_sock_ops* ctx) {
    struct weir_socket* socket = socket_find_in_set(bpf_get_socket_cookie(ctx));
    int flags = BPF_SOCK_OPS_RTO_CB_FLAG;

    if (!socket || !socket->backend) return;
    if (health_is_watched) flags |= BPF_SOCK_OPS_STATE_CB_FLAG;
    socket->has_failed = 0;
    bpf_sock_ops_cb_flags_set(ctx, ctx->bpf_sock_ops_cb_flags | flags);
}

/* The SYN is about to be sent again, or given up. */
static __always_inline void handshake_without_answer(struct bpf_sock_ops* ctx) {
    struct weir_socket* socket = socket_find_in_set(bpf_get_socket_cookie(ctx));

    if (!socket) return;
    health_handshake_failed(socket);
    if (!ctx->args[2]) retry_handshake(ctx, socket);
}

SEC("sockops")
int weir_sock_ops(struct bpf_sock_ops* ctx) {
    switch (ctx->op) {
        case BPF_SOCK_OPS_TCP_CONNECT_CB:
            handshake_watch(ctx);
            break;
        case BPF_SOCK_OPS_RTO_CB:
            if (ctx->state == BPF_TCP_SYN_SENT) handshake_without_answer(ctx);
            break;
        case BPF_SOCK_OPS_STATE_CB:
            health_note_state(ctx);
            break;
    }
    ctx->reply = -1; /* no opinion, where one is asked for */
    return 1;
}

/* Kernel helpers that this file uses are for GPL-compatible programs. */
char LICENSE[] SEC("license") = "Dual BSD/GPL";
