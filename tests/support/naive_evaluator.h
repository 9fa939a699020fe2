// SPDX-License-Identifier: Apache-2.0
// NetworkPolicy straight from the API's text, object by object, with no thought of speed: what the
// compiled tables must agree with. Shares nothing with the compiler but the model.
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

struct NaiveVerdict {
    bool is_allowed = false;
    std::optional<ObjectName> policy;    // of the deciding rule
    std::optional<std::uint32_t> index;  // of the deciding rule
    std::vector<ObjectName> isolated_by; // when isolation denies
};

class NaiveEvaluator {
public:
    void apply(const Change& change);
    void set_local(const LocalPod& local);
    void erase_local(std::uint32_t slot);

    NaiveVerdict judge(std::uint32_t slot, weir_direction direction, const Address& peer,
                       std::uint8_t protocol, std::uint16_t port) const;

    // Everything that a new compiler must be told to be where this is.
    Change everything() const;
    std::vector<LocalPod> locals() const;

private:
    using Name = std::pair<std::string, std::string>;
    struct Claim {
        Address address;
        Name pod;
        std::optional<std::uint32_t> slot; // of the endpoint; none: status.podIPs
    };

    void upsert(const Object& object);
    void erase(const ObjectKey& key);
    void claim_status(const Pod& pod);
    const Pod* owner(const Address& address) const; // null: no pod, or one that is not known
    bool matches(const NetworkPolicy& policy, const Peer& peer, const Address& address) const;
    bool matches(const Port& port, const Pod* holder, std::uint8_t protocol,
                 std::uint16_t number) const;
    Labels namespace_labels(const std::string& name) const;

    std::map<std::string, Namespace> namespaces_;
    std::map<Name, Pod> pods_;
    std::map<Name, NetworkPolicy> policies_;
    std::map<std::uint32_t, LocalPod> locals_;
    std::vector<Claim> claims_; // oldest first
};

} // namespace weir::test
