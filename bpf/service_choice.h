/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Which of a service's backends a new connection goes to: one function for every hook.
 *
 * Whether it is refused is settled by the first slot that is looked at, so that the share of slots
 * that refuse is exact. When the backend of that slot is not usable, its share goes to the other
 * backends: from there on slots that refuse are passed over. */
#ifndef WEIR_BPF_SERVICE_CHOICE_H
#define WEIR_BPF_SERVICE_CHOICE_H

#include "service_affinity.h"

/* Draws before an unusable backend's share goes to the slots behind it instead of to all. */
#define CHOICE_DRAWS 4
/* Slots that a walk visits at most: a service whose backends are all at their limit must not cost
 * the node more than that for each connection that it refuses. */
#define CHOICE_WALK 4096

struct choice {
    struct weir_affinity_key client; /* for a service with affinity */
    __u64 now;
    __u32 hash;      /* of the flow, for Maglev */
    __u8 is_counted; /* a connection: counted in live. Bytes: the stack is short */
    __u8 is_settled; /* a slot was looked at, and it does not refuse */
    __u8 is_refused; /* one was, and it does */
    __u8 pad;
    __u32 backend; /* the result: id, 0 if there is none */
};

struct choice_walk {
    __u32 first; /* of the range */
    __u32 count;
    __u32 start; /* from the first */
    __u32 is_counted;
    __u32 backend; /* the result */
};

static __always_inline int choice_takes(struct weir_backend* backend, __u32 is_counted) {
    return !is_counted || backend_take(backend);
}

static __always_inline __u32 choice_draw(const struct weir_service* service) {
    return service->first_slot +
           (__u32)(((__u64)bpf_get_prandom_u32() * service->slot_count) >> 32);
}

/* What the first slot says, which has this id. Returns whether it refuses. */
static __always_inline int choice_settle(struct choice* choice, __u32 id) {
    if (choice->is_settled) return 0;
    choice->is_settled = 1;
    choice->is_refused = id == WEIR_BACKEND_NONE;
    return choice->is_refused;
}

static long choice_step(__u64 index, struct choice_walk* walk) {
    __u32 slot = walk->start + (__u32)index, id = 0;
    struct weir_backend* backend;

    if (slot >= walk->count) slot -= walk->count;
    backend = slot_backend(walk->first + slot, &id);
    if (!backend || !choice_takes(backend, walk->is_counted)) return 0;
    walk->backend = id;
    return 1;
}

/* The first usable backend at or behind the start. Returns its id, or 0. */
static __always_inline __u32 choice_walk(struct choice_walk* walk) {
    __u32 steps = walk->count < CHOICE_WALK ? walk->count : CHOICE_WALK;

    bpf_loop(steps, choice_step, walk, 0);
    return walk->backend;
}

/* Of two draws, the backend with fewer live connections. Returns its id, or 0. */
static __always_inline __u32 choice_least_loaded(const struct weir_service* service,
                                                 struct choice* choice) {
    __u32 first_id = 0, second_id = 0;
    struct weir_backend* first = slot_backend(choice_draw(service), &first_id);
    struct weir_backend* second = slot_backend(choice_draw(service), &second_id);

    if (choice_settle(choice, first_id)) return 0;
    if (first && (!second || first->live <= second->live))
        return choice_takes(first, choice->is_counted) ? first_id : 0;
    return second && choice_takes(second, choice->is_counted) ? second_id : 0;
}

/* The client's backend of before. Returns its id, or 0. */
static __always_inline __u32 choice_again(const struct weir_service* service,
                                          struct choice* choice) {
    __u32 id = affinity_lookup(&choice->client, service->affinity, choice->now);
    struct weir_backend* backend = bpf_map_lookup_elem(&weir_backends, &id);

    return id && backend && choice_takes(backend, choice->is_counted) ? id : 0;
}

/* Not affinity. Returns the backend's id, or 0. */
static __always_inline __u32 choice_anew(const struct weir_service* service,
                                         struct choice* choice) {
    struct choice_walk walk = {.is_counted = choice->is_counted};
    struct weir_backend* backend;
    __u32 id = 0;
    int i;

    if ((service->flags & WEIR_SERVICE_MAGLEV) && service->maglev_count) {
        walk.first = service->first_maglev;
        walk.count = service->maglev_count;
        walk.start = ((__u64)choice->hash * walk.count) >> 32;
        backend = slot_backend(walk.first + walk.start, &id);
        if (choice_settle(choice, id)) return 0;
        if (likely(backend && choice_takes(backend, choice->is_counted))) return id;
        return choice_walk(&walk);
    }
    if (service->flags & WEIR_SERVICE_LEAST_LOADED) {
        id = choice_least_loaded(service, choice);
        if (id || choice->is_refused) return id;
    }
    for (i = 0; i < CHOICE_DRAWS; i++) {
        backend = slot_backend(choice_draw(service), &id);
        if (backend && choice_takes(backend, choice->is_counted)) return id;
        if (choice_settle(choice, id)) return 0;
    }
    walk.first = service->first_slot;
    walk.count = service->slot_count;
    walk.start = choice_draw(service) - service->first_slot;
    return choice_walk(&walk);
}

/* Everything but the plain case. Returns the backend's id, or 0. */
static __noinline __u32 choice_slowly(const struct weir_service* service, struct choice* choice) {
    struct weir_backend* backend;
    __u32 id = 0;

    if (service->affinity) id = choice_again(service, choice);
    if (id) return id;
    id = choice_anew(service, choice);
    if (!id || !service->affinity) return id;
    backend = bpf_map_lookup_elem(&weir_backends, &id);
    if (backend) affinity_remember(&choice->client, id, backend, choice->now);
    return id;
}

/* Whether the choice depends on the client or its flow: then those must be given. */
static __always_inline int choice_asks_for_client(const struct weir_service* service) {
    return service->affinity || (service->flags & WEIR_SERVICE_MAGLEV);
}

/* How a choice of no backend counts. */
static __always_inline __u32 choice_outcome(const struct choice* choice) {
    return choice->is_refused ? WEIR_SERVICE_ROUTE_REFUSED : WEIR_SERVICE_NONE_USABLE;
}

/* The backend for a new connection, in choice->backend; a counted one is taken. 0: none. The
 * service has slots. */
static __always_inline struct weir_backend* choice_make(const struct weir_service* service,
                                                        struct choice* choice) {
    struct weir_backend* backend;

    if (likely(!choice_asks_for_client(service) && !(service->flags & WEIR_SERVICE_LEAST_LOADED))) {
        backend = slot_backend(choice_draw(service), &choice->backend);
        if (likely(backend && choice_takes(backend, choice->is_counted))) return backend;
        if (choice_settle(choice, choice->backend)) return 0;
    }
    choice->backend = choice_slowly(service, choice);
    if (!choice->backend) return 0;
    return bpf_map_lookup_elem(&weir_backends, &choice->backend);
}

#endif
