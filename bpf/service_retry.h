/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* A backend that does not answer a handshake: when a pod sends the SYN again, the connection gets
 * another one. For its socket the peer stays the first: from here on the pod's hooks translate this
 * flow alone, as they do what a pod sends to a service's address, and policy judges the new
 * backend. Only for connections that got their backend from a service when they were made: the
 * socket is found by its cookie. */
#ifndef WEIR_BPF_SERVICE_RETRY_H
#define WEIR_BPF_SERVICE_RETRY_H

#include <bpf/bpf_core_read.h>

#include "nat_life.h"
#include "nat_open.h"
#include "service_choice.h"
#include "socket_table.h"

/* What of the kernel's own this file reads: a socket's network namespace. */
struct net {
    __u64 net_cookie;
} __attribute__((preserve_access_index));

struct sock_common {
    struct {
        struct net* net;
    } skc_net;
} __attribute__((preserve_access_index));

struct sock {
    struct sock_common __sk_common;
} __attribute__((preserve_access_index));

/* Draws before the slots are walked: most services have more backends than the dead one. */
#define RETRY_DRAWS 8

/* A connection in its handshake. */
struct retry {
    struct weir_nat_key key;         /* its packets as the socket sends them */
    struct weir_flow_key flow;       /* as the backend that does not answer gets them */
    struct weir_nat_key flow_answer; /* in a flow that was moved before: its answers' element */
};

struct retry_walk {
    struct weir_nat_key key;
    __u32 first; /* of the range */
    __u32 count;
    __u32 start; /* from the first */
    __u32 given_up;
    __u32 backend; /* the result */
};

/* Of a packet as the pod sends it. Returns whether it is whole TCP. */
static __noinline int retry_key_of(struct __sk_buff* skb, struct weir_nat_key* key) {
    struct packet packet = {};

    if (!packet_parse_fast(skb, &packet) || packet.protocol != IPPROTO_TCP) return 0;
    nat_key_of(&packet, key);
    return 1;
}

/* Whether the packet is for the backend that the socket was given. */
static __always_inline int retry_is_to(const struct weir_socket* socket,
                                       const struct weir_nat_key* key) {
    const struct weir_backend* backend = backend_lookup(socket->backend, socket->generation);

    return backend && backend->port == key->destination_port &&
           address_equals(&backend->address, &key->destination);
}

/* Whether an earlier SYN went to this backend in vain. Not when policy denies the first backend,
 * which another would not mend. */
static __always_inline int retry_is_due(struct retry* retry, const struct weir_socket* socket) {
    struct weir_nat* moved = bpf_map_lookup_elem(&weir_nat, &retry->key);
    const struct weir_flow* flow;

    if (moved && (moved->flags & WEIR_NAT_MOVED) && moved->backend == socket->backend &&
        moved->generation == socket->generation) {
        moved->last_used = bpf_ktime_get_coarse_ns(); /* it serves this SYN, if no other does */
        nat_answer_key(moved, IPPROTO_TCP, &retry->flow_answer);
        flow_key(&moved->source, &moved->destination, moved->source_port, moved->destination_port,
                 IPPROTO_TCP, &retry->flow);
    } else {
        if (socket->is_moved || !retry_is_to(socket, &retry->key)) return 0;
        flow_key(&retry->key.source, &retry->key.destination, retry->key.source_port,
                 retry->key.destination_port, IPPROTO_TCP, &retry->flow);
    }
    flow = bpf_map_lookup_elem(&weir_new_flows, &retry->flow);
    if (!flow) /* denied by policy, unless it was answered and lives elsewhere by now */
        return retry->flow_answer.protocol && !bpf_map_lookup_elem(&weir_flows, &retry->flow);
    return (flow->state & WEIR_FLOW_EGRESS_LOCAL) && !flow->packets[1];
}

/* Not the one given up, nor the socket's peer, which was before; nor the pod itself, which it would
 * not reach through its interface. */
static __always_inline int retry_takes(const struct weir_backend* backend, __u32 id,
                                       const struct retry_walk* walk) {
    const struct weir_nat_key* key = &walk->key;

    if (id == walk->given_up || address_equals(&backend->address, &key->source)) return 0;
    if (backend->port == key->destination_port &&
        address_equals(&backend->address, &key->destination))
        return 0;
    return address_is_mapped_v4(&backend->address) == address_is_mapped_v4(&key->destination);
}

static __always_inline int retry_try(struct retry_walk* walk, __u32 slot) {
    __u32 id = 0;
    struct weir_backend* backend = slot_backend(walk->first + slot, &id);

    if (!backend || !retry_takes(backend, id, walk) || !backend_take(backend)) return 0;
    walk->backend = id;
    return 1;
}

static long retry_step(__u64 index, struct retry_walk* walk) {
    __u32 slot = walk->start + (__u32)index;

    return retry_try(walk, slot < walk->count ? slot : slot - walk->count);
}

