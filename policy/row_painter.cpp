// SPDX-License-Identifier: Apache-2.0
#include "policy/row_painter.h"

#include <netinet/in.h>

#include <algorithm>
#include <queue>
#include <utility>

#include "policy/sort_unique.h"

namespace weir {
namespace {

constexpr std::uint32_t kNobody = 0xffffffff;
constexpr KeyRange kTcp{WEIR_PORT_KEY(IPPROTO_TCP, 0), WEIR_PORT_KEY(IPPROTO_TCP, 0xffff)};

std::size_t at(Stage stage) {
    return static_cast<std::size_t>(stage);
}

void append(std::vector<weir_interval>& row, std::uint32_t start, std::uint32_t verdict) {
    if (row.empty() || row.back().verdict != verdict) {
        row.push_back(weir_interval{start, verdict});
    }
}

// Reads a row or layer at positions that only grow.
template <typename Steps>
class Cursor {
public:
    explicit Cursor(const Steps& steps) : steps_(steps) {}
    const auto& at(std::uint32_t position) {
        while (next_ < steps_.size() && steps_[next_].start <= position) {
            ++next_;
        }
        return steps_[next_ - 1];
    }

private:
    const Steps& steps_;
    std::size_t next_ = 1;
};

bool is_denied(std::uint32_t verdict) {
    return (verdict & WEIR_VERDICT_DENY) != 0;
}

std::uint32_t audited(std::uint32_t denial) {
    return WEIR_VERDICT_AUDIT | WEIR_VERDICT_RULE(denial);
}

// The verdict of all policies, as far as audited ones and dry runs let it stand.
std::uint32_t combined(std::uint32_t all, std::uint32_t without_audited,
                       std::uint32_t with_dry_runs) {
    if (is_denied(all)) {
        return is_denied(without_audited) ? all : audited(all);
    }
    return is_denied(with_dry_runs) ? audited(with_dry_runs) : all;
}

} // namespace

// A sweep over the ports: of the claims that reach a position the one with the first place wins.
RowPainter::Layer RowPainter::layer(std::size_t stage, Evaluation evaluation) const {
    std::vector<Claim> claims;
    std::vector<std::uint32_t> positions{0};
    for (const auto& claim : claims_[stage]) {
        if (!takes_part(effective_.rules[claim.place].enforcement, evaluation)) {
            continue;
        }
        claims.push_back(claim);
        positions.push_back(claim.range.first);
        if (claim.range.last != KeyRange{}.last) {
            positions.push_back(claim.range.last + 1);
        }
    }
    sort_unique(positions);
    std::sort(claims.begin(), claims.end(),
              [](const Claim& a, const Claim& b) { return a.range.first < b.range.first; });
    const auto is_later = [](const Claim& a, const Claim& b) { return a.place > b.place; };
    std::priority_queue<Claim, std::vector<Claim>, decltype(is_later)> open(is_later);
    Layer result;
    auto next = claims.begin();
    for (const auto position : positions) {
        for (; next != claims.end() && next->range.first <= position; ++next) {
            open.push(*next);
        }
        while (!open.empty() && open.top().range.last < position) {
            open.pop();
        }
        const auto place = open.empty() ? kNobody : open.top().place;
        if (result.empty() || result.back().place != place) {
            result.push_back(Step{position, place});
        }
    }
    return result;
}

std::uint32_t RowPainter::verdict(const Places& places, bool is_tcp, Evaluation evaluation) const {
    const auto rule = [&](Stage stage) -> const CompiledRule* {
        const auto place = places[at(stage)];
        return place == kNobody ? nullptr : effective_.rules[place].rule.get();
    };
    // Of a tier: nothing where it does not decide. Pass leaves the tier.
    const auto decided = [&](Stage stage) {
        const auto* found = rule(stage);
        return found == nullptr || found->action == ChainStep::Action::kPass ? nullptr : found;
    };
    const auto& isolation = effective_.isolation(evaluation);
    const auto word = [](const CompiledRule& found) {
        return found.action == ChainStep::Action::kDeny ? WEIR_VERDICT_DENY | found.id : found.id;
    };
    // "Deny all" of a rule that fails closed is for everybody, the pod's own node as well.
    const auto tier_word = [&](const CompiledRule& found) {
        const bool is_for_all = found.action == ChainStep::Action::kDeny && found.is_any_peer;
        return word(found) | (is_for_all ? WEIR_VERDICT_OWN_NODE : 0);
    };
    std::uint32_t network = WEIR_RULE_NONE;
    if (const auto* admin = decided(Stage::kAdmin)) {
        network = tier_word(*admin);
    } else if (isolation.network) {
        const auto* found = rule(Stage::kNetworkPolicy);
        network = found == nullptr ? WEIR_VERDICT_DENY | *isolation.network : word(*found);
    } else if (const auto* baseline = decided(Stage::kBaseline)) {
        network = tier_word(*baseline);
    }
    if (is_denied(network) || !is_tcp) {
        return network;
    }
    if (const auto* denying = rule(Stage::kAuthorizationDeny)) {
        return word(*denying);
    }
    if (!isolation.authorization) {
        return network;
    }
    const auto* allowing = rule(Stage::kAuthorizationAllow);
    if (allowing == nullptr) {
        return WEIR_VERDICT_DENY | *isolation.authorization;
    }
    return network == WEIR_RULE_NONE ? word(*allowing) : network;
}

std::vector<weir_interval> RowPainter::paint(Evaluation evaluation) const {
    std::array<Layer, kStages> layers;
    std::vector<std::uint32_t> positions{kTcp.first, kTcp.last + 1};
    for (std::size_t stage = 0; stage < kStages; ++stage) {
        layers[stage] = layer(stage, evaluation);
        for (const auto& step : layers[stage]) {
            positions.push_back(step.start);
        }
    }
    sort_unique(positions);
    std::vector<Cursor<Layer>> cursors(layers.begin(), layers.end());
    std::vector<weir_interval> row;
    for (const auto position : positions) {
        Places places{};
        for (std::size_t stage = 0; stage < kStages; ++stage) {
            places[stage] = cursors[stage].at(position).place;
        }
        const bool is_tcp = kTcp.first <= position && position <= kTcp.last;
        append(row, position, verdict(places, is_tcp, evaluation));
    }
    return row;
}

std::vector<weir_interval> RowPainter::row() const {
    std::vector<weir_interval> all = paint(Evaluation::kAll);
    const bool has_audited = effective_.has(Evaluation::kWithoutAudited);
    const bool has_dry_runs = effective_.has(Evaluation::kWithDryRuns);
    if (!has_audited && !has_dry_runs) {
        return all;
    }
    const std::vector<weir_interval> without_audited =
        has_audited ? paint(Evaluation::kWithoutAudited) : all;
    const std::vector<weir_interval> with_dry_runs =
        has_dry_runs ? paint(Evaluation::kWithDryRuns) : all;
    std::vector<std::uint32_t> positions;
    for (const auto* each : std::initializer_list<const std::vector<weir_interval>*>{
             &all, &without_audited, &with_dry_runs}) {
        for (const auto& interval : *each) {
            positions.push_back(interval.start);
        }
    }
    sort_unique(positions);
    Cursor a(all);
    Cursor b(without_audited);
    Cursor c(with_dry_runs);
    std::vector<weir_interval> row;
    for (const auto position : positions) {
        append(row, position,
               combined(a.at(position).verdict, b.at(position).verdict, c.at(position).verdict));
    }
    return row;
}

} // namespace weir
