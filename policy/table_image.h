// SPDX-License-Identifier: Apache-2.0
// The policy maps as plain memory: takes the same writes as the loader and decides exactly as the
// BPF programs do. For tests and for `weir verdicts --engine model`.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <unordered_map>
#include <utility>
#include <vector>

#include "policy/address.h"
#include "policy/compiler.h"
#include "policy/transaction.h"

namespace weir {

class TableImage {
public:
    // Called before each single write of apply(); a false answer stops there.
    using Gate = std::function<bool()>;

    // All writes in the order that Transaction demands. True when none was held back.
    bool apply(const Transaction& transaction, const Gate& gate = {});
    void erase(const Garbage& garbage);

    // As the programs decide: peer class, row of the slot's table, binary search. A slot without a
    // table and every dangling id deny with rule WEIR_RULE_NONE.
    Judgement judge(std::uint32_t slot, weir_direction direction, const Address& peer,
                    std::uint8_t protocol, std::uint16_t port) const;

    // What an agent that starts on these maps would read back.
    KernelState kernel_state() const;
    Usage usage() const;

private:
    std::uint32_t class_of(const Address& peer) const;
    const weir_row* row_of(std::uint32_t table, std::uint32_t class_id) const;

    std::vector<weir_interval> intervals_;
    std::unordered_map<std::uint32_t, weir_row> default_rows_;
    std::unordered_map<std::uint64_t, weir_row> rules_; // table << 32 | class
    std::unordered_map<Address, std::uint32_t> peers_;
    std::unordered_map<Cidr, std::uint32_t> prefixes_;
    std::map<std::pair<std::uint32_t, weir_direction>, std::uint64_t> slots_;
    std::uint32_t generation_ = 0;
    std::uint32_t rule_ = 0;
};

} // namespace weir