/* Another backend of the socket's service, by weight; it is taken. Returns its id, or 0. */
static __noinline __u32 retry_choose(const struct weir_socket* socket,
                                     const struct weir_nat_key* key) {
    struct weir_service_key frontend = {
        .address = socket->frontend, .port = socket->port, .protocol = IPPROTO_TCP};
    struct retry_walk walk = {.key = *key, .given_up = socket->backend};
    const struct weir_service* service = service_lookup(&frontend);
    int i;

    if (!service || !service->slot_count) return 0;
    walk.first = service->first_slot;
    walk.count = service->slot_count;
    for (i = 0; i < RETRY_DRAWS; i++)
        if (retry_try(&walk, choice_draw(service) - walk.first)) return walk.backend;
    walk.start = choice_draw(service) - walk.first;
    bpf_loop(walk.count < CHOICE_WALK ? walk.count : CHOICE_WALK, retry_step, &walk, 0);
    return walk.backend;
}

/* The pod's hooks find the flow with its new backend, and the old one's no more: what the first may
 * yet answer is dropped, and what one between them answers is no flow's that the pod has. Returns
 * whether there was room. */
static __noinline int retry_translate(struct retry* retry, const struct weir_backend* backend,
                                      __u32 id) {
    struct weir_uplink_nat* scratch = nat_scratch();
    struct weir_nat* forward = &scratch->nat;

    if (!scratch) return 0;
    forward->source = retry->key.source;
    forward->destination = backend->address;
    forward->source_port = retry->key.source_port;
    forward->destination_port = backend->port;
    forward->backend = id;
    forward->generation = backend->generation;
    forward->flags = WEIR_NAT_MOVED;
    forward->tick = bpf_jiffies64();
    forward->last_used = bpf_ktime_get_coarse_ns();
    if (!nat_open(&retry->key, forward)) return 0;
    if (retry->flow_answer.protocol) bpf_map_delete_elem(&weir_nat, &retry->flow_answer);
    flow_forget(&retry->flow);
    /* An earlier connection's with the new backend, which is over. */
    flow_key(&forward->source, &forward->destination, forward->source_port,
             forward->destination_port, IPPROTO_TCP, &retry->flow);
    flow_forget(&retry->flow);
    return 1;
}

/* A client with affinity stays where it was answered. Clients of connect() are known by their
 * network namespace. */
static __noinline int retry_remember(struct __sk_buff* skb, __u32 id) {
    struct weir_backend* backend = bpf_map_lookup_elem(&weir_backends, &id);
    struct weir_affinity_key client = {};
    const struct sock* socket;

    if (!backend || !skb->sk) return 0;
    socket = (void*)bpf_skc_to_tcp_sock(skb->sk);
    if (!socket) return 0;
    client.service = backend->service;
    affinity_client_netns(&client.client,
                          BPF_CORE_READ(socket, __sk_common.skc_net.net, net_cookie),
                          address_is_mapped_v4(&backend->address));
    if (!bpf_map_lookup_elem(&weir_affinities, &client)) return 0;
    affinity_remember(&client, id, backend, bpf_ktime_get_coarse_ns());
    return 0;
}

/* Once for each handshake with a backend, unless the socket's timer said so (service_health.h). */
static __always_inline void retry_note_failure(struct weir_socket* socket) {
    struct weir_backend* backend = backend_lookup(socket->backend, socket->generation);

    if (!backend || socket->has_failed) return;
    socket->has_failed = 1;
    __sync_fetch_and_add(&backend->failed, 1);
}

/* Records the backend, which was taken, in place of the one that does not answer. */
static __always_inline int retry_record(struct weir_socket* socket, socket_word before, __u32 id,
                                        const struct weir_backend* backend) {
    struct socket_use use = {id, backend->generation};

    if (!__sync_bool_compare_and_swap((socket_word*)&socket->backend, before, *(socket_word*)&use))
        return 0;
    socket_give_back(before);
    socket->is_moved = 1;
    socket->has_failed = 0;
    return 1;
}

/* A SYN of the pod that is sent again, or may be. Gives its connection another backend if there is
 * one: the packet is translated as any that a pod sends to a service. */
static __noinline int service_retry(struct __sk_buff* skb) {
    struct weir_socket* socket = socket_find_in_set(bpf_get_socket_cookie(skb));
    struct retry retry = {};
    struct weir_backend* backend;
    socket_word before;
    __u32 id;

    if (!socket || !socket->backend || !retry_key_of(skb, &retry.key)) return 0;
    before = *(volatile socket_word*)&socket->backend;
    if (!retry_is_due(&retry, socket)) return 0;
    retry_note_failure(socket);
    id = retry_choose(socket, &retry.key);
    backend = bpf_map_lookup_elem(&weir_backends, &id);
    if (!id || !backend) return 0;
    if (!retry_translate(&retry, backend, id)) {
        backend_release(backend);
        service_count(WEIR_SERVICE_NAT_FULL);
        return 0;
    }
    if (!retry_record(socket, before, id, backend)) { /* closed meanwhile */
        backend_release(backend);
        return 0;
    }
    __sync_fetch_and_add(&backend->opened, 1);
    retry_remember(skb, id);
    service_count(WEIR_SERVICE_RETRIED);
    return 1;
}

#endif
