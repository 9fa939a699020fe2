// SPDX-License-Identifier: Apache-2.0
// What is committed for one key of weir_peers or weir_prefixes, beside what is desired for it.
#pragma once

#include <cstdint>

#include "policy/signature.h"

namespace weir {

struct ClassifiedEntry {
    SignaturePtr desired;           // null until first computed
    std::uint32_t kernel_class = 0; // while in_kernel
    bool in_kernel = false;
    bool is_garbage = false;         // in the kernel although not needed
    bool is_dirty = false;           // on the list of what the next compile() looks at
    std::uint64_t garbage_since = 0; // number of the commit
};

} // namespace weir
