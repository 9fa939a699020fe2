/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The one contract between the kernel half and the userspace half: map keys and values, events,
 * drop reasons, reserved ids. Compiled for -target bpf and by the C++ compiler alike.
 * A change of any layout here raises WEIR_ABI_VERSION: pins live under <bpffs>/v<version>/.
 */
#ifndef WEIR_BPF_ABI_H
#define WEIR_BPF_ABI_H

#include <linux/bpf.h>
#include <linux/types.h>

#ifdef __cplusplus
#define WEIR_ASSERT_SIZE(type, size) static_assert(sizeof(type) == (size), #type)
#else
#define WEIR_ASSERT_SIZE(type, size) _Static_assert(sizeof(type) == (size), #type)
#endif

#define WEIR_ABI_VERSION 5

/* Sizes that both halves must agree on; every other limit is set when the object is loaded. */
enum {
    WEIR_MAX_PODS = 4096,          /* slots of weir_pods */
    WEIR_POD_ADDRESSES = 6,        /* addresses of one endpoint: dual stack, link-local, spare */
    WEIR_ROW_MAX_INTERVALS = 65536 /* one row's intervals: bounds the search in the kernel */
};

/* The side of a flow that a policy judges: the initiator's egress or the responder's ingress. Also
 * names the hook: what a pod sends passes the egress hook, what it receives the ingress hook. */
enum weir_direction { WEIR_EGRESS = 0, WEIR_INGRESS = 1, WEIR_DIRECTIONS = 2 };

/* An IPv6 address, or an IPv4 address mapped to ::ffff:a.b.c.d. Network byte order. */
struct weir_address {
    union {
        __u8 bytes[16];
        __be32 words[4];
        __u64 halves[2];
    };
};
WEIR_ASSERT_SIZE(struct weir_address, 16);

/* ---- pods ---------------------------------------------------------------------------------- */

/* A count of packets, as on the wire. */
struct weir_counter {
    __u64 packets;
    __u64 bytes;
};
WEIR_ASSERT_SIZE(struct weir_counter, 16);

/* weir_pods: ARRAY (mmap), one slot per endpoint. The agent writes, the programs read; passed alone
 * is the programs'.
 * rules[direction] is replaced by one aligned 8-byte store: generation in the upper half, table in
 * the lower. A program loads it once, before anything else that a verdict depends on. What most
 * packets need lies in the first 64 bytes. passed[hook] counts the packets of established flows: a
 * per-CPU map would be one page more to look up in a cold TLB, a quarter of what such a packet
 * costs. It goes on counting when the slot changes hands. */
struct weir_pod {
    __u64 rules[WEIR_DIRECTIONS];
    __u32 ifindex; /* host side of the pod's veth; 0 while the slot is free */
    __u8 mac[6];   /* of the pod's interface */
    __u8 pad[6];
    struct weir_address addresses[WEIR_POD_ADDRESSES]; /* the pod's own; unused ones are :: */
    struct weir_counter passed[WEIR_DIRECTIONS];       /* in a cache line of their own */
    __u64 spare[4];
};
WEIR_ASSERT_SIZE(struct weir_pod, 192);

/* No slot. */
#define WEIR_SLOT_NONE 0xffffffffu

/* The slot that an interface's endpoint gets when it is free: found without a lookup. */
#define WEIR_SLOT_HOME(ifindex) ((ifindex) % WEIR_MAX_PODS)

/* weir_endpoints: HASH, __u32 ifindex -> __u32 slot in weir_pods. Asked where the home slot is not
 * the interface's. Written by the agent when an endpoint comes or goes. */

#define WEIR_RULES_WORD(generation, table) (((__u64)(generation) << 32) | (__u32)(table))
#define WEIR_RULES_GENERATION(word) ((__u32)((word) >> 32))
#define WEIR_RULES_TABLE(word) ((__u32)(word))

/* ---- policy -------------------------------------------------------------------------------- */

/* Class 0: no predicate holds for the address. The lower bits of a class number it among those of
 * one parent class, in which they are 0: a table without a row for the class has the parent's row
 * for it, and without that one its default row. */
enum { WEIR_CLASS_NONE = 0, WEIR_CLASS_PARENT_SHIFT = 18 };
#define WEIR_CLASS_PARENT(class_id) ((__u32)(class_id) & (~0u << WEIR_CLASS_PARENT_SHIFT))

/* Table 0 never exists: a slot that names it is not ready and everything is dropped.
 * Tables from WEIR_TABLE_FIRST on are the compiler's. */
enum { WEIR_TABLE_NONE = 0, WEIR_TABLE_FIRST = 1 };

/* weir_peers: HASH (no preallocation), struct weir_address -> struct weir_peer. Exact addresses.
 * A class is changed in place under the lock (BPF_F_LOCK), so that no reader ever holds an element
 * that was freed and reused for another address. Programs read it without taking the lock. */
