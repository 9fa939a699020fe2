// SPDX-License-Identifier: Apache-2.0
// From typed objects to map rows, incrementally: peer classes, shared tables, interned rows and the
// order of writes that makes a revision atomic per pod and direction (design, section 4).
// Pure: no I/O, no clock, no log. The cost of a change is proportional to what it changes.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <variant>
#include <vector>

#include "policy/chain.h"
#include "policy/model.h"
#include "policy/rule_book.h"
#include "policy/transaction.h"

namespace weir {

// A pod of this node (or, for `weir verdicts`, any pod) whose traffic is judged here.
struct LocalPod {
    std::uint32_t slot = 0; // in weir_pods
    ObjectName pod;         // its Pod object may not be known yet: then everything is refused
    std::vector<Address> addresses; // the interface's; they belong to the pod whatever status says
};

// One side's verdict and where it comes from, for explain and the verdicts engines.
struct Judgement {
    bool is_allowed = false;
    bool is_audited = false;             // allowed only because what denies it is audited
    bool is_own_node_denied = false;     // denied to the pod's own node too
    std::uint32_t rule = WEIR_RULE_NONE; // RuleBook id
    std::uint32_t table = WEIR_TABLE_NONE;
    std::uint32_t class_id = WEIR_CLASS_NONE;
};

struct CompilerOptions {
    Limits limits;
    // Where AuthorizationPolicies are for all namespaces (Istio's meshConfig.rootNamespace).
    Symbol root_namespace{"istio-system"};
    // Of workload identities: spiffe://<trust domain>/ns/<namespace>/sa/<service account>.
    Symbol trust_domain{"cluster.local"};
    // A question that so many different rule lists ask sets parent classes apart, and no longer
    // does when less than half as many ask it. Fewer parents: larger tables for what few ask.
    std::uint32_t popular_uses = 8;
};

class Compiler {
public:
    explicit Compiler(const CompilerOptions& options);
    ~Compiler();
    Compiler(Compiler&&) noexcept;
    Compiler& operator=(Compiler&&) noexcept;

    // Takes over the maps of an earlier agent. At most once, before the first compile().
    void adopt(const KernelState& kernel);

    // Desired state. Nothing reaches a transaction before compile().
    void apply(const Change& change);
    void set_local(const LocalPod& pod); // also for a pod whose addresses changed
    void erase_local(std::uint32_t slot);

    // The writes that lead from what was last committed to the desired state. On DoesNotFit the
    // committed state stays, the desired one is kept and tried again by the next compile().
    std::variant<Transaction, DoesNotFit> compile();

    // The last transaction went through, all stages. Returns its number, which counts commits.
    std::uint64_t commit();

    // What the transactions up to that commit left behind, without what is in use again. The caller
    // waits for a grace period after the commit, takes, erases, and calls reclaim() before the next
    // compile(); commits may lie between the wait and the take.
    Garbage take_garbage(std::uint64_t up_to_commit);
    // What was taken is erased: its ids and room may be used again.
    void reclaim();

    // Queries on the committed state.
    Judgement judge(std::uint32_t slot, weir_direction direction, const Address& peer,
                    std::uint8_t protocol, std::uint16_t port) const;
    // How that verdict comes about, rule by rule, from the objects alone: it asks no table, so that
    // what the tables say can be compared with it. As desired when last compiled: in a revision
    // that does not fit it differs from the tables. Without endpoint: no steps, nothing is allowed.
    Evaluations evaluate(std::uint32_t slot, weir_direction direction, const Address& peer,
                         std::uint8_t protocol, std::uint16_t port) const;
    const RuleBook& rules() const;
    Usage usage() const;
    // Policies of all kinds that take part in the verdicts of the slot's pod, in the order of
    // evaluation; NetworkPolicies are those that isolate it. As desired.
    std::vector<ObjectKey> policies_of(std::uint32_t slot, weir_direction direction) const;

private:
    struct State;
    std::unique_ptr<State> state_;
};

} // namespace weir
