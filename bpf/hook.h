/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* A pod's hook while a packet passes it, and what becomes of the packet. */
#ifndef WEIR_BPF_HOOK_H
#define WEIR_BPF_HOOK_H

#include "endpoint.h"

/* Same values as TCX_NEXT and TCX_DROP: let the next program of the hook decide, never skip it. */
#define VERDICT_PASS -1
#define VERDICT_DROP 2
/* It is on its way past the kernel's stack: bpf_redirect_neigh() says so. */
#define VERDICT_SENT 7
/* Not yet the hook's verdict, where there are services. */
#define VERDICT_ANSWER 16   /* passes; a service's address has yet to be put in */
#define VERDICT_ASK 17      /* the flow is unknown: it may be for a service */
#define VERDICT_ASK_PORT 18 /* a flow to a service has these addresses and ports already */
#define VERDICT_RETRY 19    /* no answer came to a SYN that it follows: see service_retry.h */

/* Where this packet passes: everything the decision needs but the packet itself. */
struct hook {
    const struct weir_pod* pod;
    __u32 direction;
    __u8 is_own_node; /* the pod's own node sent it */
    __s8 translation; /* enum translation, or -reason */
    __u16 roles;      /* WEIR_FLOW_TRANSLATED, WEIR_FLOW_OF_SERVICE: what services the flow needs */
};

#endif
