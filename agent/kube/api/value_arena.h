// SPDX-License-Identifier: Apache-2.0
// Memory for the values of one object; whoever reads them has to be done before the next.
#pragma once

#include <cstddef>
#include <cstring>
#include <memory_resource>
#include <new>
#include <string_view>
#include <vector>

#include "agent/kube/value.h"

namespace weir {

class ValueArena {
public:
    Value* place(const Value& value) {
        used_ += sizeof(Value);
        return new (memory_.allocate(sizeof(Value), alignof(Value))) Value(value);
    }
    std::string_view copy(std::string_view text) {
        if (text.empty()) return {};
        used_ += text.size();
        char* to = static_cast<char*>(memory_.allocate(text.size(), 1));
        std::memcpy(to, text.data(), text.size());
        return {to, text.size()};
    }
    // Bytes that were placed or copied since the last release.
    std::size_t used() const { return used_; }
    void release() {
        memory_.release();
        used_ = 0;
    }

private:
    std::vector<std::byte> first_ = std::vector<std::byte>(std::size_t{32} << 10);
    std::pmr::monotonic_buffer_resource memory_{first_.data(), first_.size()};
    std::size_t used_ = 0;
};

} // namespace weir
