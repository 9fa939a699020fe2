/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* The clients that a service with WEIR_SERVICE_SOURCE_RANGES is for. */
#ifndef WEIR_BPF_SERVICE_SOURCE_H
#define WEIR_BPF_SERVICE_SOURCE_H

#include "service.h"

struct {
    __uint(type, BPF_MAP_TYPE_LPM_TRIE);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __uint(max_entries, 16384);
    __type(key, struct weir_source_range);
    __type(value, __u8);
} weir_sources SEC(".maps");

#endif
