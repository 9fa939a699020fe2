/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Opens a flow from outside: a backend, and a source port that no other flow with it has. */
#ifndef WEIR_BPF_UPLINK_OPEN_H
#define WEIR_BPF_UPLINK_OPEN_H

#include "service_choice.h"
#include "service_source.h"
#include "uplink_flow.h"

/* Source ports that a flow tries at most: what it costs the node when nearly all are taken. */
#define UPLINK_PORT_TRIES 512

/* Results besides enum uplink_step, negative: what is not let by. */
#define UPLINK_NOT_LET_BY(outcome) (-1 - (int)(outcome))
#define UPLINK_OUTCOME(result) ((__u32)(-1 - (result)))

struct port_search {
    struct weir_nat_key back;
    struct weir_nat reply;
    __u32 first;
    __u32 count;
    __u32 start; /* from the first */
    __u32 is_found;
};

/* Takes the answers' element for the flow, unless a living one has it. */
static __always_inline int port_take(struct port_search* search) {
    const struct weir_nat* known = nat_lookup_outside(&search->back);

    if (known) {
        if (!uplink_is_stale(&search->back, known, search->reply.last_used)) return 0;
        bpf_map_delete_elem(&weir_uplink_nat, &search->back);
    }
    return !nat_insert_outside(&search->back, &search->reply);
}

static long port_step(__u64 index, struct port_search* search) {
    __u32 place = search->start + (__u32)index;

    if (place >= search->count) place -= search->count;
    search->back.destination_port = bpf_htons(search->first + place);
    search->is_found = port_take(search);
    return search->is_found;
}

/* Gives the flow a source port, and inserts the element of its answers. keeps_port: its own, if it
 * is free. Returns whether it has one. */
static __noinline int port_find(const struct weir_nat_key* key, struct weir_nat* forward,
                                const struct weir_uplink* node, int keeps_port) {
    struct port_search search = {.reply = *forward};
    __u32 tries;

    uplink_turn(key, &search.reply);
    uplink_answer_key(forward, key->protocol, &search.back);
    if (keeps_port && port_take(&search)) return 1;
    if (key->protocol == IPPROTO_SCTP) return 0; /* its checksum covers the ports */
    search.first = node->first_port;
    search.count = node->last_port - node->first_port + 1;
    search.start = ((__u64)nat_hash(key) * search.count) >> 32;
    tries = search.count < UPLINK_PORT_TRIES ? search.count : UPLINK_PORT_TRIES;
    bpf_loop(tries, port_step, &search, 0);
    forward->source_port = search.back.destination_port;
    return search.is_found;
}

/* The frontend for a packet; 0: there is none, or not for it, with the result that says so. */
static __always_inline const struct weir_service* uplink_service(const struct weir_nat_key* key,
                                                                 int* result) {
    struct weir_service_key frontend = {.address = key->destination,
                                        .port = key->destination_port,
                                        .protocol = key->protocol,
                                        .scope = WEIR_SCOPE_EXTERNAL};
    const struct weir_service* service = service_lookup(&frontend);
    struct weir_source_range client = {.prefix_length = 32 + 128};

    *result = STEP_NONE;
    if (!service) return 0;
    if (service->flags & WEIR_SERVICE_DROP) {
        *result = UPLINK_NOT_LET_BY(WEIR_UPLINK_NO_SUCH_PORT);
        return 0;
    }
    if (!(service->flags & WEIR_SERVICE_SOURCE_RANGES)) return service;
    client.service = service->id;
    __builtin_memcpy(&client.address, &key->source, sizeof(client.address));
    if (bpf_map_lookup_elem(&weir_sources, &client)) return service;
    *result = UPLINK_NOT_LET_BY(WEIR_UPLINK_SOURCE);
    return 0;
}

/* Inserts the flow's elements. Returns enum uplink_step, or UPLINK_NOT_LET_BY(). */
static __always_inline int uplink_insert(const struct weir_nat_key* key, struct weir_nat* forward,
                                         int is_local) {
    const struct weir_uplink* node = uplink_node();
    const struct weir_address* own = node ? uplink_address(node, &key->source) : 0;
    const struct weir_nat* known;
    struct weir_nat_key back;

    if (!node) return STEP_NONE;
    if (!is_local) {
        if (!own) {
            uplink_count(WEIR_UPLINK_NO_ADDRESS);
            return STEP_NONE;
        }
        if (!(forward->flags & WEIR_NAT_DSR)) forward->source = *own;
    }
    if (!(forward->flags & WEIR_NAT_DSR) &&
        !port_find(key, forward, node, is_local || key->protocol == IPPROTO_SCTP))
        return UPLINK_NOT_LET_BY(WEIR_UPLINK_NO_PORT);
    if (!nat_insert_outside(key, forward)) return uplink_step_of(key, forward);
    /* Another CPU was faster with the same flow. */
    uplink_answer_key(forward, key->protocol, &back);
    if (!(forward->flags & WEIR_NAT_DSR)) bpf_map_delete_elem(&weir_uplink_nat, &back);
    known = nat_lookup_outside(key);
    if (!known) return UPLINK_NOT_LET_BY(WEIR_UPLINK_NO_PORT);
    *forward = *known;
    return uplink_step_of(key, forward);
}

