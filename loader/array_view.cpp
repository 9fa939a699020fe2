// SPDX-License-Identifier: Apache-2.0
#include "loader/array_view.h"

#include <bpf/bpf.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cassert>

namespace weir {
namespace {

std::size_t round_up(std::size_t value, std::size_t unit) {
    return (value + unit - 1) / unit * unit;
}

} // namespace

Result<MappedArray> MappedArray::open(int fd, std::size_t value_size) {
    bpf_map_info info{};
    std::uint32_t length = sizeof(info);
    if (bpf_map_get_info_by_fd(fd, &info, &length) != 0) return failure_errno("read a map's info");
    const std::string name = info.name;
    if (info.type != BPF_MAP_TYPE_ARRAY || (info.map_flags & BPF_F_MMAPABLE) == 0)
        return failure(name + ": not an array that can be mapped");
    if (info.value_size != value_size) return failure(name + ": value size differs from bpf/abi.h");

    MappedArray array;
    array.fd_ = fd;
    array.stride_ = round_up(value_size, 8); // as the kernel lays arrays out
    array.size_ = info.max_entries;
    array.length_ =
        round_up(array.stride_ * array.size_, static_cast<std::size_t>(sysconf(_SC_PAGESIZE)));
    if (auto mapped = array.acquire(); !mapped) return std::unexpected(std::move(mapped.error()));
    return array;
}

Result<> MappedArray::acquire() const {
    if (memory_ != nullptr) return {};
    void* memory = mmap(nullptr, length_, PROT_READ | PROT_WRITE, MAP_SHARED, fd_, 0);
    if (memory == MAP_FAILED) return failure_errno("map an array of the dataplane");
    memory_ = memory;
    return {};
}

void MappedArray::release() const {
    if (memory_ != nullptr) munmap(memory_, length_);
    memory_ = nullptr;
}

MappedArray::MappedArray(MappedArray&& other) noexcept {
    *this = std::move(other);
}

MappedArray& MappedArray::operator=(MappedArray&& other) noexcept {
    std::swap(fd_, other.fd_);
    std::swap(memory_, other.memory_);
    std::swap(length_, other.length_);
    std::swap(stride_, other.stride_);
    std::swap(size_, other.size_);
    return *this;
}

MappedArray::~MappedArray() {
    release();
}

void* MappedArray::element(std::uint32_t index) const {
    assert(index < size_);
    return static_cast<std::byte*>(memory_) + index * stride_;
}

} // namespace weir
