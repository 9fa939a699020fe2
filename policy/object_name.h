// SPDX-License-Identifier: Apache-2.0
// How an object is called and where it was written: what objects of every kind have.
#pragma once

#include <cstdint>
#include <string>

#include "policy/symbol.h"

namespace weir {

// Where an object or a rule was written: a file and line for manifests, empty and 0 for the API.
struct Origin {
    Symbol file;
    std::uint32_t line = 0;

    bool operator==(const Origin&) const = default;
};

struct ObjectName {
    Symbol ns; // empty for cluster-scoped kinds
    Symbol name;

    // "NAMESPACE/NAME", or "NAME" of a cluster-scoped kind.
    std::string to_string() const {
        return ns.get().empty() ? name.get() : ns.get() + "/" + name.get();
    }

    bool operator==(const ObjectName&) const = default;
};

} // namespace weir
