// SPDX-License-Identifier: Apache-2.0
#include "tests/policy/replica.h"

#include <algorithm>
#include <array>
#include <utility>

namespace weir::test {
namespace {

constexpr std::array kBoth{WEIR_EGRESS, WEIR_INGRESS};
// evaluate() is asked about every so many-th cell, other ones each time.
constexpr std::size_t kEvaluateEvery = 7;

// There are few lists here: questions become popular, and cease to be, all the time.
CompilerOptions options_of(const Limits& limits) {
    CompilerOptions options;
    options.limits = limits;
    options.popular_uses = 3;
    return options;
}

const char* word(bool is_allowed, bool is_audited) {
    if (!is_allowed) return "denied";
    return is_audited ? "audited" : "allowed";
}

std::string kind_word(const NaiveRule& rule) {
    return rule.kind ? to_string(*rule.kind) : "no policy";
}

} // namespace

Replica::Replica(const Limits& limits, std::vector<std::uint32_t> slots, std::vector<Address> peers,
                 std::vector<Probe> probes)
    : limits_(limits),
      slots_(std::move(slots)),
      peers_(std::move(peers)),
      probes_(std::move(probes)),
      compiler_(options_of(limits)) {}

void Replica::apply(const Change& change) {
    compiler_.apply(change);
    naive_.world().apply(change);
}

void Replica::set_local(const LocalPod& local) {
    compiler_.set_local(local);
    naive_.world().set_local(local);
}

void Replica::erase_local(std::uint32_t slot) {
    compiler_.erase_local(slot);
    naive_.world().erase_local(slot);
}

Replica::Cell Replica::cell_of(const Judgement& judged) {
    return {judged.is_allowed, judged.is_audited, judged.is_own_node_denied, judged.rule};
}

Replica::Cells Replica::cells() const {
    Cells result;
    for (const auto slot : slots_) {
        for (const auto direction : kBoth) {
            for (const auto& peer : peers_) {
                for (const auto& probe : probes_) {
                    const auto judged =
                        image_.judge(slot, direction, peer, probe.protocol, probe.port);
                    result.push_back(cell_of(judged));
                }
            }
        }
    }
    return result;
}

std::string Replica::place(std::size_t cell) const {
    const auto& probe = probes_[cell % probes_.size()];
    cell /= probes_.size();
    const auto& peer = peers_[cell % peers_.size()];
    cell /= peers_.size();
    return "slot " + std::to_string(slots_[cell / 2]) + (cell % 2 == 0 ? " egress" : " ingress") +
           " peer " + peer.to_string() + " protocol " + std::to_string(probe.protocol) + " port " +
           std::to_string(probe.port);
}

bool Replica::is_rule(std::uint32_t id, const NaiveRule& expected) const {
    if (!expected.kind) {
        return id < WEIR_RULE_FIRST;
    }
    const auto* info = compiler_.rules().find(id);
    if (info == nullptr || info->kind.get() != to_string(*expected.kind)) {
        return false;
    }
    return info->index == expected.index && info->isolated_by == expected.isolated_by &&
           (!expected.index || info->policy == expected.policy);
}

std::string Replica::rule_text(std::uint32_t id) const {
    const auto* info = compiler_.rules().find(id);
    if (id < WEIR_RULE_FIRST || info == nullptr) {
        return "rule id " + std::to_string(id);
    }
    std::string text =
        info->kind.get() + " " + info->policy.ns.get() + "/" + info->policy.name.get();
    text += info->index ? " rule " + std::to_string(*info->index) : " isolation";
    for (const auto& name : info->isolated_by) {
        text += " " + name.ns.get() + "/" + name.name.get();
    }
    return text;
}

std::string Replica::check_rule(const Cell& cell, const NaiveVerdict& expected) const {
    const bool is_verdict =
        cell.is_allowed == expected.is_allowed && cell.is_audited == expected.is_audited;
    if (is_verdict && cell.is_own_node_denied != expected.is_own_node_denied) {
        return "wrong about the own node: " + to_string(expected.rules.front());
    }
    if (is_verdict &&
        std::any_of(expected.rules.begin(), expected.rules.end(),
                    [&](const NaiveRule& rule) { return is_rule(cell.rule, rule); })) {
        return "";
    }
    return std::string(word(cell.is_allowed, cell.is_audited)) + " by " + rule_text(cell.rule) +
           " instead of " + word(expected.is_allowed, expected.is_audited) + " by " +
           to_string(expected.rules.front());
}

std::string Replica::check_naive(const Cells& now) {
    ++revisions_;
    std::map<std::pair<const char*, std::optional<Kind>>, std::size_t> seen;
    std::size_t cell = 0;
    for (const auto slot : slots_) {
        for (const auto direction : kBoth) {
            for (const auto& peer : peers_) {
                for (const auto& probe : probes_) {
                    const auto expected =
                        naive_.judge(slot, direction, peer, probe.protocol, probe.port);
                    const auto wrong = check_rule(now[cell], expected);
                    if (!wrong.empty()) {
                        return wrong + ": " + place(cell);
                    }
                    ++seen[{word(expected.is_allowed, expected.is_audited),
                            expected.rules.back().kind}];
                    ++cell;
                }
            }
        }
    }
    for (const auto& [what, count] : seen) {
        seen_[std::string(what.first) + " by " + kind_word({what.second, {}, {}, {}})] += count;
    }
    return "";
}

// What explain shows is what the tables say.
std::string Replica::check_evaluations(const Cells& now) const {
    for (std::size_t cell = commits_ % kEvaluateEvery; cell < now.size(); cell += kEvaluateEvery) {
        auto rest = cell;
        const auto& probe = probes_[rest % probes_.size()];
        rest /= probes_.size();
        const auto& peer = peers_[rest % peers_.size()];
        rest /= peers_.size();
        const auto found =
            compiler_.evaluate(slots_[rest / 2], kBoth[rest % 2], peer, probe.protocol, probe.port);
        const bool is_denied_without = !found.without_audited || !found.without_audited->is_allowed;
        const bool is_denied_dry = found.with_dry_runs && !found.with_dry_runs->is_allowed;
        Cell evaluated{found.all.is_allowed || !is_denied_without, false,
                       now[cell].is_own_node_denied, found.all.rule};
        evaluated.is_audited = evaluated.is_allowed && (!found.all.is_allowed || is_denied_dry);
        if (found.all.is_allowed && is_denied_dry) {
            evaluated.rule = found.with_dry_runs->rule;
        }
        if (evaluated != now[cell]) {
            return "evaluate(): " + std::string(word(evaluated.is_allowed, evaluated.is_audited)) +
                   " by " + rule_text(evaluated.rule) +
                   " but the tables: " + word(now[cell].is_allowed, now[cell].is_audited) + " by " +
                   rule_text(now[cell].rule) + ": " + place(cell);
        }
    }
    return "";
}

std::string Replica::check_queries(const Cells& now) const {
    std::size_t cell = 0;
    for (const auto slot : slots_) {
        for (const auto direction : kBoth) {
            for (const auto& peer : peers_) {
                for (const auto& probe : probes_) {
                    const auto judged =
                        compiler_.judge(slot, direction, peer, probe.protocol, probe.port);
                    if (cell_of(judged) != now[cell]) {
                        return "judge() disagrees with the maps: " + place(cell);
                    }
                    ++cell;
                }
            }
        }
    }
    return "";
}

// Cached verdicts count too: a slot whose verdict for a peer changed must get a new generation no
// earlier than that.
std::string Replica::apply_watched(const Transaction& transaction, const Cells& before) {
    TableImage after = image_;
    after.apply(transaction);
    std::swap(image_, after);
    const Cells target = cells();
    std::swap(image_, after);

    std::string wrong;
    std::size_t write = 0;
    const auto cells_per_slot = peers_.size() * probes_.size() * 2;
    Cells last = before;
    std::map<std::size_t, std::size_t> changed_at; // slot's place -> write
    const auto look = [&] {
        const Cells now = cells();
        for (std::size_t cell = 0; cell < now.size() && wrong.empty(); ++cell) {
            if (now[cell] != before[cell] && now[cell] != target[cell]) {
                wrong =
                    "neither old nor new after write " + std::to_string(write) + ": " + place(cell);
            }
            if (now[cell] != last[cell]) {
                changed_at[cell / (cells_per_slot / 2)] = write;
            }
        }
        last = now;
        ++write;
        return wrong.empty();
    };
    image_.apply(transaction, look);
    look();
    // Flips come after rows, default rows, rules, peers and prefixes.
    const auto first_flip = transaction.rows.size() + transaction.default_rows.size() +
                            transaction.rules.size() + transaction.peers.size() +
                            transaction.prefixes.size();
    std::map<std::size_t, std::size_t> flipped_at;
    for (std::size_t flip = 0; flip < transaction.flips.size(); ++flip) {
        for (std::size_t place = 0; place < slots_.size(); ++place) {
            if (slots_[place] == transaction.flips[flip].slot) {
                flipped_at[place * 2 + transaction.flips[flip].direction] = first_flip + flip + 1;
            }
        }
    }
    for (const auto& [slot, changed] : changed_at) {
        if (wrong.empty() && (!flipped_at.contains(slot) || flipped_at[slot] < changed)) {
            wrong = "a cached verdict stays: slot " + std::to_string(slots_[slot / 2]) +
                    (slot % 2 == 0 ? " egress" : " ingress");
        }
    }
    return wrong;
}

std::string Replica::revise(bool every_write) {
    auto outcome = compiler_.compile();
    const Cells before = cells();
    did_fit_ = std::holds_alternative<Transaction>(outcome);
    if (!did_fit_) {
        return knows_rows_ ? check_queries(before) : "";
    }
    const auto& transaction = std::get<Transaction>(outcome);
    writes_ = transaction.rows.size() + transaction.default_rows.size() + transaction.rules.size() +
              transaction.prefixes.size() + transaction.peers.size() + transaction.flips.size() +
              transaction.final_prefixes.size() + transaction.final_peers.size();
    std::string wrong;
    if (every_write) {
        wrong = apply_watched(transaction, before);
    } else {
        image_.apply(transaction);
    }
    if (!wrong.empty()) {
        return wrong;
    }
    commits_ = compiler_.commit();
    knows_rows_ = true;
    const Cells now = cells();
    wrong = check_naive(now);
    if (wrong.empty()) wrong = check_evaluations(now);
    return wrong.empty() ? check_queries(now) : wrong;
}

std::string Replica::restart_after(std::size_t writes) {
    auto outcome = compiler_.compile();
    if (const auto* transaction = std::get_if<Transaction>(&outcome)) {
        image_.apply(*transaction, [&] { return writes-- > 0; });
    }
    Compiler successor(options_of(limits_));
    successor.adopt(image_.kernel_state());
    NaiveEvaluator naive;
    naive.world().apply(naive_.world().everything());
    successor.apply(naive_.world().everything());
    for (const auto& local : naive_.world().locals()) {
        naive.world().set_local(local);
        successor.set_local(local);
    }
    // Endpoints that went meanwhile.
    for (const auto slot : slots_) {
        bool is_local = false;
        for (const auto& local : naive_.world().locals()) {
            is_local = is_local || local.slot == slot;
        }
        if (!is_local) {
            successor.erase_local(slot);
        }
    }
    compiler_ = std::move(successor);
    naive_ = std::move(naive);
    commits_ = 0;
    knows_rows_ = false;
    return "";
}

std::string Replica::collect(std::uint64_t commits_ago) {
    const Cells before = cells();
    image_.erase(compiler_.take_garbage(commits_ > commits_ago ? commits_ - commits_ago : 0));
    compiler_.reclaim();
    if (cells() != before) {
        return "erasing garbage changed a verdict";
    }
    const auto maps = image_.usage();
    const auto known = compiler_.usage();
    if (maps.peers != known.peers || maps.prefixes != known.prefixes || maps.rules != known.rules) {
        return "usage: peers " + std::to_string(maps.peers) + "/" + std::to_string(known.peers) +
               " prefixes " + std::to_string(maps.prefixes) + "/" + std::to_string(known.prefixes) +
               " rules " + std::to_string(maps.rules) + "/" + std::to_string(known.rules);
    }
    return "";
}

} // namespace weir::test
