// SPDX-License-Identifier: Apache-2.0
// Recent flows, oldest first, in a fixed amount of memory. Both sides of a flow on one node are one
// record. Everything but FlowSubscription is for one thread.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "agent/flow/flow_filter.h"
#include "agent/flow/flow_record.h"

namespace weir {

// A live reader's queue: the store puts in, the reader's thread takes out. When it is full the
// newest are counted instead of kept.
class FlowSubscription {
public:
    struct Batch {
        std::vector<FlowRecord> flows;
        std::uint64_t lost = 0; // since the batch before
    };

    FlowSubscription(FlowFilter filter, std::size_t capacity)
        : filter_(std::move(filter)), capacity_(capacity) {}

    void put(const FlowRecord& flow);
    // Waits for flows, at most so long.
    Batch take(std::chrono::milliseconds patience);

private:
    FlowFilter filter_;
    std::size_t capacity_;
    std::mutex mutex_;
    std::condition_variable is_filled_;
    Batch waiting_;
};

class FlowStore {
public:
    // memory: bytes for records and their index, approximately.
    explicit FlowStore(std::size_t memory);

    // One piece of news: updates the record of the flow or begins one. Live readers see it with the
    // next publish().
    void add(const FlowRecord& news);
    // Ends a batch: every record that changed goes to the live readers, once.
    void publish();

    // The position from which the last `count` records that match begin; 0 = from the start.
    std::uint64_t find_last(const FlowFilter& filter, std::size_t count) const;
    // Up to `most` positions from `cursor` on, which it moves behind them. Empty and unmoved at the
    // end only.
    std::vector<FlowRecord> read(const FlowFilter& filter, std::uint64_t& cursor,
                                 std::size_t most) const;
    std::uint64_t end() const { return first_ + records_.size(); }
    std::size_t size() const { return records_.size(); }

    // Gone with the last reference.
    std::shared_ptr<FlowSubscription> subscribe(FlowFilter filter, std::size_t capacity);

    std::size_t capacity() const { return capacity_; }

private:
    struct Key {
        Address source;
        Address destination;
        std::uint16_t source_port = 0;
        std::uint16_t destination_port = 0;
        std::uint8_t protocol = 0;

        bool operator==(const Key&) const = default;
    };
    struct KeyHash {
        std::size_t operator()(const Key& key) const noexcept;
    };

    static Key key_of(const FlowRecord& record);
    FlowRecord& record_at(std::uint64_t position) { return records_[position - first_]; }
    void append(const FlowRecord& news);
    void drop_oldest();

    std::size_t capacity_;
    std::deque<FlowRecord> records_;
    std::uint64_t first_ = 0; // position of the oldest record; positions only count up
    std::unordered_map<Key, std::uint64_t, KeyHash> newest_; // record of a flow
    std::vector<std::uint64_t> changed_;
    std::vector<std::weak_ptr<FlowSubscription>> subscriptions_;
};

} // namespace weir