/* The element of a request that keeps its source. */
static __always_inline void uplink_aim(const struct weir_nat_key* key, struct weir_nat* forward,
                                       __u32 id, const struct weir_backend* backend, __u64 now) {
    forward->source = key->source;
    forward->source_port = key->source_port;
    forward->destination = backend->address;
    forward->destination_port = backend->port;
    forward->backend = id;
    forward->generation = backend->generation;
    forward->last_used = now;
}

/* The backend of a flow that nobody knows: forward receives the rest. Returns 1 when it is on this
 * node and 2 when it is not, else as uplink_open(). */
static __noinline int uplink_choose(const struct weir_nat_key* key, struct weir_nat* forward,
                                    __u64 now) {
    struct choice choice = {.now = now};
    const struct weir_service* service;
    struct weir_backend* backend;
    int result;

    service = uplink_service(key, &result);
    if (!service) return result;
    /* Who sent it here does not know yet that there is nothing: another node would have answered.
     */
    if (service->flags & WEIR_SERVICE_NONE_HERE) return UPLINK_NOT_LET_BY(WEIR_UPLINK_NONE_HERE);
    if (!service->slot_count) return UPLINK_NOT_LET_BY(WEIR_UPLINK_REFUSED);
    choice.client.client = key->source;
    choice.client.service = service->id;
    choice.hash = nat_hash(key);
    backend = choice_make(service, &choice);
    if (!backend) return UPLINK_NOT_LET_BY(WEIR_UPLINK_REFUSED);
    if (address_is_mapped_v4(&backend->address) != address_is_mapped_v4(&key->destination)) {
        uplink_count(WEIR_UPLINK_WRONG_FAMILY);
        return STEP_NONE;
    }
    if (key->protocol == IPPROTO_SCTP && backend->port != key->destination_port) {
        uplink_count(WEIR_UPLINK_SCTP_PORT);
        return STEP_NONE;
    }
    uplink_aim(key, forward, choice.backend, backend, now);
    if (!backend->is_local && (service->flags & WEIR_SERVICE_DSR)) forward->flags = WEIR_NAT_DSR;
    __sync_fetch_and_add(&backend->opened, 1);
    return backend->is_local ? 1 : 2;
}

/* A flow that nobody knows. forward: receives what becomes of its packets. Returns enum
 * uplink_step, or UPLINK_NOT_LET_BY(). */
static __always_inline int uplink_open(const struct weir_nat_key* key, struct weir_nat* forward,
                                       __u64 now) {
    int found = uplink_choose(key, forward, now);

    return found <= 0 ? found : uplink_insert(key, forward, found == 1);
}

/* Which of the backends is the one that another node chose. */
struct backend_search {
    struct weir_address address;
    __u32 first;
    __u32 count;
    __u32 start;   /* from the first */
    __u32 backend; /* the result: id */
};

static long backend_step(__u64 index, struct backend_search* search) {
    __u32 place = search->start + (__u32)index, slot, *id;
    struct weir_backend* backend;

    if (place >= search->count) place -= search->count;
    slot = search->first + place;
    id = bpf_map_lookup_elem(&weir_slots, &slot);
    if (!id) return 0;
    backend = bpf_map_lookup_elem(&weir_backends, id);
    if (!backend || !address_equals(&backend->address, &search->address)) return 0;
    search->backend = *id;
    return 1;
}

/* The backend of a flow that another node has sent here, encapsulated to this address. That node's
 * table is the same as this one's, so that the first slot looked at is the right one, as a rule.
 * What is no such flow's is untouched. As uplink_choose(). */
static __noinline int uplink_recognize(const struct weir_nat_key* key,
                                       const struct weir_address* address, struct weir_nat* forward,
                                       __u64 now) {
    struct backend_search search = {.address = *address};
    const struct weir_service* service;
    struct weir_backend* backend;
    int result;

    service = uplink_service(key, &result);
    if (!service || !(service->flags & WEIR_SERVICE_DSR)) return STEP_NONE;
    search.first = service->maglev_count ? service->first_maglev : service->first_slot;
    search.count = service->maglev_count ? service->maglev_count : service->slot_count;
    search.start = ((__u64)nat_hash(key) * search.count) >> 32;
    bpf_loop(search.count < CHOICE_WALK ? search.count : CHOICE_WALK, backend_step, &search, 0);
    backend = bpf_map_lookup_elem(&weir_backends, &search.backend);
    if (!search.backend || !backend || !backend->is_local) return STEP_NONE;
    uplink_aim(key, forward, search.backend, backend, now);
    __sync_fetch_and_add(&backend->opened, 1);
    return 1;
}

/* As uplink_open(), for such a flow. */
static __always_inline int uplink_adopt(const struct weir_nat_key* key,
                                        const struct weir_address* address,
                                        struct weir_nat* forward, __u64 now) {
    int found = uplink_recognize(key, address, forward, now);

    return found <= 0 ? found : uplink_insert(key, forward, 1);
}

#endif
