/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* The part of the contract (bpf/abi.h) that is about packets from outside the node. The same rules
 * hold. */
#ifndef WEIR_BPF_ABI_UPLINK_H
#define WEIR_BPF_ABI_UPLINK_H

#include "abi_service.h"

/* weir_uplink: ARRAY of one element, written by the agent: what the programs know of their node.
 * The addresses are the source of what goes to a backend on another node; ::, where the node has
 * none of the family. The source ports, both included, are nobody else's on this node. */
struct weir_uplink {
    struct weir_address v4;
    struct weir_address v6;
    __u16 first_port;
    __u16 last_port;
    __u32 spare;
};
WEIR_ASSERT_SIZE(struct weir_uplink, 40);

/* weir_uplinks: ARRAY of struct weir_interface: interfaces that have the programs. An interface is
 * in one of the WEIR_UPLINK_TRIES places from its number on, modulo the number of places. Written
 * by the agent. */
enum { WEIR_UPLINK_PLACES = 256, WEIR_UPLINK_TRIES = 4 };

enum weir_uplink_mode {
    WEIR_UPLINK_TC = 1, /* the tc program alone */
    WEIR_UPLINK_XDP = 2 /* and before it the XDP program, which may redirect to it */
};

struct weir_interface {
    __u32 ifindex; /* 0: free */
    __u32 mode;    /* enum weir_uplink_mode */
    __u8 mac[6];   /* frames to another are not for the node */
    __u8 pad[2];
};
WEIR_ASSERT_SIZE(struct weir_interface, 16);

/* In struct weir_nat's flags, besides enum weir_nat_flags. */
enum weir_uplink_nat_flags {
    WEIR_NAT_DSR = 1 << 4,     /* the request is encapsulated to the backend's node */
    WEIR_NAT_CLOSING = 1 << 5, /* an end of the connection said FIN or RST in this direction */
    WEIR_NAT_ASKED = 1 << 6,   /* at the pod's hook: WEIR_NAT_OWN says what the node's table said */
    WEIR_NAT_OWN = 1 << 7,     /* the source that the answer gets is the node's own address */
    WEIR_NAT_PENDING = 1 << 8  /* nobody answered yet: the requests have no element of their own */
};

/* Where a flow's packets go from here: what the node's tables said, good for one tick of the
 * clock, so that they are not asked for every packet. */
struct weir_way {
    __u32 ifindex; /* 0: not known */
    __u32 tick;    /* jiffies when they were asked */
    __u16 mtu;     /* bytes from the IP header on; 0: ask for each packet */
    __u8 to[6];    /* MAC addresses */
    __u8 from[6];
    __u8 pad[2];
};
WEIR_ASSERT_SIZE(struct weir_way, 24);

/* weir_ways: ARRAY, backend id -> struct weir_backend_way: that of the requests of flows that
 * begin, until they have asked for their own. The XDP program's own, and nobody's afterwards. */
struct weir_backend_way {
    struct weir_way way;
    __u32 generation; /* the backend's */
    __u32 ingress;    /* the interface they came in by: tables may differ */
};
WEIR_ASSERT_SIZE(struct weir_backend_way, 32);

/* weir_uplink_nat: LRU_HASH, struct weir_nat_key -> struct weir_uplink_nat: as weir_nat, of flows
 * from outside: a flood of those evicts no pod's. Of a connection that Maglev sends to another
 * node, the first answer makes the requests' element: until then the SYN finds its way anew.
 * Requests are the uplink's. So are answers from other nodes; where the request kept its source,
 * they are the egress hook's of the pod that gives them. */
struct weir_uplink_nat {
    struct weir_nat nat;
    struct weir_way way; /* of the XDP program's */
};
WEIR_ASSERT_SIZE(struct weir_uplink_nat, 80);

/* weir_host_ports: ARRAY of __u32: a bit for each port (32 a word, in host byte order) from which
 * the node itself has answered as a backend, and last a word that says whether there is any. The
 * programs' own. What leaves the node from another port is not looked at. */
enum { WEIR_HOST_PORT_WORDS = 65536 / 32 };

/* What became of packets that are a service's: the enum, the metric label, the text.
 * weir_forwards: PERCPU_ARRAY of __u64, by this enum. Append only. */
#define WEIR_UPLINK_OUTCOMES(WEIR_OUTCOME)                                                         \
    WEIR_OUTCOME(LOCAL, "local", "to a backend on this node")                                      \
    WEIR_OUTCOME(FORWARDED, "forwarded", "to a backend on another node, with the node's address")  \
    WEIR_OUTCOME(ANSWERED, "answered", "from a backend on another node to the client")             \
    WEIR_OUTCOME(ENCAPSULATED, "encapsulated",                                                     \
                 "to a backend on another node, which answers the client itself")                  \
    WEIR_OUTCOME(DECAPSULATED, "decapsulated", "from another node, in an outer IP header")         \
    WEIR_OUTCOME(ERROR, "icmp_error", "an ICMP error about a translated flow")                     \
    WEIR_OUTCOME(REFUSED, "refused",                                                               \
                 "no usable backend, or a share that a route refuses: RST or ICMP error")          \
    WEIR_OUTCOME(NO_SUCH_PORT, "no_such_port", "dropped: the service has no such port")            \
    WEIR_OUTCOME(SOURCE, "source",                                                                 \
                 "dropped: the client is in none of the service's loadBalancerSourceRanges")       \
    WEIR_OUTCOME(NO_PORT, "no_port",                                                               \
                 "dropped: every source port tried for the backend is in use (--snat-ports)")      \
    WEIR_OUTCOME(TOO_BIG, "too_big", "ICMP error: does not fit into the way's MTU")                \
    WEIR_OUTCOME(NO_ROUTE, "no_route", "dropped: the node has no route to the backend or client")  \
    WEIR_OUTCOME(NO_ADDRESS, "no_address", "untouched: the node has no address of this IP family") \
    WEIR_OUTCOME(WRONG_FAMILY, "wrong_family", "untouched: backend of the other IP family")        \
    WEIR_OUTCOME(SCTP_PORT, "sctp_port",                                                           \
                 "untouched: an SCTP packet whose port would change, and with it its CRC32c")      \
    WEIR_OUTCOME(EXPIRED, "expired", "untouched: its time to live ends here")                      \
    WEIR_OUTCOME(                                                                                  \
        ORPHAN, "orphan",                                                                          \
        "dropped: a fragment out of an outer IP header whose first fragment is forgotten")         \
    WEIR_OUTCOME(NONE_HERE, "none_here",                                                           \
                 "dropped: externalTrafficPolicy is Local and every backend on another node")

enum weir_uplink_outcome {
#define WEIR_OUTCOME(name, word, text) WEIR_UPLINK_##name,
    WEIR_UPLINK_OUTCOMES(WEIR_OUTCOME)
#undef WEIR_OUTCOME
        WEIR_UPLINK_OUTCOME_COUNT
};

#endif
