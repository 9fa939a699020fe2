/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Frontends: what of a service an address, port and protocol is. */
#ifndef WEIR_BPF_SERVICE_H
#define WEIR_BPF_SERVICE_H

#include "abi_service.h"
#include "parse.h"

/* The sizes of all maps of services are defaults; the loader sets max_entries. */
struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __uint(max_entries, 262144);
    __type(key, struct weir_service_key);
    __type(value, struct weir_service);
} weir_services SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(map_flags, BPF_F_MMAPABLE);
    __uint(max_entries, WEIR_HINT_WORDS);
    __type(key, __u32);
    __type(value, __u64);
} weir_hints SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, WEIR_SERVICE_OUTCOME_COUNT);
    __type(key, __u32);
    __type(value, __u64);
} weir_outcomes SEC(".maps");

static __always_inline int service_is_balanced(__u32 protocol) {
    return protocol == IPPROTO_TCP || protocol == IPPROTO_UDP || protocol == IPPROTO_SCTP;
}

/* Whether this may be a frontend: cheaper than to look for it. */
static __always_inline int service_is_hinted(const struct weir_address* address, __be16 port) {
    __u16 bit = WEIR_HINT_BIT(address->words, port);
    __u32 index = bit / 64;
    const __u64* word = bpf_map_lookup_elem(&weir_hints, &index);

    return word && (*word >> (bit % 64) & 1);
}

/* The frontend, or what its address has for ports that the service does not have; 0: no service's
 * address. */
static __always_inline const struct weir_service* service_lookup(
    const struct weir_service_key* frontend) {
    struct weir_service_key any_port;
    const struct weir_service* service = bpf_map_lookup_elem(&weir_services, frontend);

    if (service) return service;
    any_port = *frontend;
    any_port.port = 0;
    any_port.protocol = 0;
    return bpf_map_lookup_elem(&weir_services, &any_port);
}

static __always_inline void service_count(__u32 outcome) {
    __u64* count = bpf_map_lookup_elem(&weir_outcomes, &outcome);

    if (count) ++*count;
}

#endif
