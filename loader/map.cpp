// SPDX-License-Identifier: Apache-2.0
#include "loader/map.h"

#include <bpf/bpf.h>

#include <algorithm>
#include <chrono>
#include <thread>
#include <vector>

namespace weir {
namespace {

// A hash without preallocation takes elements from small per-CPU stocks that are refilled in the
// background: many updates in a row can run one dry for a moment.
constexpr int kMemoryAttempts = 20;
constexpr auto kMemoryPause = std::chrono::milliseconds(1);

constexpr std::uint32_t kVisitBatch = 4096;
constexpr int kVisitAttempts = 8;
// What the kernel answers for a map type without batches; not in errno.h.
constexpr int kNotSupported = 524;

const char* advice(int code) {
    switch (code) {
        case E2BIG:
        case ENOSPC:
            return " (the map is full)";
        case ENOMEM:
            return " (no memory for another element)";
        default:
            return "";
    }
}

// How many elements went through, from what the kernel left in count. An error found before the
// first element leaves count as it was on kernels before 6.8.
std::size_t elements_done(int error, std::uint32_t count, std::size_t asked) {
    return error != 0 && count >= asked ? 0 : count;
}

} // namespace

Result<RawMap> RawMap::open(int fd, std::size_t key_size, std::size_t value_size) {
    bpf_map_info info{};
    std::uint32_t length = sizeof(info);
    if (bpf_map_get_info_by_fd(fd, &info, &length) != 0) return failure_errno("read a map's info");
    if (info.key_size != key_size || info.value_size != value_size)
        return failure(std::string(info.name) + ": key or value size differs from bpf/abi.h");
    RawMap map;
    map.fd_ = fd;
    map.name_ = info.name;
    map.key_size_ = key_size;
    map.value_size_ = value_size;
    map.max_entries_ = info.max_entries;
    return map;
}

std::unexpected<Error> RawMap::fail(const char* operation, int code) const {
    auto error = Error::from_errno(std::string(operation) + " " + name_, code);
    error.what += advice(code);
    return std::unexpected(std::move(error));
}

Result<bool> RawMap::lookup(const void* key, void* value) const {
    if (bpf_map_lookup_elem(fd_, key, value) == 0) return true;
    if (errno == ENOENT) return false;
    return fail("look up", errno);
}

Result<> RawMap::update(const void* key, const void* value, std::uint64_t flags) const {
    for (int attempt = 1;; ++attempt) {
        if (bpf_map_update_elem(fd_, key, value, flags) == 0) return {};
        if (errno != ENOMEM || attempt == kMemoryAttempts) return fail("update", errno);
        std::this_thread::sleep_for(kMemoryPause);
    }
}

Result<bool> RawMap::erase(const void* key) const {
    if (bpf_map_delete_elem(fd_, key) == 0) return true;
    if (errno == ENOENT) return false;
    return fail("erase from", errno);
}

BatchOutcome RawMap::update_batch(const std::byte* keys, const std::byte* values, std::size_t count,
                                  std::uint64_t flags) const {
    LIBBPF_OPTS(bpf_map_batch_opts, options, .elem_flags = flags);
    BatchOutcome outcome;
    while (outcome.done < count) {
        const std::byte* key = keys + outcome.done * key_size_;
        const std::byte* value = values + outcome.done * value_size_;
        auto batch = static_cast<std::uint32_t>(count - outcome.done);
        const int error = bpf_map_update_batch(fd_, key, value, &batch, &options);
        outcome.done += elements_done(error, batch, count - outcome.done);
        if (error == 0) continue;
        // The element that failed, by itself: that retries, knows every map type and tells why.
        auto single =
            update(keys + outcome.done * key_size_, values + outcome.done * value_size_, flags);
        if (!single) {
            outcome.error = std::move(single.error());
            return outcome;
        }
        ++outcome.done;
    }
    return outcome;
}

BatchOutcome RawMap::erase_batch(const std::byte* keys, std::size_t count) const {
    BatchOutcome outcome;
    while (outcome.done < count) {
        auto batch = static_cast<std::uint32_t>(count - outcome.done);
        const int error =
            bpf_map_delete_batch(fd_, keys + outcome.done * key_size_, &batch, nullptr);
        outcome.done += elements_done(error, batch, count - outcome.done);
        if (error == 0) continue;
        auto single = erase(keys + outcome.done * key_size_); // mostly one that is not there
        if (!single) {
            outcome.error = std::move(single.error());
            return outcome;
        }
        ++outcome.done;
    }
    return outcome;
}

Result<> RawMap::visit(const Visitor& visitor) const {
    std::uint32_t capacity = std::min(kVisitBatch, std::max(max_entries_, 16u));
    std::vector<std::byte> keys, values;
    // The position is a bucket number or a key, as the map type likes it.
    std::vector<std::byte> position(std::max(key_size_, sizeof(std::uint64_t)));
    bool is_first = true;
    int attempts = 0;
    for (;;) {
        keys.resize(capacity * key_size_);
        values.resize(capacity * value_size_);
        std::uint32_t count = capacity;
        auto next = position;
        const int error =
            bpf_map_lookup_batch(fd_, is_first ? nullptr : position.data(), next.data(),
                                 keys.data(), values.data(), &count, nullptr);
        const int code = error == 0 ? 0 : errno;
        if (code == ENOSPC) { // a bucket with more elements than we have room for
            capacity *= 2;
            continue;
        }
        if (is_first && (code == kNotSupported || code == EOPNOTSUPP || code == EINVAL))
            return visit_by_key(visitor);
        if (code != 0 && code != ENOENT && code != EINTR) return fail("read", code);
        if (code == EINTR && ++attempts > kVisitAttempts) return fail("read", code);
        if (code == EINTR && count >= capacity) count = 0; // nothing was read
        for (std::uint32_t i = 0; i < count; ++i)
            visitor(keys.data() + i * key_size_, values.data() + i * value_size_);
        if (code == ENOENT) return {};
        if (count == 0 && code == EINTR) continue;
        position = std::move(next);
        is_first = false;
    }
}

Result<> RawMap::visit_by_key(const Visitor& visitor) const {
    std::vector<std::byte> key(key_size_), next(key_size_), value(value_size_);
    const void* previous = nullptr;
    // A key that goes meanwhile starts the walk anew: bound it.
    for (std::uint64_t steps = 0; steps < std::uint64_t{max_entries_} * 2 + 16; ++steps) {
        if (bpf_map_get_next_key(fd_, previous, next.data()) != 0) {
            if (errno == ENOENT) return {};
            return fail("read", errno);
        }
        auto found = lookup(next.data(), value.data());
        if (!found) return std::unexpected(std::move(found.error()));
        if (*found) visitor(next.data(), value.data());
        key.swap(next);
        previous = key.data();
    }
    return {};
}

} // namespace weir
