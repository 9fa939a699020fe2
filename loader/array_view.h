// SPDX-License-Identifier: Apache-2.0
// The elements of a BPF_F_MMAPABLE array map as memory that the programs read: no system call per
// store. One writer; only aligned 8-byte stores are atomic for the programs.
#pragma once

#include <linux/types.h>

#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <utility>

#include "loader/result.h"

namespace weir {

class MappedArray {
public:
    MappedArray() = default;
    MappedArray(MappedArray&& other) noexcept;
    MappedArray& operator=(MappedArray&& other) noexcept;
    ~MappedArray();

    // Fails if the map is no mmapable array or its elements are of another size.
    static Result<MappedArray> open(int fd, std::size_t value_size);

    // Lets go of the memory, which counts as this process's as long as it is mapped, and takes it
    // again. open() takes it.
    void release() const;
    Result<> acquire() const;

    // Precondition: acquired, index < size().
    void* element(std::uint32_t index) const;
    std::uint32_t size() const { return size_; }

private:
    int fd_ = -1; // the map's; not owned
    mutable void* memory_ = nullptr;
    std::size_t length_ = 0; // bytes mapped
    std::size_t stride_ = 0; // bytes from one element to the next
    std::uint32_t size_ = 0; // elements
};

template <typename T>
class ArrayView {
    static_assert(std::is_trivially_copyable_v<T> && alignof(T) <= 8);

public:
    static Result<ArrayView> open(int fd) {
        auto mapped = MappedArray::open(fd, sizeof(T));
        if (!mapped) return std::unexpected(std::move(mapped.error()));
        ArrayView view;
        view.mapped_ = std::move(*mapped);
        return view;
    }

    void release() const { mapped_.release(); }
    Result<> acquire() const { return mapped_.acquire(); }

    // Precondition: acquired, index < size(). The reference lives until release().
    T& operator[](std::uint32_t index) const { return *static_cast<T*>(mapped_.element(index)); }
    std::uint32_t size() const { return mapped_.size(); }

private:
    MappedArray mapped_;
};

// Publishes the word to the programs: everything written before is seen by who reads it.
inline void store_word(__u64& word, __u64 value) {
    __atomic_store_n(&word, value, __ATOMIC_RELEASE);
}

} // namespace weir