struct weir_peer {
    struct bpf_spin_lock lock;
    __u32 class_id;
};
WEIR_ASSERT_SIZE(struct weir_peer, 8);

/* weir_prefixes: LPM_TRIE, struct weir_prefix -> __u32 class. Asked when weir_peers has no entry.
 * prefix_length comes first because the kernel's trie demands it; it counts in the 128 bits of the
 * (mapped) address, so an IPv4 /8 is 104. */
struct weir_prefix {
    __u32 prefix_length;
    struct {
        __u8 bytes[16];
    } address;
};
WEIR_ASSERT_SIZE(struct weir_prefix, 20);

/* A row: count intervals at offset of weir_rows. count 0 is never valid. */
struct weir_row {
    __u32 offset;
    __u32 count;
};
WEIR_ASSERT_SIZE(struct weir_row, 8);

/* weir_tables: ARRAY (mmap), table -> struct weir_row, the row of every class without a rule of its
 * own or of its parent. */

/* weir_rules: HASH, struct weir_rule_key -> struct weir_row. An entry never changes while a slot
 * names its table. Preallocated: a new table's rows are written in half the time (0.32 us each). */
struct weir_rule_key {
    __u32 table;
    __u32 class_id;
};
WEIR_ASSERT_SIZE(struct weir_rule_key, 8);

/* weir_rows: ARRAY (mmap) of intervals. Those of one row are sorted by start; each reaches up to
 * the start of the next, the first one starts at 0, so that every port has a verdict. */
struct weir_interval {
    __u32 start;   /* WEIR_PORT_KEY(protocol, port) */
    __u32 verdict; /* rule id, with WEIR_VERDICT_DENY when it denies */
};
WEIR_ASSERT_SIZE(struct weir_interval, 8);

/* Position of a protocol and port in a row. Protocols without ports (all but TCP, UDP and SCTP)
 * share position 0: only a rule without ports admits them. */
#define WEIR_PORT_KEY(protocol, port) (((__u32)(protocol) << 16) | (__u32)(port))
#define WEIR_PORT_KEY_OTHER 0u

/* DENY: dropped. AUDIT: let by and recorded, because only audited policies deny it; never both.
 * OWN_NODE, with DENY: a cluster policy that fails closed denies everything, what the pod's own
 * node sends too, which passes before any other rule. */
#define WEIR_VERDICT_DENY 0x80000000u
#define WEIR_VERDICT_AUDIT 0x40000000u
#define WEIR_VERDICT_OWN_NODE 0x20000000u
#define WEIR_VERDICT_RULE(verdict) \
    ((verdict) & ~(WEIR_VERDICT_DENY | WEIR_VERDICT_AUDIT | WEIR_VERDICT_OWN_NODE))

/* Rule ids that no policy owns. */
enum {
    WEIR_RULE_NONE = 0,        /* not isolated: no policy selects the pod in this direction */
    WEIR_RULE_OWN_NODE = 1,    /* traffic of the pod's own node */
    WEIR_RULE_OWN_ADDRESS = 2, /* a pod that talks to itself */
    WEIR_RULE_POD_UNKNOWN = 3, /* endpoint whose Pod object is not known yet */
    WEIR_RULE_NEIGHBOUR = 4,   /* ARP, neighbour discovery, multicast listener reports */
    WEIR_RULE_RELATED = 5,     /* ICMP error that belongs to an allowed flow */
    WEIR_RULE_FIRST = 16
};

/* ---- flows --------------------------------------------------------------------------------- */

/* Key of weir_flows and weir_new_flows, the same for both directions of travel: the end whose
 * (address, port) compares lower, as two native 64-bit words and the port in network order, comes
 * first. ICMP echo uses its identifier as both ports; other protocols have none. */
struct weir_flow_key {
    struct weir_address low;
    struct weir_address high;
    __be16 low_port;
    __be16 high_port;
    __u8 protocol;
    __u8 pad[3];
};
WEIR_ASSERT_SIZE(struct weir_flow_key, 40);

enum weir_flow_state {
    WEIR_FLOW_INITIATOR_HIGH = 1 << 0, /* the initiator is the key's high end */
    WEIR_FLOW_OWN_NODE = 1 << 1,       /* opened by the responder's own node */
    WEIR_FLOW_EGRESS_LOCAL = 1 << 2,   /* the initiator is an endpoint here: its hooks count */
    WEIR_FLOW_INGRESS_LOCAL = 1 << 3,  /* the responder is an endpoint here */
    WEIR_FLOW_FIN = 1 << 4,            /* FIN of the initiator; << 1 of the responder */
    WEIR_FLOW_FIN_REPLY = 1 << 5,
    WEIR_FLOW_CLOSED = 1 << 6,   /* RST, or FIN both ways; the entry serves stragglers only */
    WEIR_FLOW_ANSWERED = 1 << 7, /* packets were seen both ways: lives in weir_flows */
    /* Answers get a service's address as they leave the responder: the uplink translated the
     * request, and weir_uplink_nat has the element of the reply. */
    WEIR_FLOW_TRANSLATED = 1 << 8,
    /* The initiator talks to a service: its own hooks translate what it sends and gets. */
    WEIR_FLOW_OF_SERVICE = 1 << 9,
    WEIR_FLOW_SLOT_SHIFT = 16 /* above: slot of the endpoint whose hook made the entry */
};

