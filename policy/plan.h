// SPDX-License-Identifier: Apache-2.0
// One revision on its way: what it takes from the pools and what it writes. It becomes the
// committed state, or gives everything back.
#pragma once

#include <cstdint>
#include <vector>

#include "policy/mirror.h"
#include "policy/transaction.h"

namespace weir {

struct Plan {
    struct NewClass {
        std::uint32_t id = 0;
        SignaturePtr signature;
    };
    struct NewTable {
        std::uint32_t id = 0;
        RuleListPtr list;
        RowStore::Id default_row = 0;
        ClassRows rows;
    };
    // A committed table that goes to another list which says the same; done while planning.
    struct Takeover {
        std::uint32_t table = 0;
        RuleListPtr before;
    };
    struct Insert {
        std::uint32_t table = 0;
        std::uint32_t class_id = 0;
        RowStore::Id row = 0;
    };
    template <typename Node>
    struct Entry {
        Node* node = nullptr;
        std::uint32_t from = 0; // effective class before
        std::uint32_t to = 0;
        std::uint32_t via = 0; // the transition class; 0: straight to `to`
        bool is_written = false;
        bool is_needed = false;
    };

    std::vector<NewClass> classes;          // parents first
    bool is_out_of_classes = false;         // some went without: the plan must not be committed
    std::vector<std::uint32_t> transitions; // classes that end with the revision
    std::vector<NewTable> tables;
    std::vector<Takeover> takeovers;
    std::vector<Insert> inserts; // into committed tables
    std::vector<Insert> passing; // rows of transition classes
    std::vector<Entry<AddressNode>> peers;
    std::vector<Entry<RegionNode>> prefixes;
    std::uint32_t new_peers = 0;
    std::uint32_t new_prefixes = 0;
    Transaction transaction;

    // Fills in the transaction, flips aside.
    void write(Mirror& mirror);
    void discard(Mirror& mirror);
    void commit(Mirror& mirror, Desired& desired);

private:
    void write_rows(Mirror& mirror);
    void write_entries();
    void commit_tables(Mirror& mirror);
    void commit_flips(Mirror& mirror, Desired& desired, Leavings& left);
    template <typename Node>
    void commit_entries(std::vector<Entry<Node>>& entries, Mirror& mirror,
                        std::vector<Node*>& left);
    void drop_classes(Mirror& mirror, Leavings& left);
};

} // namespace weir
