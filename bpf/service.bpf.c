// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * Services at connect time: a socket of the node's cgroups that connects or sends to a frontend
 * gets a backend before the first packet exists, and goes on seeing the frontend as its peer. No
 * packet is translated; policy judges the backend, because that is where the packets go.
 *
 * What is no service's passes untouched. A service without backends refuses at once, as its RST or
 * ICMP error would later.
 */
#include <linux/errno.h>

#include "service_choice.h"
#include "service_datagram.h"
#include "service_health.h"
#include "service_socket.h"
#include "service_source.h"

/* Return values of these programs. */
#define CALL_REFUSED 0
#define CALL_PASSED 1

/* What becomes of a destination; negative: the error that the process gets. */
enum destination { DESTINATION_UNTOUCHED = 0, DESTINATION_TRANSLATED = 1 };

/* IPv4 sockets cannot reach a backend of IPv6, and the other way round. */
static __always_inline int family_fits(const struct weir_service_key* destination,
                                       const struct weir_backend* backend) {
    return address_is_mapped_v4(&destination->address) == address_is_mapped_v4(&backend->address);
}

/* The backend for a connection or a datagram to this service. 0, and a count, if there is none. */
static __always_inline struct weir_backend* socket_choose(struct bpf_sock_addr* ctx,
                                                          const struct weir_service_key* frontend,
                                                          const struct weir_service* service,
                                                          struct choice* choice) {
    struct weir_backend* backend;

    if (unlikely(!service->slot_count)) {
        service_count(WEIR_SERVICE_NO_BACKEND);
        return 0;
    }
    if (choice_asks_for_client(service)) {
        affinity_client_netns(&choice->client.client, bpf_get_netns_cookie(ctx),
                              address_is_mapped_v4(&frontend->address));
        choice->client.service = service->id;
        choice->now = bpf_ktime_get_coarse_ns();
        choice->hash = (bpf_get_socket_cookie(ctx) * 0x9e3779b97f4a7c15ull) >> 32;
    }
    backend = choice_make(service, choice);
    if (unlikely(!backend)) service_count(choice_outcome(choice));
    return backend;
}

/* A frontend whose clients are judged by their address: a socket has none yet, its packets do. */
static __always_inline int is_for_packets(const struct weir_service* service) {
    return service->flags & WEIR_SERVICE_SOURCE_RANGES;
}

static __always_inline void socket_disconnect(struct bpf_sock_addr* ctx) {
    struct weir_socket* socket = socket_find(ctx);

    if (unlikely(socket && socket->use.backend)) socket_release(socket);
}

static __always_inline int connect_any(struct bpf_sock_addr* ctx,
                                       struct weir_service_key* destination) {
    struct choice choice = {.is_counted = 1};
    const struct weir_service* service;
    struct weir_backend* backend;

    service = service_is_balanced(ctx->protocol) ? service_lookup(destination) : 0;
    if (!service || is_for_packets(service)) {
        socket_disconnect(ctx);
        return DESTINATION_UNTOUCHED;
    }
    if (unlikely(service->flags & WEIR_SERVICE_DROP)) {
        socket_disconnect(ctx);
        /* Resolvers connect UDP sockets to any port and send nothing, only to learn which source
         * address there is. */
        if (destination->protocol == IPPROTO_UDP) return DESTINATION_UNTOUCHED;
        service_count(WEIR_SERVICE_DROPPED);
        return -ETIMEDOUT; /* what retransmitting the SYN for two minutes comes to */
    }
    backend = socket_choose(ctx, destination, service, &choice);
    if (unlikely(!backend)) return -ECONNREFUSED;
    if (unlikely(!family_fits(destination, backend))) {
        backend_release(backend);
        service_count(WEIR_SERVICE_WRONG_FAMILY);
        return DESTINATION_UNTOUCHED;
    }
    __sync_fetch_and_add(&backend->opened, 1);
    if (unlikely(!socket_record(ctx, destination, choice.backend, backend))) {
        backend_release(backend);
        service_count(WEIR_SERVICE_NOT_RECORDED);
    }
    destination->address = backend->address;
    destination->port = backend->port;
    return DESTINATION_TRANSLATED;
}

static __always_inline int send_any(struct bpf_sock_addr* ctx,
                                    struct weir_service_key* destination) {
    __u32 now = bpf_ktime_get_coarse_ns() >> 30;
    struct weir_backend* backend = datagram_find(ctx, destination, now);
    const struct weir_service* service;
    struct choice choice = {};

    if (!backend) {
        service = service_lookup(destination);
        if (!service || is_for_packets(service)) return DESTINATION_UNTOUCHED;
        if (service->flags & WEIR_SERVICE_DROP) {
            service_count(WEIR_SERVICE_DROPPED);
            return -EPERM; /* what a netfilter rule that drops on the way out comes to */
        }
        backend = socket_choose(ctx, destination, service, &choice);
        if (!backend) return -ECONNREFUSED;
        if (!family_fits(destination, backend)) {
            service_count(WEIR_SERVICE_WRONG_FAMILY);
            return DESTINATION_UNTOUCHED;
        }
        if (!datagram_record(ctx, destination, choice.backend, backend, now))
            service_count(WEIR_SERVICE_NOT_RECORDED);
    }
    destination->address = backend->address;
    destination->port = backend->port;
    return DESTINATION_TRANSLATED;
}

static __always_inline int sender_show_frontend(struct bpf_sock_addr* ctx,
                                                struct weir_service_key* sender) {
    return socket_show_frontend(ctx, sender) || datagram_show_frontend(ctx, sender);
}

