/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* A backend that does not answer a handshake: before the SYN is sent again, the connection gets
 * another one. For its socket the peer stays the first: from here on the pod's hooks translate this
 * flow alone, as they do what a pod sends to a service's address, and policy judges the new
 * backend. Only for connections that got their backend from a service, and only from pods: what the
 * node's own processes send passes no hook that could translate it. */
#ifndef WEIR_BPF_SERVICE_RETRY_H
#define WEIR_BPF_SERVICE_RETRY_H

#include "nat_life.h"
#include "nat_open.h"
#include "service_choice.h"
#include "service_socket.h"

/* Draws before the slots are walked: most services have more backends than the dead one. */
#define RETRY_DRAWS 8

/* A connection in its handshake. */
struct retry {
    struct weir_nat_key key;         /* its packets as the socket sends them */
    struct weir_flow_key flow;       /* as the backend that does not answer gets them */
    struct weir_nat_key flow_answer; /* in a flow that was moved before: its answers' element */
    struct weir_nat forward;         /* what becomes of them */
};

struct retry_walk {
    struct weir_nat_key key;
    __u32 first; /* of the range */
    __u32 count;
    __u32 start; /* from the first */
    __u32 given_up;
    __u32 backend; /* the result */
};

/* The socket's family is that of its addresses: IPv4 on an IPv6 socket is mapped. */
static __always_inline void retry_key_of(struct bpf_sock_ops* ctx, struct weir_nat_key* key) {
    if (ctx->family == FAMILY_V4) {
        address_map_v4(&key->source, ctx->local_ip4);
        address_map_v4(&key->destination, ctx->remote_ip4);
    } else {
        key->source.words[0] = ctx->local_ip6[0];
        key->source.words[1] = ctx->local_ip6[1];
        key->source.words[2] = ctx->local_ip6[2];
        key->source.words[3] = ctx->local_ip6[3];
        key->destination.words[0] = ctx->remote_ip6[0];
        key->destination.words[1] = ctx->remote_ip6[1];
        key->destination.words[2] = ctx->remote_ip6[2];
        key->destination.words[3] = ctx->remote_ip6[3];
    }
    key->source_port = bpf_htons(ctx->local_port);
    key->destination_port = bpf_htons(bpf_ntohl(ctx->remote_port));
    key->protocol = IPPROTO_TCP;
}

/* Whether the pod's hook lets the SYN go to this backend in vain. Not when it never saw one: the
 * socket is no pod's, or policy denies the first backend, which another would not mend. */
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

/* Another backend of the service, by weight; it is taken. Returns its id, or 0. */
static __noinline __u32 retry_choose(const struct weir_service_key* frontend,
                                     const struct weir_nat_key* key, __u32 given_up) {
    const struct weir_service* service = service_lookup(frontend);
    struct retry_walk walk = {.key = *key, .given_up = given_up};
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
    retry->forward.source = retry->key.source;
    retry->forward.destination = backend->address;
    retry->forward.source_port = retry->key.source_port;
    retry->forward.destination_port = backend->port;
    retry->forward.backend = id;
    retry->forward.generation = backend->generation;
    retry->forward.flags = WEIR_NAT_MOVED;
    retry->forward.tick = bpf_jiffies64();
    retry->forward.last_used = bpf_ktime_get_coarse_ns();
    if (!nat_open(&retry->key, &retry->forward)) return 0;
    if (retry->flow_answer.protocol) bpf_map_delete_elem(&weir_nat, &retry->flow_answer);
    flow_forget(&retry->flow);
    /* An earlier connection's with the new backend, which is over. */
    flow_key(&retry->forward.source, &retry->forward.destination, retry->forward.source_port,
             retry->forward.destination_port, IPPROTO_TCP, &retry->flow);
    flow_forget(&retry->flow);
    return 1;
}

/* A client with affinity stays where it was answered. */
static __always_inline void retry_remember(struct bpf_sock_ops* ctx,
                                           const struct weir_backend* backend, __u32 id) {
    struct weir_affinity_key client = {.service = backend->service};

    affinity_client_netns(&client.client, bpf_get_netns_cookie(ctx),
                          address_is_mapped_v4(&backend->address));
    if (!bpf_map_lookup_elem(&weir_affinities, &client)) return;
    affinity_remember(&client, id, backend, bpf_ktime_get_coarse_ns());
}

static __noinline int retry_handshake(struct bpf_sock_ops* ctx, struct weir_socket* socket) {
    struct weir_service_key frontend = {.protocol = IPPROTO_TCP};
    struct retry retry = {};
    struct weir_backend* backend;
    __u32 id;

    if (!socket || !socket->backend) return 0;
    retry_key_of(ctx, &retry.key);
    if (!retry_is_due(&retry, socket)) return 0;
    frontend.address = socket->frontend;
    frontend.port = socket->port;
    id = retry_choose(&frontend, &retry.key, socket->backend);
    backend = bpf_map_lookup_elem(&weir_backends, &id);
    if (!id || !backend) return 0;
    if (!retry_translate(&retry, backend, id)) {
        backend_release(backend);
        service_count(WEIR_SERVICE_NAT_FULL);
        return 0;
    }
    socket_release(socket);
    socket->generation = backend->generation;
    socket->backend = id;
    socket->is_moved = 1;
    socket->has_failed = 0;
    __sync_fetch_and_add(&backend->opened, 1);
    retry_remember(ctx, backend, id);
    service_count(WEIR_SERVICE_RETRIED);
    return 1;
}

#endif