/* weir_flows: LRU_HASH of answered flows. weir_new_flows: a smaller one of unanswered flows, so
 * that a flood of new flows evicts no answered one. weir_crowded_flows: those that a pod opens
 * beyond its share of the unanswered ones, so that it evicts nobody else's. Answered flows beyond
 * the pod's share of weir_flows stay in these two until a packet finds room. Written by the
 * programs; the agent only reads. packets and bytes: [0] from the initiator, [1] from the
 * responder; as on the wire. sides[direction]: WEIR_RULES_WORD(generation, rule) under which that
 * side last allowed the flow, with WEIR_VERDICT_AUDIT in the rule; written by that side's hooks
 * only, by one 8-byte store; 0 = not judged yet. */
struct weir_flow {
    __u64 packets[2];
    __u64 bytes[2];
    __u64 sides[WEIR_DIRECTIONS];
    __u64 first_seen; /* CLOCK_MONOTONIC, ns */
    __u64 last_seen;
    __u32 state;    /* enum weir_flow_state */
    __u16 reported; /* time of the last event, in units of 2^30 ns */
    __u16 tick;     /* jiffies when last_seen was taken: it is taken once a tick */
};
WEIR_ASSERT_SIZE(struct weir_flow, 72);

/* weir_loads: ARRAY, slot (WEIR_MAX_PODS: packets without endpoint) -> what an endpoint's hooks did
 * in the current window of 2^30 ns, but answered: in one of 2^36 ns. The programs' own. opened:
 * unanswered flows made. answered: flows moved to weir_flows. fragments: datagrams whose first
 * fragment passed. events and held_back: per enum weir_event_flood, events seen, and those that
 * wait to be counted by the next one that is reported. */
enum weir_event_flood { WEIR_FLOOD_FLOWS = 0, WEIR_FLOOD_DENIED = 1, WEIR_FLOODS = 2 };

struct weir_load {
    __u32 window;
    __s32 opened;
    __u32 events[WEIR_FLOODS];
    __u32 held_back[WEIR_FLOODS];
    __u32 fragments;
    __u32 answered_window;
    __u32 answered;
    __u32 pad;
};
WEIR_ASSERT_SIZE(struct weir_load, 40);

/* weir_fragments: LRU_HASH; the ports that later fragments of a datagram inherit from its first.
 * weir_crowded_fragments: the same for what a pod sends or gets beyond its share. */
struct weir_fragment_key {
    struct weir_address source;
    struct weir_address destination;
    __be32 identification;
    __u8 protocol;
    __u8 pad[3];
};
WEIR_ASSERT_SIZE(struct weir_fragment_key, 40);

struct weir_fragment {
    __be16 source_port;
    __be16 destination_port;
    __u8 icmp_type;
    __u8 opening; /* enum packet_opening of bpf/parse.h */
    __u8 pad[2];
};
WEIR_ASSERT_SIZE(struct weir_fragment, 8);

/* ---- drops, counters, events --------------------------------------------------------------- */

/* Every reason for which a packet is dropped: the enum, the metric label, the word in flows and
 * logs. Append only. Each has a test that produces it (tests/bpf). */
