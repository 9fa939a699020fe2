/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* The services to which an unconnected UDP socket sends: each keeps its backend, and a reply comes
 * from the service. They lie in the socket, so that nobody else's traffic evicts them. */
#ifndef WEIR_BPF_SERVICE_DATAGRAM_H
#define WEIR_BPF_SERVICE_DATAGRAM_H

#include "service_backend.h"

struct {
    __uint(type, BPF_MAP_TYPE_SK_STORAGE);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __type(key, int);
    __type(value, struct weir_datagrams);
} weir_datagrams SEC(".maps");

/* In units of 2^30 ns: what conntrack gives a UDP flow with replies. */
#define DATAGRAM_IDLE 120

static __always_inline int datagram_is_to(const struct weir_datagram_peer* peer,
                                          const struct weir_service_key* frontend) {
    return peer->backend && peer->port == frontend->port &&
           address_equals(&peer->frontend, &frontend->address);
}

/* The backend that the socket's datagrams to this frontend go to; 0: none yet, or none any more. */
static __always_inline struct weir_backend* datagram_find(struct bpf_sock_addr* ctx,
                                                          const struct weir_service_key* frontend,
                                                          __u32 now) {
    struct weir_datagrams* datagrams = bpf_sk_storage_get(&weir_datagrams, ctx->sk, 0, 0);
    struct weir_datagram_peer* peer;
    struct weir_backend* backend;
    int i;

    if (!datagrams) return 0;
    for (i = 0; i < WEIR_DATAGRAM_PEERS; i++) {
        peer = &datagrams->peers[i];
        if (!datagram_is_to(peer, frontend)) continue;
        backend = backend_lookup(peer->backend, peer->generation);
        if (!backend || backend->state != WEIR_BACKEND_ACTIVE ||
            now - peer->last_sent > DATAGRAM_IDLE)
            return 0;
        peer->last_sent = now;
        return backend;
    }
    return 0;
}

/* Two threads may send from one socket at once: each writes a place of its own, which counts only
 * when all of it is there. Whether it was recorded. */
static __always_inline int datagram_record(struct bpf_sock_addr* ctx,
                                           const struct weir_service_key* frontend, __u32 id,
                                           const struct weir_backend* backend, __u32 now) {
    struct weir_datagrams* datagrams =
        bpf_sk_storage_get(&weir_datagrams, ctx->sk, 0, BPF_SK_STORAGE_GET_F_CREATE);
    struct weir_datagram_peer* peer;
    __u32 place = WEIR_DATAGRAM_PEERS;
    int i;

    if (!datagrams) return 0;
    for (i = 0; i < WEIR_DATAGRAM_PEERS; i++) {
        if (datagram_is_to(&datagrams->peers[i], frontend)) place = i;
    }
    if (place == WEIR_DATAGRAM_PEERS) place = __sync_fetch_and_add(&datagrams->next, 1);
    peer = &datagrams->peers[place % WEIR_DATAGRAM_PEERS];
    *(volatile __u32*)&peer->backend = 0;
    peer->frontend = frontend->address;
    peer->port = frontend->port;
    peer->generation = backend->generation;
    peer->last_sent = now;
    *(volatile __u32*)&peer->backend = id;
    return 1;
}

/* If the sender is a backend that the socket sent to, the frontend takes its place. */
static __always_inline int datagram_show_frontend(struct bpf_sock_addr* ctx,
                                                  struct weir_service_key* sender) {
    struct weir_datagrams* datagrams = bpf_sk_storage_get(&weir_datagrams, ctx->sk, 0, 0);
    struct weir_datagram_peer* peer;
    struct weir_backend* backend;
    int i;

    if (!datagrams) return 0;
    for (i = 0; i < WEIR_DATAGRAM_PEERS; i++) {
        peer = &datagrams->peers[i];
        backend = backend_lookup(peer->backend, peer->generation);
        if (!backend || backend->port != sender->port ||
            !address_equals(&backend->address, &sender->address))
            continue;
        sender->address = peer->frontend;
        sender->port = peer->port;
        return 1;
    }
    return 0;
}

#endif
