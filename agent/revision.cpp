// SPDX-License-Identifier: Apache-2.0
#include "agent/revision.h"

#include <algorithm>
#include <functional>
#include <optional>
#include <ranges>
#include <span>
#include <vector>

#include "loader/dataplane.h"
#include "policy/transaction.h"

namespace weir {
namespace {

template <typename Key, typename Value>
Result<> update_all(const Map<Key, Value>& map, std::span<const Key> keys,
                    std::span<const Value> values, std::uint64_t flags = 0) {
    auto outcome = map.update(keys, values, flags);
    if (outcome.error) return std::unexpected(std::move(*outcome.error));
    return {};
}

template <typename Key, typename Value>
Result<> erase_all(const Map<Key, Value>& map, std::span<const Key> keys) {
    auto outcome = map.erase(keys);
    if (outcome.error) return std::unexpected(std::move(*outcome.error));
    return {};
}

// A class is changed under the element's lock, never by a new element (bpf/abi.h).
Result<> put(const Map<weir_address, weir_peer>& map, std::span<const weir_address> keys,
             std::span<const weir_peer> values) {
    return update_all(map, keys, values, BPF_F_LOCK);
}
Result<> put(const Map<weir_prefix, std::uint32_t>& map, std::span<const weir_prefix> keys,
             std::span<const std::uint32_t> values) {
    return update_all(map, keys, values);
}

// Writes one transaction; each stage notes first how to take itself back, so that this works
// however much of the stage went through.
class RevisionWriter {
public:
    explicit RevisionWriter(const Maps& maps) : maps_(maps) {}

    Result<> write(const Transaction& transaction) {
        auto done = check_bounds(transaction);
        if (done) done = write_rows(transaction);
        if (!done) return done;
        if (done) done = insert_rules(transaction.rules);
        if (done) done = write_peers(transaction.peers);
        if (done) done = write_prefixes(transaction.prefixes);
        if (done) flip(transaction);
        // A program that read a slot before its flip may not find the final class in the old table.
        if (done && !(transaction.final_peers.empty() && transaction.final_prefixes.empty()))
            wait_for_programs();
        if (done) done = write_peers(transaction.final_peers);
        if (done) done = write_prefixes(transaction.final_prefixes);
        if (!done) take_back(done.error());
        return done;
    }

private:
    using Undo = std::function<Result<>()>;

    Result<> check_bounds(const Transaction& transaction) const {
        const auto row_fits = [this](const RowWrite& row) {
            return row.offset <= maps_.rows.size() &&
                   row.intervals.size() <= maps_.rows.size() - row.offset;
        };
        if (!std::ranges::all_of(transaction.rows, row_fits))
            return failure("a revision reaches beyond the end of weir_rows");
        if (!std::ranges::all_of(transaction.default_rows, [this](const DefaultRowWrite& row) {
                return row.table < maps_.tables.size();
            }))
            return failure("a revision reaches beyond the end of weir_tables");
        if (!std::ranges::all_of(transaction.flips, [this](const Flip& flip) {
                return flip.slot < maps_.pods.size() && flip.direction < WEIR_DIRECTIONS;
            }))
            return failure("a revision reaches beyond the end of weir_pods");
        return {};
    }

    // Nothing refers to them yet: they need no taking back.
    Result<> write_rows(const Transaction& transaction) const {
        auto acquired = maps_.rows.acquire();
        if (acquired) acquired = maps_.tables.acquire();
        if (!acquired) return acquired;
        for (const RowWrite& row : transaction.rows)
            for (std::uint32_t i = 0; i < row.intervals.size(); ++i)
                maps_.rows[row.offset + i] = row.intervals[i];
        for (const DefaultRowWrite& row : transaction.default_rows)
            maps_.tables[row.table] = row.row;
        maps_.rows.release();
        maps_.tables.release();
        return {};
    }

    Result<> insert_rules(const std::vector<RuleInsert>& rules) {
        if (rules.empty()) return {};
        std::vector<weir_rule_key> keys;
        std::vector<weir_row> rows;
        for (const RuleInsert& rule : rules) {
            keys.push_back(rule.key);
            rows.push_back(rule.row);
        }
        undo_.push_back([this, keys] {
            grace_period(); // a program may have read the class that led here
            return erase_all<weir_rule_key>(maps_.rules, keys);
        });
        return update_all<weir_rule_key, weir_row>(maps_.rules, keys, rows);
    }

    Result<> write_peers(const std::vector<PeerWrite>& writes) {
        std::vector<weir_address> keys;
        std::vector<weir_peer> values;
        for (const PeerWrite& write : writes) {
            keys.push_back(write.address);
            values.push_back(weir_peer{{}, write.class_id});
        }
        return write_classes(maps_.peers, std::move(keys), values);
    }

