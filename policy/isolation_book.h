// SPDX-License-Identifier: Apache-2.0
// Rule ids of denials that no rule makes, but the policies that apply and admit nothing.
#pragma once

#include <string>
#include <unordered_map>
#include <vector>

#include "policy/rule_book.h"
#include "policy/rule_list.h"

namespace weir {

class IsolationBook {
public:
    explicit IsolationBook(RuleBook& book) : book_(book) {}

    // Equal sets of policies share an id while anybody holds it.
    class Policies {
    public:
        Policies(const char* kind, weir_direction direction);
        void add(const ObjectName& name, const Origin& origin); // in order

    private:
        friend class IsolationBook;
        RuleInfo info_;
        std::string key_;
    };
    // Null for no policies.
    IsolationId id_of(Policies policies);

private:
    RuleBook& book_;
    std::unordered_map<std::string, std::weak_ptr<const std::uint32_t>> known_;
};

} // namespace weir
