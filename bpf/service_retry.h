/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* A backend that does not answer a handshake: when a pod sends the SYN again, the connection gets
 * another one. For its socket the peer stays the first: from here on the pod's hooks translate this
 * flow alone, as they do what a pod sends to a service's address, and policy judges the new
 * backend. Only for connections that got their backend from a service when they were made: the
 * socket is found by its cookie. */
#ifndef WEIR_BPF_SERVICE_RETRY_H
#define WEIR_BPF_SERVICE_RETRY_H

#include "endpoint.h"
#include "flow.h"
#include "nat_life.h"
#include "nat_open.h"
#include "retry_choice.h"

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

/* After this long without a packet a SYN is no longer one that is sent again: Linux doubles the
 * pause from a second on, six times. What the flow's entry says is of an earlier connection. */
#define RETRY_SYN_PAUSE (70ull * 1000 * 1000 * 1000)

/* A connection in its handshake. */
struct retry {
    struct weir_nat_key key;         /* its packets as the socket sends them */
    struct weir_flow_key flow;       /* as the backend that does not answer gets them */
    struct weir_nat_key flow_answer; /* in a flow that was moved before: its answers' element */
};

/* Of a packet as the pod sends it. Returns whether it is whole TCP. */
static __noinline int retry_key_of(struct __sk_buff* skb, struct weir_nat_key* key) {
    struct packet packet = {};

    if (!packet_parse_fast(skb, &packet) || packet.protocol != IPPROTO_TCP) return 0;
    nat_key_of(&packet, key);
    return 1;
}

/* The element of the socket's connection, if it was moved before. What an earlier connection from
 * the same port left is taken out: one to a backend's own address is never moved. */
static __always_inline const struct weir_nat* retry_moved(const struct weir_nat_key* key,
                                                          const struct weir_socket* socket) {
    const struct weir_nat* nat = bpf_map_lookup_elem(&weir_nat, key);

    if (!nat || !(nat->flags & WEIR_NAT_MOVED)) return 0;
    if (socket && socket->is_moved && nat->backend == socket->use.backend &&
        nat->generation == socket->use.generation)
        return nat;
    nat_end(key, nat);
    return 0;
}

/* Whether the packet is for the backend that the socket was given. */
static __always_inline int retry_is_to(const struct weir_socket* socket,
                                       const struct weir_nat_key* key) {
    const struct weir_backend* backend = socket_backend(socket);

    return backend && backend->port == key->destination_port &&
           address_equals(&backend->address, &key->destination);
}

/* As flow_find(). */
static __always_inline const struct weir_flow* retry_find_flow(const struct weir_flow_key* key) {
    const struct weir_flow* flow = bpf_map_lookup_elem(&weir_flows, key);

    if (!flow) flow = bpf_map_lookup_elem(&weir_new_flows, key);
    return flow ? flow : bpf_map_lookup_elem(&weir_crowded_flows, key);
}

/* Whether an earlier SYN went to the socket's backend in vain. Not when policy denies the first
 * backend, which another would not mend. */
static __always_inline int retry_is_due(struct retry* retry, const struct weir_socket* socket,
                                        const struct weir_nat* moved, __u64 now) {
    const struct weir_flow* flow;

    if (moved) {
        nat_answer_key(moved, IPPROTO_TCP, &retry->flow_answer);
        flow_key(&moved->source, &moved->destination, moved->source_port, moved->destination_port,
                 IPPROTO_TCP, &retry->flow);
    } else {
        if (socket->is_moved || !retry_is_to(socket, &retry->key)) return 0;
        flow_key(&retry->key.source, &retry->key.destination, retry->key.source_port,
                 retry->key.destination_port, IPPROTO_TCP, &retry->flow);
    }
    flow = retry_find_flow(&retry->flow);
    if (!flow) return !!moved; /* denied by policy */
    return (flow->state & WEIR_FLOW_EGRESS_LOCAL) && !flow->packets[1] &&
           (__s64)(now - flow->last_seen) < (__s64)RETRY_SYN_PAUSE;
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
    affinity_client_netns(&client.client, socket->__sk_common.skc_net.net->net_cookie,
                          address_is_mapped_v4(&backend->address));
    if (!bpf_map_lookup_elem(&weir_affinities, &client)) return 0;
    affinity_remember(&client, id, backend, bpf_ktime_get_coarse_ns());
    return 0;
}

/* Once for each handshake with a backend, unless the socket's timer said so (service_health.h). */
static __always_inline void retry_note_failure(struct weir_socket* socket) {
    struct weir_backend* backend = socket_backend(socket);

    if (!backend || socket->has_failed) return;
    socket->has_failed = 1;
    __sync_fetch_and_add(&backend->failed, 1);
}

/* Records the backend, which was taken, in place of the one that does not answer. Returns whether
 * the socket still has that one. */
static __always_inline int retry_record(struct weir_socket* socket, union weir_use before, __u32 id,
                                        const struct weir_backend* backend) {
    union weir_use use = {{id, backend->generation}};

    if (!__sync_bool_compare_and_swap(&socket->use.word, before.word, use.word)) return 0;
    socket_give_back(before);
    socket->is_moved = 1;
    socket->has_failed = 0;
    return 1;
}

/* The backend was taken. Returns whether the socket's connection has it now, and is translated. */
static __always_inline int retry_move(struct retry* retry, struct weir_socket* socket,
                                      union weir_use before, struct weir_backend* backend,
                                      __u32 id) {
    const struct weir_nat* forward;

    if (!retry_translate(retry, backend, id)) {
        service_count(WEIR_SERVICE_NAT_FULL);
        return 0;
    }
    if (retry_record(socket, before, id, backend)) return 1;
    forward = bpf_map_lookup_elem(&weir_nat, &retry->key);
    if (forward) nat_end(&retry->key, forward);
    return 0;
}

/* A SYN of the pod that may be sent again. Gives its connection another backend if there is one.
 * Returns whether the packet is one of those that are translated, now or from before, or may be:
 * its socket was given nothing. */
static __noinline int service_retry(struct __sk_buff* skb) {
    __u64 now = bpf_ktime_get_coarse_ns(), cookie = bpf_get_socket_cookie(skb);
    struct weir_socket* socket = cookie ? socket_find_in_set(cookie) : 0;
    struct retry retry = {};
    const struct weir_nat* moved;
    struct weir_backend* backend;
    union weir_use before;
    __u32 id, slot = WEIR_SLOT_NONE;

    if (!retry_key_of(skb, &retry.key)) return 0;
    moved = retry_moved(&retry.key, socket);
    if (!socket) return 1;
    before.word = *(volatile __u64*)&socket->use.word;
    if (!retry_is_due(&retry, socket, moved, now)) return !!moved;
    retry_note_failure(socket);
    /* As for any flow that is translated: a flood from one pod evicts nobody else's. */
    endpoint_lookup(skb->ifindex, &slot);
    if (load_opened(slot, now) >= flow_pod_share) return !!moved;
    id = retry_choose(socket, &retry.key);
    backend = bpf_map_lookup_elem(&weir_backends, &id);
    if (!id || !backend) return !!moved;
    if (!retry_move(&retry, socket, before, backend, id)) {
        backend_release(backend);
        return !!bpf_map_lookup_elem(&weir_nat, &retry.key); /* from before, if at all */
    }
    __sync_fetch_and_add(&backend->opened, 1);
    retry_remember(skb, id);
    service_count(WEIR_SERVICE_RETRIED);
    return 1;
}

#endif
