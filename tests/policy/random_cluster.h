// SPDX-License-Identifier: Apache-2.0
// Random objects and changes over a small world, so that names, labels and addresses collide often.
#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "policy/compiler.h"
#include "policy/model.h"

namespace weir::test {

class RandomCluster {
public:
    explicit RandomCluster(std::uint64_t seed) : random_(seed) {}

    // Only kinds of networking.k8s.io, none of them audited.
    void use_network_policies_only() { knows_all_kinds_ = false; }

    std::size_t below(std::size_t end) { return random_() % end; }
    bool chance(unsigned percent) { return below(100) < percent; }

    Object object();
    ObjectKey key();
    Change change(std::size_t objects);
    LocalPod local();

    static std::vector<Address> addresses(); // every address that matters
    static constexpr std::uint32_t kSlots = 3;

private:
    std::string pick(const std::vector<std::string>& words) { return words[below(words.size())]; }
    Labels labels();
    Selector selector();
    Peer peer();
    IpBlock block();
    Cidr network();
    Port port();
    Rule rule();
    ObjectName pod_name();
    Address pod_address();
    Namespace ns();
    Pod pod();
    Node node();
    NetworkPolicy policy();
    Enforcement enforcement();
    PodSelection selection();
    TierRule tier_rule();
    TierPolicy tier_policy();
    TextMatch text_match(SourceMatch::Attribute attribute);
    SourceMatch source_match();
    DestinationMatch destination_match();
    AuthorizationRule authorization_rule(std::uint32_t index);
    AuthorizationPolicy authorization();
    Kind kind();

    std::mt19937_64 random_;
    bool knows_all_kinds_ = true;
};

} // namespace weir::test
