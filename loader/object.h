// SPDX-License-Identifier: Apache-2.0
// Owners of libbpf's objects. Included by .cpp files of the loader and its tests only.
#pragma once

#include <bpf/libbpf.h>

#include <memory>

namespace weir {

struct LinkDestroyer {
    void operator()(bpf_link* link) const { bpf_link__destroy(link); }
};
// A pinned link stays attached when its owner lets go of it.
using LinkPtr = std::unique_ptr<bpf_link, LinkDestroyer>;

struct RingBufferFree {
    void operator()(ring_buffer* ring) const { ring_buffer__free(ring); }
};
using RingBufferPtr = std::unique_ptr<ring_buffer, RingBufferFree>;

} // namespace weir