#define WEIR_DROP_REASONS(WEIR_DROP)                                                              \
    WEIR_DROP(POLICY_DENY, "policy_deny", "a policy denies it")                                   \
    WEIR_DROP(POD_UNKNOWN, "pod_unknown", "the endpoint's Pod object is not known yet")           \
    WEIR_DROP(NO_ENDPOINT, "no_endpoint", "no endpoint is registered for the interface")          \
    WEIR_DROP(DANGLING_ID, "dangling_id", "a table or row the pod names does not exist")          \
    WEIR_DROP(SPOOFED_SOURCE, "spoofed_source", "the source address is not the pod's")            \
    WEIR_DROP(SPOOFED_NEIGHBOUR, "spoofed_neighbour",                                             \
              "ARP or neighbour discovery claims an address that is not the pod's")               \
    WEIR_DROP(NOT_ADDRESSED, "not_addressed", "flooded frame that is not for this pod")           \
    WEIR_DROP(NON_IP, "non_ip", "neither IPv4, IPv6 nor ARP")                                     \
    WEIR_DROP(TRUNCATED_FRAME, "truncated_frame", "Ethernet or VLAN header cut short")            \
    WEIR_DROP(VLAN_DEPTH, "vlan_depth", "more than two VLAN tags")                                \
    WEIR_DROP(INVALID_ARP, "invalid_arp", "malformed ARP")                                        \
    WEIR_DROP(TRUNCATED_IP, "truncated_ip", "IP header cut short")                                \
    WEIR_DROP(INVALID_IP, "invalid_ip", "IP header with a wrong version or length")               \
    WEIR_DROP(INVALID_ADDRESS, "invalid_address", "IPv6 packet with an IPv4-mapped address")      \
    WEIR_DROP(IPV6_EXTENSIONS, "ipv6_extensions", "too many or malformed extension headers")      \
    WEIR_DROP(TRUNCATED_TRANSPORT, "truncated_transport", "transport header cut short")           \
    WEIR_DROP(INVALID_TRANSPORT, "invalid_transport", "transport header with a wrong length")     \
    WEIR_DROP(FRAGMENT_ORPHAN, "fragment_orphan", "fragment whose first fragment was not let by") \
    WEIR_DROP(SERVICE_PORT, "service_port", "the service has no such port")                       \
    WEIR_DROP(SERVICE_SOURCE, "service_source",                                                   \
              "the client is in none of the service's loadBalancerSourceRanges")                  \
    WEIR_DROP(SERVICE_NO_BACKEND, "service_no_backend",                                           \
              "refused with an RST or ICMP error: the service has no usable backend")             \
    WEIR_DROP(SERVICE_MOVED, "service_moved",                                                     \
              "a late answer to a handshake that went on to another backend")

enum weir_drop_reason {
    WEIR_DROP_NONE = 0,
#define WEIR_DROP(name, word, text) WEIR_DROP_##name,
    WEIR_DROP_REASONS(WEIR_DROP)
#undef WEIR_DROP
        WEIR_DROP_REASON_COUNT
};

/* weir_counters: PERCPU_ARRAY of struct weir_counter, index direction * WEIR_DROP_REASON_COUNT +
 * reason, where reason 0 counts what was let by and is not in weir_pods. Indices from
 * WEIR_COUNTER_EVENTS_LOST on count other things. */

enum {
    WEIR_COUNTER_EVENTS_LOST =
        (int)WEIR_DIRECTIONS * (int)WEIR_DROP_REASON_COUNT, /* ring buffer full */
    WEIR_COUNTER_AUDITED, /* + direction of the side: let by, though audited policies deny it */
    WEIR_COUNTERS = (int)WEIR_COUNTER_AUDITED + (int)WEIR_DIRECTIONS
};

enum weir_event_type {
    WEIR_EVENT_ALLOWED = 1, /* a side judged the flow for the first time, or again, and allows it */
    WEIR_EVENT_DENIED = 2,  /* a packet was dropped; reason says why */
    WEIR_EVENT_UPDATE = 3,  /* periodic, of a flow that goes on */
    WEIR_EVENT_CLOSED = 4   /* TCP: RST, or FIN both ways */
};

/* weir_events: RINGBUF of these. The ends are in the initiator's orientation (for a drop before the
 * orientation is known: the packet's). Counters are the flow's, as in struct weir_flow; a denied
 * packet has its own in [0]. rule may carry WEIR_VERDICT_AUDIT. */
struct weir_event {
    __u64 time; /* CLOCK_MONOTONIC, ns */
    __u64 packets[2];
    __u64 bytes[2];
    __u64 first_seen;
    struct weir_address initiator;
    struct weir_address responder;
    __be16 initiator_port;
    __be16 responder_port;
    __u32 slot; /* the endpoint whose hook reports, or WEIR_SLOT_NONE */
    __u32 rule;
    __u8 protocol;
    __u8 type;      /* enum weir_event_type */
    __u8 direction; /* the side that judged; for a drop without flow: the hook */
    __u8 reason;    /* enum weir_drop_reason */
    __u8 is_reply;  /* denied packets: travelled from the responder */
    __u8 tcp_flags; /* of the packet */
    __u8 icmp_type;
    __u8 icmp_code;
    __u32 stands_for; /* events: this one and those of its endpoint that were held back since */
};
WEIR_ASSERT_SIZE(struct weir_event, 104);

/* weir_meta: ARRAY (mmap) of one. What must outlive the agent so that ids stay unique. */
struct weir_meta {
    __u32 abi_version;
    __u32 generation; /* last one given out, over all slots and directions */
    __u32 rule;       /* last rule id given out */
    __u32 revision;   /* last one in force */
};
WEIR_ASSERT_SIZE(struct weir_meta, 16);

#endif
