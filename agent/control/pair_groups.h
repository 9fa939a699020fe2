// SPDX-License-Identifier: Apache-2.0
// The ends that pairs are made of: pods of two worlds in groups that policy cannot tell apart,
// nodes, and a sample of each block of addresses outside.
#pragma once

#include <array>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "agent/control/pair_diff.h"
#include "agent/control/policy_ports.h"
#include "agent/control/world.h"

namespace weir {

struct PairEnd {
    enum class Kind { kPods, kNode, kBlock, kOther };

    // One end, as it is before and after, by family (0: IPv4). Nothing where it has no address.
    using Ends = std::array<std::array<std::optional<WorldEnd>, 2>, 2>;

    Kind kind = Kind::kPods;
    PairGroup shown{};
    Ends ends{};                     // of its first pod
    std::optional<Ends> companion{}; // of its second one, to talk to
};

class PairGroups {
public:
    PairGroups(const World& before, const World& after);

    // Groups of pods first, then nodes.
    const std::vector<PairEnd>& all() const { return ends_; }
    // Samples of the blocks that these policies name, and of all other addresses.
    std::vector<PairEnd> samples(const std::set<const Object*>& policies) const;

    // Policies of either world that select the group's pods.
    std::set<const Object*> policies_of(const PairEnd& group) const;
    // Where their rules cut the ports; the first port of every protocol is always there.
    std::set<std::uint32_t> cuts_of(const std::set<const Object*>& policies) const;

private:
    void collect(const World& world);
    void group_pods();
    void add_nodes();
    std::string signature_of(const Pod& pod) const;
    std::optional<PairEnd> sample(const Cidr& block, const std::set<Cidr>& blocks) const;
    PairEnd other() const;
    bool is_owned(const Address& address) const;

    const World* worlds_[2];
    std::map<std::string, std::vector<const Object*>> policies_; // by namespace; "": everywhere
    std::set<const Object*> known_;
    NamedPorts names_;
    std::set<std::string> keys_;
    std::set<Cidr> blocks_;
    std::vector<PairEnd> ends_;
};

} // namespace weir