    Result<> write_prefixes(const std::vector<PrefixWrite>& writes) {
        std::vector<weir_prefix> keys;
        std::vector<std::uint32_t> values;
        for (const PrefixWrite& write : writes) {
            keys.push_back(write.prefix);
            values.push_back(write.class_id);
        }
        return write_classes(maps_.prefixes, std::move(keys), values);
    }

    template <typename Key, typename Value>
    Result<> write_classes(const Map<Key, Value>& map, std::vector<Key> keys,
                           const std::vector<Value>& values) {
        if (keys.empty()) return {};
        std::vector<std::optional<Value>> old_values;
        for (const Key& key : keys) {
            auto old_value = map.lookup(key);
            if (!old_value) return std::unexpected(std::move(old_value.error()));
            old_values.push_back(*old_value);
        }
        auto written = put(map, keys, values);
        // Noted in either case: a later stage may fail.
        undo_.push_back([&map, keys = std::move(keys), old_values = std::move(old_values)] {
            return restore(map, keys, old_values);
        });
        return written;
    }

    template <typename Key, typename Value>
    static Result<> restore(const Map<Key, Value>& map, const std::vector<Key>& keys,
                            const std::vector<std::optional<Value>>& old_values) {
        for (std::size_t i = keys.size(); i-- > 0;) {
            if (!old_values[i]) {
                if (auto erased = map.erase(keys[i]); !erased)
                    return std::unexpected(std::move(erased.error()));
            } else if (auto put_back = put(map, {&keys[i], 1}, {&*old_values[i], 1}); !put_back) {
                return put_back;
            }
        }
        return {};
    }

    void flip(const Transaction& transaction) {
        // Before the first use, so that no number is given out twice even if this process dies now.
        maps_.meta[0].generation = std::max(maps_.meta[0].generation, transaction.generation);
        maps_.meta[0].rule = std::max(maps_.meta[0].rule, transaction.rule);
        std::vector<Flip> back;
        for (const Flip& flip : transaction.flips) {
            __u64& word = maps_.pods[flip.slot].rules[flip.direction];
            back.push_back({flip.slot, flip.direction, word});
            store_word(word, flip.word);
        }
        undo_.push_back([this, back = std::move(back)]() -> Result<> {
            for (const Flip& flip : back)
                store_word(maps_.pods[flip.slot].rules[flip.direction], flip.word);
            return {};
        });
    }

    void take_back(Error& error) {
        for (const Undo& undo : std::views::reverse(undo_))
            if (auto undone = undo(); !undone)
                error.what += "; and taking it back failed: " + undone.error().what;
    }

    const Maps& maps_;
    std::vector<Undo> undo_;
};

} // namespace

Result<> write_revision(const Dataplane& dataplane, const Transaction& transaction,
                        std::uint32_t revision) {
    auto written = RevisionWriter(dataplane.maps()).write(transaction);
    if (written) dataplane.maps().meta[0].revision = revision;
    return written;
}

Result<> erase_garbage(const Dataplane& dataplane, const Garbage& garbage) {
    const Maps& maps = dataplane.maps();
    auto rules = erase_all<weir_rule_key>(maps.rules, garbage.rules);
    auto peers = erase_all<weir_address>(maps.peers, garbage.peers);
    auto prefixes = erase_all<weir_prefix>(maps.prefixes, garbage.prefixes);
    return !rules ? rules : !peers ? peers : prefixes;
}

Result<KernelState> read_kernel_state(const Dataplane& dataplane) {
    auto raw = dataplane.read_state();
    if (!raw) return std::unexpected(std::move(raw.error()));
    KernelState state;
    for (const auto& [key, row] : raw->rules)
        state.rules.push_back({key, row});
    for (const auto& [table, row] : raw->default_rows)
        state.default_rows.push_back({table, row});
    for (const auto& [address, id] : raw->peers)
        state.peers.push_back({address, id});
    for (const auto& [prefix, id] : raw->prefixes)
        state.prefixes.push_back({prefix, id});
    for (const auto& [slot, pod] : raw->slots)
        for (const weir_direction direction : {WEIR_EGRESS, WEIR_INGRESS})
            state.slots.push_back({slot, direction, pod.rules[direction]});
    state.generation = raw->meta.generation;
    state.rule = raw->meta.rule;
    return state;
}

Limits limits_of(const Dataplane& dataplane) {
    return limits_of(dataplane.sizes());
}

Limits limits_of(const MapSizes& sizes) {
    return {.peers = sizes.peers,
            .prefixes = sizes.prefixes,
            .tables = sizes.tables,
            .rules = sizes.rules,
            .intervals = sizes.intervals};
}

} // namespace weir
