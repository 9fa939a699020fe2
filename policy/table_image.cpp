// SPDX-License-Identifier: Apache-2.0
#include "policy/table_image.h"

#include <algorithm>

#include "policy/port_key.h"
#include "policy/prefix_key.h"

namespace weir {
namespace {

std::uint64_t key_of(const weir_rule_key& key) {
    return std::uint64_t{key.table} << 32 | key.class_id;
}

// Calls write for each element until the gate closes.
template <typename Writes, typename Write>
bool each(const Writes& writes, const TableImage::Gate& gate, Write write) {
    return std::all_of(writes.begin(), writes.end(), [&](const auto& element) {
        if (gate && !gate()) {
            return false;
        }
        write(element);
        return true;
    });
}

} // namespace

bool TableImage::apply(const Transaction& transaction, const Gate& gate) {
    const auto write_row = [this](const RowWrite& row) {
        const auto end = row.offset + row.intervals.size();
        intervals_.resize(std::max(intervals_.size(), end));
        std::copy(row.intervals.begin(), row.intervals.end(), intervals_.begin() + row.offset);
    };
    const auto write_default = [this](const DefaultRowWrite& row) {
        default_rows_[row.table] = row.row;
    };
    const auto write_rule = [this](const RuleInsert& rule) { rules_[key_of(rule.key)] = rule.row; };
    const auto write_peer = [this](const PeerWrite& peer) {
        peers_[Address::from_abi(peer.address)] = peer.class_id;
    };
    const auto write_prefix = [this](const PrefixWrite& prefix) {
        prefixes_[cidr_of(prefix.prefix)] = prefix.class_id;
    };
    const auto write_slot = [this](const Flip& flip) {
        slots_[{flip.slot, flip.direction}] = flip.word;
    };
    // An earlier stop leaves these behind too, as in weir_meta: they only count up.
    generation_ = std::max(generation_, transaction.generation);
    rule_ = std::max(rule_, transaction.rule);
    return each(transaction.rows, gate, write_row) &&
           each(transaction.default_rows, gate, write_default) &&
           each(transaction.rules, gate, write_rule) && each(transaction.peers, gate, write_peer) &&
           each(transaction.prefixes, gate, write_prefix) &&
           each(transaction.flips, gate, write_slot) &&
           each(transaction.final_peers, gate, write_peer) &&
           each(transaction.final_prefixes, gate, write_prefix);
}

void TableImage::erase(const Garbage& garbage) {
    for (const auto& key : garbage.rules) {
        rules_.erase(key_of(key));
    }
    for (const auto& peer : garbage.peers) {
        peers_.erase(Address::from_abi(peer));
    }
    for (const auto& prefix : garbage.prefixes) {
        prefixes_.erase(cidr_of(prefix));
    }
}

std::uint32_t TableImage::class_of(const Address& peer) const {
    if (const auto exact = peers_.find(peer); exact != peers_.end()) {
        return exact->second;
    }
    for (int length = 128; length >= 0 && !prefixes_.empty(); --length) {
        const auto found = prefixes_.find(Cidr::around(peer, static_cast<std::uint8_t>(length)));
        if (found != prefixes_.end()) {
            return found->second;
        }
    }
    return WEIR_CLASS_NONE;
}

const weir_row* TableImage::row_of(std::uint32_t table, std::uint32_t class_id) const {
    for (const auto id : {class_id, WEIR_CLASS_PARENT(class_id)}) {
        const auto rule = rules_.find(key_of(weir_rule_key{table, id}));
        if (rule != rules_.end()) {
            return &rule->second;
        }
    }
    const auto row = default_rows_.find(table);
    return row == default_rows_.end() ? nullptr : &row->second;
}

Judgement TableImage::judge(std::uint32_t slot, weir_direction direction, const Address& peer,
                            std::uint8_t protocol, std::uint16_t port) const {
    Judgement judgement;
    const auto word = slots_.find({slot, direction});
    if (word == slots_.end() || WEIR_RULES_TABLE(word->second) == WEIR_TABLE_NONE) {
        return judgement;
    }
    judgement.table = WEIR_RULES_TABLE(word->second);
    judgement.class_id = class_of(peer);
    const auto* row = row_of(judgement.table, judgement.class_id);
    if (row != nullptr && row->offset + row->count <= intervals_.size()) {
        decide(std::span(intervals_).subspan(row->offset, row->count), protocol, port, judgement);
    }
    return judgement;
}

KernelState TableImage::kernel_state() const {
    KernelState state;
    for (const auto& [key, row] : rules_) {
        const weir_rule_key rule{static_cast<std::uint32_t>(key >> 32),
                                 static_cast<std::uint32_t>(key)};
        state.rules.push_back(RuleInsert{rule, row});
    }
    for (const auto& [address, class_id] : peers_) {
        state.peers.push_back(PeerWrite{address.to_abi(), class_id});
    }
    for (const auto& [cidr, class_id] : prefixes_) {
        state.prefixes.push_back(PrefixWrite{prefix_of(cidr), class_id});
    }
    for (const auto& [slot, word] : slots_) {
        if (word == 0) {
            continue;
        }
        state.slots.push_back(Flip{slot.first, slot.second, word});
        if (const auto row = default_rows_.find(WEIR_RULES_TABLE(word));
            row != default_rows_.end()) {
            state.default_rows.push_back(DefaultRowWrite{row->first, row->second});
        }
    }
    state.generation = generation_;
    state.rule = rule_;
    return state;
}

Usage TableImage::usage() const {
    return Usage{
        static_cast<std::uint32_t>(peers_.size()), static_cast<std::uint32_t>(prefixes_.size()), 0,
        static_cast<std::uint32_t>(rules_.size()), static_cast<std::uint32_t>(intervals_.size())};
}

} // namespace weir
