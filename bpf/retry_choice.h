/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Which backend is next after one that did not answer. */
#ifndef WEIR_BPF_RETRY_CHOICE_H
#define WEIR_BPF_RETRY_CHOICE_H

#include "service_choice.h"
#include "socket_table.h"

/* Draws before the slots are walked: most services have more backends than the dead one. */
#define RETRY_DRAWS 8

struct retry_walk {
    struct weir_nat_key key;
    __u32 first; /* of the range */
    __u32 count;
    __u32 start; /* from the first */
    __u32 given_up;
    __u32 backend; /* the result */
};

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
    struct retry_walk walk = {.key = *key, .given_up = socket->use.backend};
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

#endif
