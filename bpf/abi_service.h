/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The part of the contract (bpf/abi.h) that is about services: frontends, slots, backends. The same
 * rules hold; a change of a layout raises WEIR_ABI_VERSION.
 *
 * frontend (weir_services) -> a range of slots (weir_slots) -> a backend (weir_backends)
 */
#ifndef WEIR_BPF_ABI_SERVICE_H
#define WEIR_BPF_ABI_SERVICE_H

#include "abi.h"

/* From where a frontend is reached. A service's traffic policies may differ between the two, so an
 * address that both reach has two entries. */
enum weir_service_scope {
    WEIR_SCOPE_INTERNAL = 0, /* from this node: its pods and its own processes */
    WEIR_SCOPE_EXTERNAL = 1  /* by packets that come in at the uplink */
};

/* weir_services: HASH (no preallocation), struct weir_service_key -> struct weir_service. Written
 * by the agent, one element at a time: a frontend flips from one range of slots to the next by one
 * update. port and protocol 0: what has the address and no frontend of its own (a port that the
 * service does not have). */
struct weir_service_key {
    struct weir_address address;
    __be16 port;
    __u8 protocol; /* IPPROTO_TCP, IPPROTO_UDP, IPPROTO_SCTP */
    __u8 scope;    /* enum weir_service_scope */
    __u8 pad[4];
};
WEIR_ASSERT_SIZE(struct weir_service_key, 24);

enum weir_service_flags {
    WEIR_SERVICE_DROP = 1 << 0,          /* nothing answers here, and nothing says so */
    WEIR_SERVICE_SOURCE_RANGES = 1 << 1, /* only for clients in weir_sources */
    WEIR_SERVICE_LEAST_LOADED = 1 << 2,  /* two draws; the one with fewer live connections */
    WEIR_SERVICE_MAGLEV = 1 << 3,        /* by the hash of the flow, in the Maglev range */
    WEIR_SERVICE_DSR = 1 << 4,           /* the backend's node answers the client itself */
    WEIR_SERVICE_CLOSE_TCP = 1 << 5,     /* sockets of a removed backend are closed, TCP too */
    WEIR_SERVICE_NONE_HERE = 1 << 6      /* no slots, for its backends are all on other nodes */
};

/* weir_hints: ARRAY (mmap) of 64-bit words: a bit for each address and port that is a frontend's,
 * by WEIR_HINT_BIT() of the address's words and the port. What a pod sends elsewhere is for no
 * service, and there it may be: a bit stays for as long as the agent runs. Written by the agent. */
enum { WEIR_HINT_WORDS = 1024 };
#define WEIR_HINT_BIT(words, port)                                            \
    ((__u16)((((words)[0] ^ (words)[1] ^ (words)[2] ^ (port)) * 0x9e3779b1u ^ \
              (words)[3] * 0x85ebca6bu) >>                                    \
             16))

/* One port of one service, as one of its frontends shows it. A frontend without slots refuses
 * (ICMP error or RST), with WEIR_SERVICE_NONE_HERE it drops. Weights are numbers of slots. id: of
 * the service's port, the same for all of its frontends and over restarts of the agent. */
struct weir_service {
    __u32 id;
    __u32 first_slot;   /* in weir_slots */
    __u32 slot_count;   /* 0: no backend */
    __u32 first_maglev; /* in weir_slots too */
    __u32 maglev_count; /* 0: not reachable from outside, or Maglev is not chosen */
    __u32 affinity;     /* seconds for which a client stays with its backend; 0: it does not */
    __u32 flags;        /* enum weir_service_flags */
    __u32 spare;
};
WEIR_ASSERT_SIZE(struct weir_service, 32);

/* weir_slots: ARRAY (mmap) of backend ids. A range that a frontend names never changes, but for
 * its being named no more; it is used again only after a grace period. A slot with
 * WEIR_BACKEND_NONE refuses: the share of a route's backendRef that leads nowhere. */
enum { WEIR_BACKEND_NONE = 0 };

/* weir_backends: ARRAY (mmap), backend id -> struct weir_backend; none has the id
 * WEIR_BACKEND_NONE. One per service port and endpoint address, so that limits and ejection are the
 * service's own. The agent writes all but live and failures, which are the programs'. An id is used
 * again only after a grace period and when live is 0 or its sockets are closed. state is a per-node
 * overlay: a slot whose backend is not usable walks on to the next. */
enum weir_backend_state {
    WEIR_BACKEND_UNUSED = 0, /* free */
    WEIR_BACKEND_ACTIVE = 1,
    WEIR_BACKEND_DRAINING = 2, /* terminating, weight 0, or not ready: existing flows only */
    WEIR_BACKEND_EJECTED = 3,  /* an outlier; comes back */
    WEIR_BACKEND_REMOVED = 4   /* gone: its sockets are closed */
};

