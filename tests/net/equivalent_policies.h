// SPDX-License-Identifier: Apache-2.0
// A few verdicts that never change, written in ever different policies: other kinds, tiers, peers,
// priorities and labels. Between any two states every packet has the same verdict, so a packet
// that is treated otherwise met a mixture of both.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <random>
#include <string>
#include <vector>

#include "tests/support/lab.h"

namespace weir {

// Who may: a pod's app label, and the port. For ingress the pod is the source, else the target.
struct Permission {
    std::string peer;
    std::string protocol; // TCP, UDP
    int port = 0;
};

// One side of a pod: what is not permitted is denied.
struct Side {
    std::string pod;
    bool is_ingress = true;
    std::vector<Permission> permissions;
};

class EquivalentPolicies {
public:
    // Of pods of namespace "shop", all of which are in the lab.
    EquivalentPolicies(Lab& lab, std::vector<Side> sides, std::uint64_t seed);

    // Goes on to another state. The number of objects that are new, different or gone.
    std::size_t change();
    // All objects of the state, policies, pods and namespaces: one v1 List.
    std::string manifest() const;

private:
    using Json = nlohmann::json;

    std::size_t below(std::size_t end) { return random_() % end; }
    bool chance(unsigned percent) { return below(100) < percent; }
    std::string word(const std::string& stem, std::size_t end);

    void relabel();
    void move_ghosts();
    void build();

    void write_side(const Side& side, std::size_t number);
    void write_network_policies(const Side& side, const std::string& name, bool is_split);
    void write_admin(const Side& side, const std::string& name);
    void write_pass(const Side& side, const std::string& name);
    void write_baseline(const Side& side, const std::string& name);
    void write_authorization(const Side& side, const std::string& name);
    void write_decoration(const Side& side, const std::string& name);

    Json peers(const std::string& app);
    Json tier_peer(const Side& side, const std::string& app);
    Json network_policy(const Side& side, const std::string& name, const Json& rules) const;
    Json network_rule(const Side& side, const Permission& permission);
    Json tier_policy(const Side& side, const std::string& name, const std::string& tier,
                     int priority, const Json& rules) const;
    Json tier_rules(const Side& side, const std::string& action);
    Json deny_rest(const Side& side) const;
    void add(Json object);

    Lab& lab_;
    std::vector<Side> sides_;
    std::mt19937_64 random_;
    std::map<std::string, std::string> roles_; // of the pods, by name
    std::string environment_ = "e0";           // of the namespace
    std::vector<Json> ghosts_;
    std::vector<std::size_t> forms_; // of the sides
    std::map<std::string, Json> objects_;
};

} // namespace weir
