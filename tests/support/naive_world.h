// SPDX-License-Identifier: Apache-2.0
// The objects of a cluster and who owns which address, as the API's texts have it: for the naive
// evaluator. Shares nothing with the compiler but the model.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "policy/compiler.h"
#include "policy/model.h"

namespace weir::test {

bool selects(const Selector& selector, const Labels& labels);

class NaiveWorld {
public:
    using Name = std::pair<std::string, std::string>;
    // Of policies; sorted as the tiers want them where priorities are equal: by kind, then name.
    using TierKey = std::pair<TierPolicy::Api, std::string>;

    void apply(const Change& change);
    void set_local(const LocalPod& local);
    void erase_local(std::uint32_t slot);

    const LocalPod* local(std::uint32_t slot) const;
    const Pod* pod(const ObjectName& name) const;
    // Null: no pod, one that is not known, or one of the host's network: that is no pod to policy.
    const Pod* owner(const Address& address) const;
    // Every namespace has its name's label, known or not.
    const Labels& namespace_labels(const Symbol& name) const;
    bool is_audited(const Symbol& ns) const;
    bool is_selected(const PodSelection& selection, const Pod& pod) const;

    const std::map<std::string, Node>& nodes() const { return nodes_; }
    const std::map<Name, NetworkPolicy>& policies() const { return policies_; }
    const std::map<TierKey, TierPolicy>& tier_policies() const { return tier_policies_; }
    const std::map<Name, AuthorizationPolicy>& authorizations() const { return authorizations_; }

    // Everything that a new compiler must be told to be where this is.
    Change everything() const;
    std::vector<LocalPod> locals() const;

private:
    struct Claim {
        Address address;
        Name pod;
        std::optional<std::uint32_t> slot; // of the endpoint; none: status.podIPs
    };

    void upsert(const Object& object);
    void erase(const ObjectKey& key);
    void claim_status(const Pod& pod);

    std::map<std::string, Namespace> namespaces_;
    mutable std::map<std::string, Labels> assumed_labels_; // of namespaces that are not known
    std::map<std::string, Node> nodes_;
    std::map<Name, Pod> pods_;
    std::map<Name, NetworkPolicy> policies_;
    std::map<TierKey, TierPolicy> tier_policies_;
    std::map<Name, AuthorizationPolicy> authorizations_;
    std::map<std::uint32_t, LocalPod> locals_;
    std::vector<Claim> claims_; // oldest first
};

} // namespace weir::test