struct weir_backend {
    struct weir_address address;
    __be16 port;
    __u8 protocol;
    __u8 state;            /* enum weir_backend_state: one byte, stored atomically */
    __u32 service;         /* id */
    __u32 generation;      /* of this id's use: tells its users apart */
    __u32 max_connections; /* 0: no limit */
    __u32 live;            /* connections now */
    __u32 failures;        /* consecutive: handshakes that failed, resets before any answer; while
                              somebody asks for ejection */
    __u64 opened;          /* connections ever */
    __u64 failed;          /* of those, handshakes from pods without an answer; while somebody asks
                              for ejection, from the node itself too, and those that were refused */
    __u8 is_local;         /* on this node */
    __u8 pad[7];
};
WEIR_ASSERT_SIZE(struct weir_backend, 64);

/* weir_sources: LPM_TRIE, struct weir_source_range -> __u8 1: clients that a service with
 * WEIR_SERVICE_SOURCE_RANGES is for. prefix_length comes first because the kernel's trie demands
 * it, and counts the 32 bits of the service as well. */
struct weir_source_range {
    __u32 prefix_length;
    __u32 service; /* id */
    struct {
        __u8 bytes[16];
    } address;
};
WEIR_ASSERT_SIZE(struct weir_source_range, 24);

/* weir_affinities: LRU_HASH, struct weir_affinity_key -> struct weir_affinity: the backend that a
 * client of a service with affinity had last. The programs' own. */
struct weir_affinity_key {
    struct weir_address client;
    __u32 service; /* id */
    __u32 pad;
};
WEIR_ASSERT_SIZE(struct weir_affinity_key, 24);

struct weir_affinity {
    __u64 last_used; /* CLOCK_MONOTONIC, ns */
    __u32 backend;   /* id */
    __u32 generation;
};
WEIR_ASSERT_SIZE(struct weir_affinity, 16);

/* A backend in use. As one word, because whoever takes it out of a socket takes the backend's count
 * back: the process may close the socket while its pod's hook gives it another (service_retry.h).
 */
union weir_use {
    struct {
        __u32 backend; /* id; 0: none */
        __u32 generation;
    };
    __u64 word;
};

/* What a connected socket was given. The programs' own. The frontend is what the process connected
 * to, and what getpeername and recvmsg show it. */
struct weir_socket {
    struct weir_address frontend;
    union weir_use use;
    __be16 port;     /* the frontend's */
    __u16 failures;  /* the backend's, which the connection's handshake ended */
    __u8 has_failed; /* the handshake: counted */
    __u8 is_moved;   /* the backend is not the kernel's peer of the socket: service_retry.h */
    __u8 pad[2];
};
WEIR_ASSERT_SIZE(struct weir_socket, 32);

/* weir_sockets: ARRAY (mmap) of sets, by socket cookie; freed when the socket closes. Cookies are
 * counted up, so that the sets fill evenly. weir_spilled: SK_STORAGE of struct weir_socket, for
 * sockets that find their set full. Storage in the socket alone would be simpler, and is what they
 * all had at first: making it takes ten times as long as the whole rest of a connect(). */
enum { WEIR_SOCKET_SETS = 16384, WEIR_SOCKET_WAYS = 4 };

struct weir_socket_set {
    __u64 cookies[WEIR_SOCKET_WAYS]; /* 0: free */
    struct weir_socket sockets[WEIR_SOCKET_WAYS];
};
WEIR_ASSERT_SIZE(struct weir_socket_set, 160);

/* weir_datagrams: SK_STORAGE: services to which an unconnected UDP socket sends. The programs'
 * own. A peer keeps its backend as a flow does: until the backend is not active any more, or
 * nothing was sent for two minutes. next: counts the peers ever; the oldest makes room. */
enum { WEIR_DATAGRAM_PEERS = 8 };

struct weir_datagram_peer {
    struct weir_address frontend;
    __u32 backend; /* id; 0: free, or being written */
    __u32 generation;
    __u32 last_sent; /* CLOCK_MONOTONIC, units of 2^30 ns */
    __be16 port;     /* the frontend's */
    __u8 pad[2];
};
WEIR_ASSERT_SIZE(struct weir_datagram_peer, 32);

struct weir_datagrams {
    struct weir_datagram_peer peers[WEIR_DATAGRAM_PEERS];
    __u32 next;
    __u32 pad;
};
WEIR_ASSERT_SIZE(struct weir_datagrams, 264);

