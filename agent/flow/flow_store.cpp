// SPDX-License-Identifier: Apache-2.0
#include "agent/flow/flow_store.h"

#include <algorithm>
#include <functional>
#include <utility>

namespace weir {
namespace {

// A node of the index with its bucket, and the deque's own share.
constexpr std::size_t kIndexBytes = 96;

// Refusals of one sender that are further apart than this are told separately.
constexpr std::chrono::seconds kSameRefusal{30};

// Whether the news continues the record, or tells of another connection between the same ports.
bool continues(const FlowRecord& record, const FlowRecord& news) {
    if (news.is_denied()) {
        if (!record.is_denied()) return record.event != WEIR_EVENT_CLOSED;
        return record.reason == news.reason && record.direction == news.direction &&
               news.time - record.time < kSameRefusal;
    }
    return !record.is_denied() && record.kernel_first_seen == news.kernel_first_seen;
}

void merge_counters(FlowRecord& record, const FlowRecord& news) {
    for (int travel = 0; travel < 2; ++travel) {
        if (news.is_denied()) { // the packet's own; the flow's are as they were
            record.packets[travel] += news.packets[travel];
            record.bytes[travel] += news.bytes[travel];
        } else { // the flow's; two hooks may report out of order
            record.packets[travel] = std::max(record.packets[travel], news.packets[travel]);
            record.bytes[travel] = std::max(record.bytes[travel], news.bytes[travel]);
        }
    }
}

bool is_refused(const FlowRecord& record) {
    return std::ranges::any_of(
        record.sides, [](const FlowSide& side) { return side.is_judged && !side.is_allowed; });
}

// Refusals add up, without what the other side allowed; the two sides of one new flow do not.
std::uint64_t merged_stands_for(const FlowRecord& record, const FlowRecord& news) {
    if (!news.is_denied()) return std::max(record.stands_for, news.stands_for);
    return is_refused(record) ? record.stands_for + news.stands_for : news.stands_for;
}

void merge(FlowRecord& record, const FlowRecord& news) {
    merge_counters(record, news);
    record.stands_for = merged_stands_for(record, news);
    record.time = std::max(record.time, news.time);
    for (int side = 0; side < WEIR_DIRECTIONS; ++side) {
        if (news.sides[side].is_judged) record.sides[side] = news.sides[side];
    }
    record.event = news.event;
    record.reason = news.reason;
    record.direction = news.direction;
    record.tcp_flags = news.tcp_flags;
    record.is_reply = news.is_reply;
}

} // namespace

void FlowSubscription::put(const FlowRecord& flow) {
    if (!filter_.matches(flow)) return;
    const std::lock_guard lock(mutex_);
    if (waiting_.flows.size() >= capacity_) {
        ++waiting_.lost;
    } else {
        waiting_.flows.push_back(flow);
    }
    is_filled_.notify_one();
}

FlowSubscription::Batch FlowSubscription::take(std::chrono::milliseconds patience) {
    std::unique_lock lock(mutex_);
    is_filled_.wait_for(lock, patience,
                        [this] { return !waiting_.flows.empty() || waiting_.lost != 0; });
    return std::exchange(waiting_, {});
}

FlowStore::FlowStore(std::size_t memory)
    : capacity_(std::max<std::size_t>(16, memory / (sizeof(FlowRecord) + kIndexBytes))) {}

std::size_t FlowStore::KeyHash::operator()(const Key& key) const noexcept {
    const std::hash<Address> hash;
    const std::size_t ports = (std::size_t{key.source_port} << 24) ^
                              (std::size_t{key.destination_port} << 8) ^ key.protocol;
    return (hash(key.source) * 31 + hash(key.destination)) * 31 + ports;
}

FlowStore::Key FlowStore::key_of(const FlowRecord& record) {
    return {record.source.address, record.destination.address, record.source.port,
            record.destination.port, record.protocol};
}

void FlowStore::add(const FlowRecord& news) {
    const auto found = newest_.find(key_of(news));
    if (found == newest_.end() || !continues(record_at(found->second), news)) return append(news);
    merge(record_at(found->second), news);
    changed_.push_back(found->second);
}

void FlowStore::append(const FlowRecord& news) {
    if (records_.size() == capacity_) drop_oldest();
    newest_[key_of(news)] = end();
    changed_.push_back(end());
    records_.push_back(news);
}

void FlowStore::drop_oldest() {
    const auto found = newest_.find(key_of(records_.front()));
    if (found != newest_.end() && found->second == first_) newest_.erase(found);
    records_.pop_front();
    ++first_;
}

void FlowStore::publish() {
    std::erase_if(subscriptions_, [](const auto& reader) { return reader.expired(); });
    if (!subscriptions_.empty()) {
        std::ranges::sort(changed_);
        const auto repeats = std::ranges::unique(changed_);
        changed_.erase(repeats.begin(), repeats.end());
        for (const auto position : changed_) {
            if (position < first_) continue; // gone again within the batch
            for (const auto& subscription : subscriptions_) {
                if (const auto reader = subscription.lock()) reader->put(record_at(position));
            }
        }
    }
    changed_.clear();
}

std::uint64_t FlowStore::find_last(const FlowFilter& filter, std::size_t count) const {
    std::uint64_t position = end();
    while (position > first_ && count > 0) {
        --position;
        if (filter.matches(records_[position - first_])) --count;
    }
    return position;
}

std::vector<FlowRecord> FlowStore::read(const FlowFilter& filter, std::uint64_t& cursor,
                                        std::size_t most) const {
    std::vector<FlowRecord> flows;
    cursor = std::max(cursor, first_);
    const std::uint64_t stop = std::min(end(), cursor + most);
    for (; cursor < stop; ++cursor) {
        const FlowRecord& record = records_[cursor - first_];
        if (filter.matches(record)) flows.push_back(record);
    }
    return flows;
}

std::shared_ptr<FlowSubscription> FlowStore::subscribe(FlowFilter filter, std::size_t capacity) {
    auto subscription = std::make_shared<FlowSubscription>(std::move(filter), capacity);
    subscriptions_.push_back(subscription);
    return subscription;
}

} // namespace weir
