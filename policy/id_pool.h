// SPDX-License-Identifier: Apache-2.0
// Ids of classes and tables: handed out, taken back, those of an earlier agent set aside.
#pragma once

#include <cstdint>
#include <set>
#include <unordered_set>

namespace weir {

class IdPool {
public:
    explicit IdPool(std::uint32_t first) : next_(first) {}

    // The lowest free id, because tables are an array with a limited size.
    std::uint32_t take() {
        ++used_;
        if (!free_.empty()) {
            return free_.extract(free_.begin()).value();
        }
        while (reserved_.erase(next_) != 0) {
            ++next_;
        }
        return next_++;
    }
    void reserve(std::uint32_t id) {
        if (reserved_.insert(id).second) {
            ++used_;
        }
    }
    void give_back(std::uint32_t id) {
        --used_;
        if (id < next_) {
            free_.insert(id);
        } else {
            reserved_.erase(id);
        }
    }
    std::uint32_t used() const { return used_; }
    std::uint32_t end() const { return next_; } // above every id that was taken

private:
    std::uint32_t next_;
    std::uint32_t used_ = 0;
    std::set<std::uint32_t> free_;               // below next_
    std::unordered_set<std::uint32_t> reserved_; // from next_ on
};

} // namespace weir
