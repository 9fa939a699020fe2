// SPDX-License-Identifier: Apache-2.0
#include "policy/node_index.h"

#include <utility>

namespace weir {

NodeIndex::NodePtr NodeIndex::upsert(NodePtr node) {
    auto before = erase(node->name);
    for (const auto& address : node->addresses) {
        by_address_[address].push_back(node);
    }
    nodes_[node->name] = std::move(node);
    return before;
}

NodeIndex::NodePtr NodeIndex::erase(const Symbol& name) {
    const auto found = nodes_.find(name);
    if (found == nodes_.end()) {
        return nullptr;
    }
    auto node = std::move(found->second);
    nodes_.erase(found);
    for (const auto& address : node->addresses) {
        const auto place = by_address_.find(address);
        if (place != by_address_.end() && std::erase(place->second, node) != 0 &&
            place->second.empty()) {
            by_address_.erase(place);
        }
    }
    return node;
}

const std::vector<NodeIndex::NodePtr>& NodeIndex::at(const Address& address) const {
    static const std::vector<NodePtr> kNone;
    const auto found = by_address_.find(address);
    return found == by_address_.end() ? kNone : found->second;
}

void NodeIndex::for_each(const std::function<void(const Node&)>& visit) const {
    for (const auto& [name, node] : nodes_) {
        visit(*node);
    }
}

} // namespace weir
