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

/* What was found for a flow's answers. */
enum port_found {
    PORT_NONE = 0,
    PORT_NEW = 1,
    PORT_OWN = 2 /* an earlier packet's */
};

struct port_search {
    struct weir_nat_key back;
    struct weir_nat reply;
    __u32 first;
    __u32 count;
    __u32 start; /* from the first */
    __u32 found; /* enum port_found */
};

/* Whether the answers' element is the flow's own, from an earlier packet: the requests' was never
 * made, or the kernel evicted it. */
static __always_inline int port_is_own(struct port_search* search, struct weir_nat* known) {
    struct weir_nat* reply = &search->reply;

    if (!nat_is_same(known, reply)) return 0;
    if (!(known->flags & WEIR_NAT_PENDING)) reply->flags &= ~WEIR_NAT_PENDING;
    if (!(reply->flags & WEIR_NAT_PENDING)) known->flags &= ~WEIR_NAT_PENDING;
    known->last_used = reply->last_used;
    return 1;
}

/* Takes the answers' element for the flow, unless a living one has it. likely_free: so that it is
 * not asked first. Returns enum port_found. */
static __always_inline int port_take(struct port_search* search, int likely_free) {
    struct weir_nat* known;

    if (likely_free && !nat_insert_outside(&search->back, &search->reply)) return PORT_NEW;
    known = nat_lookup_outside(&search->back);
    if (known && port_is_own(search, known)) return PORT_OWN;
    if (known) {
        if (!uplink_is_stale(&search->back, known, search->reply.last_used)) return PORT_NONE;
        bpf_map_delete_elem(&weir_uplink_nat, &search->back);
    }
    if (!nat_insert_outside(&search->back, &search->reply)) return PORT_NEW;
    known = nat_lookup_outside(&search->back); /* another CPU's */
    return known && port_is_own(search, known) ? PORT_OWN : PORT_NONE;
}

static long port_step(__u64 index, struct port_search* search) {
    __u32 place = search->start + (__u32)index;

    if (place >= search->count) place -= search->count;
    search->back.destination_port = bpf_htons(search->first + place);
    search->found = port_take(search, index == 0);
    return search->found != PORT_NONE;
}

/* Gives the flow a source port, and inserts the element of its answers. keeps_port: its own, if it
 * is free. Returns enum port_found. */
