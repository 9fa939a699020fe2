// SPDX-License-Identifier: Apache-2.0
// The whole policy model straight from the APIs' texts, object by object, with no thought of speed:
// what the compiled tables must agree with. Shares nothing with the compiler but the model.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "tests/support/naive_world.h"

namespace weir::test {

// A rule that decides, or the policies that isolate the pod where none of their rules matches.
struct NaiveRule {
    std::optional<Kind> kind; // none: no policy has a say
    ObjectName policy;        // of the rule
    std::optional<std::uint32_t> index;
    std::vector<ObjectName> isolated_by;

    bool operator==(const NaiveRule&) const = default;
};

std::string to_string(const NaiveRule& rule);

struct NaiveVerdict {
    bool is_allowed = false;
    bool is_audited = false;
    // Denied to the pod's own node as well, which passes else: a tier's rule for everything says
    // so.
    bool is_own_node_denied = false;
    // Any of these may be named as the one that decides.
    std::vector<NaiveRule> rules;
};

class NaiveEvaluator {
public:
    NaiveWorld& world() { return world_; }
    const NaiveWorld& world() const { return world_; }

    NaiveVerdict judge(std::uint32_t slot, weir_direction direction, const Address& peer,
                       std::uint8_t protocol, std::uint16_t port) const;

private:
    // Which policies take part.
    enum class Scope { kAll, kWithoutAudited, kWithDryRuns };

    struct Flow {
        const Pod* subject = nullptr;
        const LocalPod* endpoint = nullptr;
        bool is_ingress = false;
        Address peer;
        const Pod* peer_pod = nullptr;
        std::uint8_t protocol = 0;
        std::uint16_t port = 0;
    };
    struct Outcome {
        bool is_allowed = true;
        bool is_for_all = false; // a tier's rule denies everything
        std::vector<NaiveRule> rules;
    };

    bool takes_part(Enforcement enforcement, const Flow& flow, Scope scope) const;
    Outcome evaluate(const Flow& flow, Scope scope) const;
    // Nothing when the tier has no opinion.
    std::optional<Outcome> evaluate_tier(Tier tier, const Flow& flow, Scope scope) const;
    std::optional<Outcome> evaluate_network_policies(const Flow& flow, Scope scope) const;
    // Nothing when no policy is for the pod: then it stays with what the tiers say.
    std::optional<Outcome> evaluate_authorization(const Flow& flow, Scope scope) const;

    bool matches(const NetworkPolicy& policy, const Rule& rule, const Flow& flow) const;
    bool matches(const TierRule& rule, const Flow& flow) const;
    static bool matches(const std::vector<Port>& ports, const Flow& flow);

    NaiveWorld world_;
};

} // namespace weir::test
