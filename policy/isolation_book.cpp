// SPDX-License-Identifier: Apache-2.0
#include "policy/isolation_book.h"

#include <utility>

namespace weir {

IsolationBook::Policies::Policies(const char* kind, weir_direction direction)
    : key_(std::string(kind) + static_cast<char>('0' + direction)) {
    info_.kind = Symbol(kind);
    info_.direction = direction;
}

void IsolationBook::Policies::add(const ObjectName& name, const Origin& origin) {
    if (info_.isolated_by.empty()) {
        info_.policy = name;
        info_.origin = origin;
    }
    info_.isolated_by.push_back(name);
    key_ += ' ' + name.ns.get() + '/' + name.name.get();
}

IsolationId IsolationBook::id_of(Policies policies) {
    if (policies.info_.isolated_by.empty()) {
        return nullptr;
    }
    auto& known = known_[policies.key_];
    if (auto existing = known.lock()) {
        book_.update(*existing, std::move(policies.info_));
        return existing;
    }
    const auto retire = [this, key = policies.key_](const std::uint32_t* id) {
        book_.retire(*id);
        known_.erase(key);
        delete id;
    };
    IsolationId id(new std::uint32_t(book_.add(std::move(policies.info_))), retire);
    known = id;
    return id;
}

} // namespace weir