static __noinline int port_find(const struct weir_nat_key* key, struct weir_nat* forward,
                                const struct weir_uplink* node, int keeps_port) {
    struct port_search search = {.reply = *forward};
    __u32 tries;

    uplink_turn(key, &search.reply);
    nat_answer_key(forward, key->protocol, &search.back);
    if (keeps_port) search.found = port_take(&search, 1);
    if (search.found || key->protocol == IPPROTO_SCTP) /* its checksum covers the ports */
        return search.found;
    search.first = node->first_port;
    search.count = node->last_port - node->first_port + 1;
    /* Other bits than Maglev takes: a backend's flows would all begin in the same few ports. */
    search.start = ((__u64)(nat_hash(key) * 0x9e3779b1u) * search.count) >> 32;
    tries = search.count < UPLINK_PORT_TRIES ? search.count : UPLINK_PORT_TRIES;
    bpf_loop(tries, port_step, &search, 0);
    forward->source_port = search.back.destination_port;
    if (!(search.reply.flags & WEIR_NAT_PENDING)) forward->flags &= ~WEIR_NAT_PENDING;
    return search.found;
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

static __always_inline void uplink_count_opened(const struct weir_nat* forward) {
    struct weir_backend* backend = backend_lookup(forward->backend, forward->generation);

    if (backend) __sync_fetch_and_add(&backend->opened, 1);
}

/* Inserts the flow's elements, or that of its answers alone. Returns enum uplink_step, or
 * UPLINK_NOT_LET_BY(). */
static __always_inline int uplink_insert(const struct weir_nat_key* key, struct weir_nat* forward,
                                         int is_local) {
    const struct weir_uplink* node = uplink_node();
    const struct weir_address* own = node ? uplink_address(node, &key->source) : 0;
    const struct weir_nat* known;
    struct weir_nat_key back;
    int found = PORT_NEW;

    if (!node) return STEP_NONE;
    if (!is_local) {
        if (!own) {
            uplink_count(WEIR_UPLINK_NO_ADDRESS);
            return STEP_NONE;
        }
        if (!(forward->flags & WEIR_NAT_DSR)) forward->source = *own;
    }
    if (!(forward->flags & WEIR_NAT_DSR))
        found = port_find(key, forward, node, is_local || key->protocol == IPPROTO_SCTP);
    if (!found) return UPLINK_NOT_LET_BY(WEIR_UPLINK_NO_PORT);
    if (found == PORT_NEW) uplink_count_opened(forward);
    if ((forward->flags & WEIR_NAT_PENDING) || !nat_insert_outside(key, forward))
        return uplink_step_of(key, forward);
    /* Another CPU was faster with the same flow: its port may be this one's too. */
    known = nat_lookup_outside(key);
    if (!(forward->flags & WEIR_NAT_DSR) && found == PORT_NEW &&
        (!known || !nat_is_same(known, forward))) {
        nat_answer_key(forward, key->protocol, &back);
        bpf_map_delete_elem(&weir_uplink_nat, &back);
    }
    if (!known) return UPLINK_NOT_LET_BY(WEIR_UPLINK_NO_PORT);
    *forward = *known;
    return uplink_step_of(key, forward);
}

/* The element of a request that keeps its source. */
static __always_inline void uplink_aim(const struct weir_nat_key* key, struct weir_nat* forward,
                                       __u32 id, const struct weir_backend* backend) {
    forward->source = key->source;
    forward->source_port = key->source_port;
    forward->destination = backend->address;
    forward->destination_port = backend->port;
    forward->backend = id;
    forward->generation = backend->generation;
    forward->last_used = bpf_ktime_get_coarse_ns();
    forward->tick = bpf_jiffies64();
}

/* Whether the choice is the same for every packet of a flow, so that nothing has to remember it
 * before there is an answer. */
static __always_inline int uplink_chooses_again(const struct weir_service* service) {
    return (service->flags & WEIR_SERVICE_MAGLEV) && service->maglev_count && !service->affinity;
}

/* The backend of a flow that nobody knows: forward receives the rest. is_syn: the packet opens a
 * connection. Returns 1 when the backend is on this node and 2 when it is not, else as
 * uplink_open(). */
static __noinline int uplink_choose(const struct weir_nat_key* key, struct weir_nat* forward,
                                    int is_syn) {
    struct choice choice = {.now = bpf_ktime_get_coarse_ns()};
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
    uplink_aim(key, forward, choice.backend, backend);
    if (!backend->is_local) {
        if (service->flags & WEIR_SERVICE_DSR)
            forward->flags = WEIR_NAT_DSR;
        else if (is_syn && uplink_chooses_again(service))
            forward->flags = WEIR_NAT_PENDING;
    }
    return backend->is_local ? 1 : 2;
}

/* A flow that nobody knows. forward: receives what becomes of its packets. is_syn: see
 * uplink_choose(). Returns enum uplink_step, or UPLINK_NOT_LET_BY(). */
static __always_inline int uplink_open(const struct weir_nat_key* key, struct weir_nat* forward,
                                       int is_syn) {
    int found = uplink_choose(key, forward, is_syn);

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
                                       const struct weir_address* address,
                                       struct weir_nat* forward) {
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
    uplink_aim(key, forward, search.backend, backend);
    return 1;
}

/* As uplink_open(), for such a flow. */
static __always_inline int uplink_adopt(const struct weir_nat_key* key,
                                        const struct weir_address* address,
                                        struct weir_nat* forward) {
    int found = uplink_recognize(key, address, forward);

    return found <= 0 ? found : uplink_insert(key, forward, 1);
}

#endif