/* weir_nat: LRU_HASH, struct weir_nat_key -> struct weir_nat: what becomes of the packets of one
 * direction of a pod's flow to a service. Two elements a flow, one for each direction, each keyed
 * by the packet as it comes to the hook that translates it: requests at the pod's egress hook,
 * answers at its ingress hook. The programs' own. The reply's element is inserted first, with
 * BPF_NOEXIST: that allocates the source port, exactly. Flows from outside have a map of their own
 * (abi_uplink.h). */
struct weir_nat_key {
    struct weir_address source;
    struct weir_address destination;
    __be16 source_port;
    __be16 destination_port;
    __u8 protocol;
    __u8 pad[3];
};
WEIR_ASSERT_SIZE(struct weir_nat_key, 40);

enum weir_nat_flags {
    WEIR_NAT_REPLY = 1 << 0,   /* undoes what the other element does */
    WEIR_NAT_HAIRPIN = 1 << 1, /* the pod reaches itself: both elements are its egress hook's */
    /* The handshake was moved away from the key's destination, which is a backend itself. */
    WEIR_NAT_MOVED = 1 << 2
};

struct weir_nat {
    struct weir_address source; /* what the packet carries afterwards */
    struct weir_address destination;
    __be16 source_port;
    __be16 destination_port;
    __u32 backend; /* id */
    __u32 generation;
    __u16 flags;     /* enum weir_nat_flags */
    __u16 tick;      /* jiffies when last_used was taken: it is taken once a tick */
    __u64 last_used; /* CLOCK_MONOTONIC, coarse ns */
};
WEIR_ASSERT_SIZE(struct weir_nat, 56);

/* weir_rewrites: PERCPU_ARRAY of one element: what a pod's hook tells the program in which it ends,
 * which writes (bpf/rewrite.h). weir_egress_writer, weir_ingress_writer: PROG_ARRAY of one element,
 * that program; filled by the loader. */
struct weir_rewrite {
    struct weir_nat to;
    __u32 is_partial; /* a device completes the transport's checksum */
    __u32 pad;
};
WEIR_ASSERT_SIZE(struct weir_rewrite, 64);

/* weir_error_budget: PERCPU_ARRAY of one element: ICMP errors that the CPU may yet send. The
 * programs' own. As many as Linux sends of its own (icmp_msgs_per_sec, icmp_msgs_burst). */
enum { WEIR_ERROR_BURST = 50, WEIR_ERROR_INTERVAL = 1000000 /* ns */ };

struct weir_error_budget {
    __u64 last; /* CLOCK_MONOTONIC, coarse ns: when errors was brought up to date */
    __u32 errors;
    __u32 spare;
};
WEIR_ASSERT_SIZE(struct weir_error_budget, 16);

/* What happened to connections other than that they got a backend: the enum, the metric label, the
 * text. weir_outcomes: PERCPU_ARRAY of __u64, by this enum. Append only. */
#define WEIR_SERVICE_OUTCOMES(WEIR_OUTCOME)                                                    \
    WEIR_OUTCOME(NO_BACKEND, "no_backend", "refused: the service has no backend")              \
    WEIR_OUTCOME(NONE_USABLE, "none_usable",                                                   \
                 "refused: every backend is ejected, draining or at its limit of connections") \
    WEIR_OUTCOME(DROPPED, "dropped", "no such port of the service")                            \
    WEIR_OUTCOME(NOT_RECORDED, "not_recorded",                                                 \
                 "no memory for the socket's state: it sees the backend's address, uncounted") \
    WEIR_OUTCOME(WRONG_FAMILY, "wrong_family", "untouched: backend of the other IP family")    \
    WEIR_OUTCOME(SCTP_PORT, "sctp_port",                                                       \
                 "untouched: an SCTP packet whose port would change, and with it its CRC32c")  \
    WEIR_OUTCOME(NAT_FULL, "nat_full",                                                         \
                 "untouched: no source port is free, or no room to remember the flow")         \
    WEIR_OUTCOME(NAT_LOST, "nat_lost", "an answer whose flow was forgotten: untouched")        \
    WEIR_OUTCOME(ROUTE_REFUSED, "route_refused",                                               \
                 "refused: the share of a route's backendRef that leads nowhere")              \
    WEIR_OUTCOME(RETRIED, "retried",                                                           \
                 "a handshake that its backend did not answer went on to another")

enum weir_service_outcome {
#define WEIR_OUTCOME(name, word, text) WEIR_SERVICE_##name,
    WEIR_SERVICE_OUTCOMES(WEIR_OUTCOME)
#undef WEIR_OUTCOME
        WEIR_SERVICE_OUTCOME_COUNT
};

#endif
