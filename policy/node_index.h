// SPDX-License-Identifier: Apache-2.0
// The cluster's nodes, found by name and address.
#pragma once

#include <functional>
#include <memory>
#include <unordered_map>
#include <vector>

#include "policy/hash.h"
#include "policy/model.h"

namespace weir {

class NodeIndex {
public:
    using NodePtr = std::shared_ptr<const Node>;

    // Both return the node as it was, or null.
    NodePtr upsert(NodePtr node);
    NodePtr erase(const Symbol& name);

    // Nodes that have the address: one, unless somebody made a mistake.
    const std::vector<NodePtr>& at(const Address& address) const;
    void for_each(const std::function<void(const Node&)>& visit) const;

private:
    std::unordered_map<Symbol, NodePtr, SymbolHash> nodes_;
    std::unordered_map<Address, std::vector<NodePtr>> by_address_;
};

} // namespace weir
