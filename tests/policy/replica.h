// SPDX-License-Identifier: Apache-2.0
// A compiler, the maps it writes and the naive evaluator, kept in step: each revision is checked
// write by write, as packets would meet it.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "policy/compiler.h"
#include "policy/table_image.h"
#include "tests/support/naive_evaluator.h"

namespace weir::test {

struct Probe {
    std::uint8_t protocol = 0;
    std::uint16_t port = 0;
};

class Replica {
public:
    Replica(const Limits& limits, std::vector<std::uint32_t> slots, std::vector<Address> peers,
            std::vector<Probe> probes);

    void apply(const Change& change);
    void set_local(const LocalPod& local);
    void erase_local(std::uint32_t slot);

    // Compiles, writes and commits. Empty, or what is wrong first. With every_write, looks after
    // each write whether every verdict is the old or the new one.
    std::string revise(bool every_write);
    // The agent dies after that many writes of the next revision; a new one starts on its maps.
    std::string restart_after(std::size_t writes);
    // Erases what commits up to that many ago left. Empty, or what is wrong.
    std::string collect(std::uint64_t commits_ago);

    // How often each kind of verdict was seen: "denied by NetworkPolicy".
    const std::map<std::string, std::size_t>& seen() const { return seen_; }
    std::size_t revisions() const { return revisions_; }

    bool did_fit() const { return did_fit_; }
    std::size_t writes() const { return writes_; }
    std::uint64_t commits() const { return commits_; }
    Compiler& compiler() { return compiler_; }
    const TableImage& image() const { return image_; }

private:
    struct Cell {
        bool is_allowed = false;
        bool is_audited = false;
        bool is_own_node_denied = false;
        std::uint32_t rule = 0;
        bool operator==(const Cell&) const = default;
    };
    using Cells = std::vector<Cell>; // slots x directions x peers x probes

    static Cell cell_of(const Judgement& judged);
    Cells cells() const;
    std::string place(std::size_t cell) const;
    std::string check_naive(const Cells& now);
    bool is_rule(std::uint32_t id, const NaiveRule& expected) const;
    std::string rule_text(std::uint32_t id) const;
    std::string check_rule(const Cell& cell, const NaiveVerdict& expected) const;
    std::string check_queries(const Cells& now) const;
    std::string check_evaluations(const Cells& now) const;
    std::string apply_watched(const Transaction& transaction, const Cells& before);

    Limits limits_;
    std::vector<std::uint32_t> slots_;
    std::vector<Address> peers_;
    std::vector<Probe> probes_;
    Compiler compiler_;
    TableImage image_;
    NaiveEvaluator naive_;
    bool did_fit_ = true;
    bool knows_rows_ = true; // false from a restart to the first commit: the rows are opaque
    std::size_t writes_ = 0;
    std::uint64_t commits_ = 0;
    std::map<std::string, std::size_t> seen_;
    std::size_t revisions_ = 0;
};

} // namespace weir::test
