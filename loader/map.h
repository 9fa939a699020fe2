// SPDX-License-Identifier: Apache-2.0
// A BPF map with the types of its key and value. RawMap does the system calls; Map adds the types.
// Neither owns the map's fd: that is the object's (loader/object.h).
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <type_traits>
#include <utility>

#include "loader/result.h"

namespace weir {

// What a batch did: `done` elements from the front went through; `error` says why not all did.
struct BatchOutcome {
    std::size_t done = 0;
    std::optional<Error> error;
};

class RawMap {
public:
    // The pointers are valid during the call only.
    using Visitor = std::function<void(const std::byte* key, const std::byte* value)>;

    RawMap() = default;
    // Fails if the sizes differ from the map's.
    static Result<RawMap> open(int fd, std::size_t key_size, std::size_t value_size);

    Result<bool> lookup(const void* key, void* value) const;
    Result<> update(const void* key, const void* value, std::uint64_t flags) const;
    Result<bool> erase(const void* key) const;
    BatchOutcome update_batch(const std::byte* keys, const std::byte* values, std::size_t count,
                              std::uint64_t flags) const;
    BatchOutcome erase_batch(const std::byte* keys, std::size_t count) const;
    Result<> visit(const Visitor& visitor) const;

    int fd() const { return fd_; }
    const std::string& name() const { return name_; }
    std::uint32_t max_entries() const { return max_entries_; }

private:
    std::unexpected<Error> fail(const char* operation, int code) const;
    Result<> visit_by_key(const Visitor& visitor) const;

    int fd_ = -1;
    std::string name_;
    std::size_t key_size_ = 0;
    std::size_t value_size_ = 0;
    std::uint32_t max_entries_ = 0;
};

// A hash, LRU hash, LPM trie or array that is not per CPU. Errors name the map.
template <typename Key, typename Value>
class Map {
    static_assert(std::has_unique_object_representations_v<Key>, "keys are compared byte by byte");
    static_assert(std::is_trivially_copyable_v<Value>);

public:
    Map() = default;
    static Result<Map> open(int fd) {
        auto raw = RawMap::open(fd, sizeof(Key), sizeof(Value));
        if (!raw) return std::unexpected(std::move(raw.error()));
        Map map;
        map.raw_ = std::move(*raw);
        return map;
    }

    // Nothing if the key is not there.
    Result<std::optional<Value>> lookup(const Key& key) const {
        Value value{};
        auto found = raw_.lookup(&key, &value);
        if (!found) return std::unexpected(std::move(found.error()));
        return *found ? std::optional<Value>(value) : std::nullopt;
    }

    // flags: BPF_ANY, BPF_NOEXIST, BPF_EXIST, BPF_F_LOCK. A shortage of memory is retried briefly.
    Result<> update(const Key& key, const Value& value, std::uint64_t flags = 0) const {
        return raw_.update(&key, &value, flags);
    }

    // Whether the key was there.
    Result<bool> erase(const Key& key) const { return raw_.erase(&key); }

    // In order. flags: 0 or BPF_F_LOCK. keys and values are of one length.
    BatchOutcome update(std::span<const Key> keys, std::span<const Value> values,
                        std::uint64_t flags = 0) const {
        return raw_.update_batch(std::as_bytes(keys).data(), std::as_bytes(values).data(),
                                 keys.size(), flags);
    }

    // In order; keys that are not there count as done.
    BatchOutcome erase(std::span<const Key> keys) const {
        return raw_.erase_batch(std::as_bytes(keys).data(), keys.size());
    }

    // Visits entries, in no order: visitor(const Key&, const Value&). An entry that comes or goes
    // meanwhile may be missed; one in an LPM trie that changes meanwhile may come twice.
    template <typename Visitor>
    Result<> for_each(Visitor&& visitor) const {
        return raw_.visit([&](const std::byte* key_bytes, const std::byte* value_bytes) {
            Key key;
            Value value;
            std::memcpy(&key, key_bytes, sizeof(Key));
            std::memcpy(&value, value_bytes, sizeof(Value));
            visitor(std::as_const(key), std::as_const(value));
        });
    }

    const RawMap& raw() const { return raw_; }
    std::uint32_t max_entries() const { return raw_.max_entries(); }

private:
    RawMap raw_;
};

} // namespace weir
