/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* A service's backend for a packet that comes with the service's address: what connect() would have
 * chosen. */
#ifndef WEIR_BPF_SERVICE_PACKET_H
#define WEIR_BPF_SERVICE_PACKET_H

#include "nat.h"
#include "service_choice.h"
#include "service_source.h"

/* Whether the service is for this client. */
static __always_inline int service_admits(const struct weir_service* service,
                                          const struct weir_address* client) {
    struct weir_source_range range = {.prefix_length = 32 + 128, .service = service->id};

    if (!(service->flags & WEIR_SERVICE_SOURCE_RANGES)) return 1;
    __builtin_memcpy(&range.address, client, sizeof(range.address));
    return !!bpf_map_lookup_elem(&weir_sources, &range);
}

/* The backend for a flow that begins. Returns its id; 0: the packet stays what it is; -reason: it
 * is dropped, or refused. */
static __noinline int service_choose(const struct weir_nat_key* flow, __u64 now) {
    struct weir_service_key frontend = {.address = flow->destination,
                                        .port = flow->destination_port,
                                        .protocol = flow->protocol,
                                        .scope = WEIR_SCOPE_INTERNAL};
    struct choice choice = {.now = now};
    const struct weir_service* service = service_lookup(&frontend);
    struct weir_backend* backend;

    if (!service) return 0;
    if (service->flags & WEIR_SERVICE_DROP) return -WEIR_DROP_SERVICE_PORT;
    if (!service_admits(service, &flow->source)) return -WEIR_DROP_SERVICE_SOURCE;
    if (!service->slot_count) {
        service_count(WEIR_SERVICE_NO_BACKEND);
        return -WEIR_DROP_SERVICE_NO_BACKEND;
    }
    choice.client.client = flow->source;
    choice.client.service = service->id;
    choice.hash = nat_hash(flow);
    backend = choice_make(service, &choice);
    if (!backend) {
        service_count(choice_outcome(&choice));
        return -WEIR_DROP_SERVICE_NO_BACKEND;
    }
    if (address_is_mapped_v4(&backend->address) != address_is_mapped_v4(&flow->destination)) {
        service_count(WEIR_SERVICE_WRONG_FAMILY);
        return 0;
    }
    if (flow->protocol == IPPROTO_SCTP && backend->port != flow->destination_port) {
        service_count(WEIR_SERVICE_SCTP_PORT);
        return 0;
    }
    return choice.backend;
}

#endif