/* The two families differ in where the address lies: an IPv4 one is mapped. */
static __always_inline void key_of_v4(const struct bpf_sock_addr* ctx,
                                      struct weir_service_key* key) {
    address_map_v4(&key->address, ctx->user_ip4);
    key->port = (__be16)ctx->user_port;
    key->protocol = ctx->protocol;
}

static __always_inline void key_of_v6(const struct bpf_sock_addr* ctx,
                                      struct weir_service_key* key) {
    key->address.words[0] = ctx->user_ip6[0];
    key->address.words[1] = ctx->user_ip6[1];
    key->address.words[2] = ctx->user_ip6[2];
    key->address.words[3] = ctx->user_ip6[3];
    key->port = (__be16)ctx->user_port;
    key->protocol = ctx->protocol;
}

static __always_inline void write_v4(struct bpf_sock_addr* ctx,
                                     const struct weir_service_key* key) {
    ctx->user_ip4 = key->address.words[3];
    ctx->user_port = key->port;
}

static __always_inline void write_v6(struct bpf_sock_addr* ctx,
                                     const struct weir_service_key* key) {
    ctx->user_ip6[0] = key->address.words[0];
    ctx->user_ip6[1] = key->address.words[1];
    ctx->user_ip6[2] = key->address.words[2];
    ctx->user_ip6[3] = key->address.words[3];
    ctx->user_port = key->port;
}

static __always_inline int call_refuse(int error) {
    bpf_set_retval(error);
    return CALL_REFUSED;
}

SEC("cgroup/connect4")
int weir_connect4(struct bpf_sock_addr* ctx) {
    struct weir_service_key destination = {};
    int result;

    key_of_v4(ctx, &destination);
    result = connect_any(ctx, &destination);
    if (unlikely(result < 0)) return call_refuse(result);
    if (result == DESTINATION_TRANSLATED) write_v4(ctx, &destination);
    return CALL_PASSED;
}

SEC("cgroup/connect6")
int weir_connect6(struct bpf_sock_addr* ctx) {
    struct weir_service_key destination = {};
    int result;

    key_of_v6(ctx, &destination);
    result = connect_any(ctx, &destination);
    if (unlikely(result < 0)) return call_refuse(result);
    if (result == DESTINATION_TRANSLATED) write_v6(ctx, &destination);
    return CALL_PASSED;
}

SEC("cgroup/sendmsg4")
int weir_sendmsg4(struct bpf_sock_addr* ctx) {
    struct weir_service_key destination = {};
    int result;

    key_of_v4(ctx, &destination);
    result = send_any(ctx, &destination);
    if (result < 0) return call_refuse(result);
    if (result == DESTINATION_TRANSLATED) write_v4(ctx, &destination);
    return CALL_PASSED;
}

SEC("cgroup/sendmsg6")
int weir_sendmsg6(struct bpf_sock_addr* ctx) {
    struct weir_service_key destination = {};
    int result;

    key_of_v6(ctx, &destination);
    result = send_any(ctx, &destination);
    if (result < 0) return call_refuse(result);
    if (result == DESTINATION_TRANSLATED) write_v6(ctx, &destination);
    return CALL_PASSED;
}

SEC("cgroup/recvmsg4")
int weir_recvmsg4(struct bpf_sock_addr* ctx) {
    struct weir_service_key sender = {};

    key_of_v4(ctx, &sender);
    if (sender_show_frontend(ctx, &sender)) write_v4(ctx, &sender);
    return CALL_PASSED;
}

SEC("cgroup/recvmsg6")
int weir_recvmsg6(struct bpf_sock_addr* ctx) {
    struct weir_service_key sender = {};

    key_of_v6(ctx, &sender);
    if (sender_show_frontend(ctx, &sender)) write_v6(ctx, &sender);
    return CALL_PASSED;
}

SEC("cgroup/getpeername4")
int weir_getpeername4(struct bpf_sock_addr* ctx) {
    struct weir_service_key peer = {};

    key_of_v4(ctx, &peer);
    if (socket_show_frontend(ctx, &peer)) write_v4(ctx, &peer);
    return CALL_PASSED;
}

SEC("cgroup/getpeername6")
int weir_getpeername6(struct bpf_sock_addr* ctx) {
    struct weir_service_key peer = {};

    key_of_v6(ctx, &peer);
    if (socket_show_frontend(ctx, &peer)) write_v6(ctx, &peer);
    return CALL_PASSED;
}

/* Every socket of the cgroup closes here, and most have to do with no service. */
SEC("cgroup/sock_release")
int weir_sock_release(struct bpf_sock* ctx) {
    __u64 cookie = bpf_get_socket_cookie(ctx);
    struct weir_socket_set* set = socket_set(cookie);
    int way = set ? socket_way(set, cookie) : -1;
    struct weir_socket* socket;

    if (way >= 0) {
        way &= WEIR_SOCKET_WAYS - 1;
        socket_release(&set->sockets[way]);
        *(volatile __u64*)&set->cookies[way] = 0;
        return CALL_PASSED;
    }
    socket = bpf_sk_storage_get(&weir_spilled, ctx, 0, 0);
    if (socket) socket_release(socket);
    return CALL_PASSED;
}

SEC("sockops")
int weir_sock_ops(struct bpf_sock_ops* ctx) {
    if (ctx->op == BPF_SOCK_OPS_TCP_CONNECT_CB)
        health_watch(ctx);
    else if (ctx->op == BPF_SOCK_OPS_STATE_CB || ctx->op == BPF_SOCK_OPS_RTO_CB)
        health_note(ctx);
    ctx->reply = -1; /* no opinion, where one is asked for */
    return CALL_PASSED;
}

/* Kernel helpers that this file uses are for GPL-compatible programs. */
char LICENSE[] SEC("license") = "Dual BSD/GPL";
