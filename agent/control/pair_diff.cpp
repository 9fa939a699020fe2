// SPDX-License-Identifier: Apache-2.0
#include "agent/control/pair_diff.h"

#include <fmt/format.h>
#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <tuple>
#include <utility>

#include "agent/control/pair_groups.h"
#include "agent/control/policy_text.h"
#include "agent/control/subjects.h"

namespace weir {
namespace {

// Above these a preview would take longer than anybody waits.
constexpr std::size_t kMaxSubjects = 1024;
constexpr std::size_t kMaxJudgements = 20'000'000;
constexpr std::size_t kMaxCandidates = 200'000;

std::uint8_t protocol_of(std::uint32_t key) {
    // Any protocol without ports stands for all of them.
    return key == WEIR_PORT_KEY_OTHER ? std::uint8_t{IPPROTO_ICMP}
                                      : static_cast<std::uint8_t>(key >> 16);
}

KeySpan span_from(std::set<std::uint32_t>::const_iterator cut,
                  const std::set<std::uint32_t>& cuts) {
    if (*cut == WEIR_PORT_KEY_OTHER) return {*cut, *cut};
    const auto after = std::next(cut);
    const std::uint32_t end_of_protocol = *cut | 0xffffu;
    const bool is_last = after == cuts.end() || *after > end_of_protocol;
    return {*cut, is_last ? end_of_protocol : *after - 1};
}

class Comparer {
public:
    Comparer(World& before, World& after, const std::vector<ObjectKey>& changes)
        : worlds_{&before, &after}, changes_(changes), groups_(before, after) {}

    Result<PairReport> compare() {
        find_subjects();
        ends_ = groups_.all();
        std::set<const Object*> involved;
        for (const auto subject : subjects_)
            involved.merge(groups_.policies_of(ends_[subject]));
        std::ranges::move(groups_.samples(involved), std::back_inserter(ends_));
        if (auto prepared = prepare(subjects_); !prepared) {
            return std::unexpected(std::move(prepared.error()));
        }
        find_candidates();
        std::set<std::size_t> others;
        for (const auto& [source, destination, family] : candidates_) {
            others.insert(source);
            others.insert(destination);
        }
        if (auto prepared = prepare({others.begin(), others.end()}); !prepared) {
            return std::unexpected(std::move(prepared.error()));
        }
        for (const auto& [source, destination, family] : candidates_)
            compare_pair(source, destination, family);
        tidy();
        return std::move(report_);
    }

private:
    using Candidate = std::tuple<std::size_t, std::size_t, std::size_t>;   // ends and family
    using Ends = std::pair<WorldEnd, WorldEnd>;                            // source, destination
    using SidePlaces = std::tuple<weir_direction, WorldPlace, WorldPlace>; // before, after
    struct PortDifference {
        WorldVerdict before;
        WorldVerdict after;
        std::vector<KeySpan> ports;
    };

    // Groups whose own rules may differ: selected by a changed policy, or any when the cluster
    // itself changes.
    void find_subjects() {
        const bool is_any = std::ranges::any_of(
            changes_, [](const ObjectKey& key) { return !is_policy_kind(key.kind); });
        for (std::size_t i = 0; i < groups_.all().size(); ++i) {
            const PairEnd& group = groups_.all()[i];
            if (group.kind != PairEnd::Kind::kPods) continue;
            if (is_any || is_selected(group)) subjects_.push_back(i);
        }
        if (subjects_.size() <= kMaxSubjects) return;
        report_.incomplete = fmt::format("only {} of {} affected groups of pods were compared",
                                         kMaxSubjects, subjects_.size());
        subjects_.resize(kMaxSubjects);
    }

    bool is_selected(const PairEnd& group) const {
        const ObjectName& name = group.shown.pods.front();
        for (const auto* world : worlds_) {
            const auto& inventory = world->inventory();
            for (const auto& key : changes_) {
                const auto policy = inventory.policies().find(key);
                if (policy == inventory.policies().end()) continue;
                const auto* pod = inventory.pod(name);
                const bool selects = SubjectTest(policy->second, world->mesh().root_namespace)
                                         .selects(*pod, inventory.ns(name.ns));
                if (selects) return true;
            }
        }
        return false;
    }

    Result<> prepare(const std::vector<std::size_t>& ends) {
        std::vector<ObjectName> pods;
        for (const auto i : ends) {
            const auto& members = ends_[i].shown.pods;
            const std::size_t judged = std::min<std::size_t>(2, members.size());
            pods.insert(pods.end(), members.begin(), members.begin() + static_cast<long>(judged));
        }
        for (auto* world : worlds_) {
            if (auto prepared = world->prepare(pods); !prepared) return prepared;
        }
        return {};
    }

    const std::set<std::uint32_t>& cuts_of(std::size_t end) {
        const auto [entry, is_new] = cuts_.try_emplace(end);
        if (is_new) entry->second = groups_.cuts_of(groups_.policies_of(ends_[end]));
        return entry->second;
    }

    // The two ends in one world; nothing when one of them has no address there.
    std::optional<Ends> ends_in(std::size_t world, std::size_t source, std::size_t destination,
                                std::size_t family) const {
        const auto& from = ends_[source].ends[world][family];
        const bool is_same = source == destination;
        if (is_same && !ends_[destination].companion) return {};
        const auto& to = is_same ? (*ends_[destination].companion)[world][family]
                                 : ends_[destination].ends[world][family];
        if (!from || !to) return {};
        return std::pair(*from, *to);
    }

    void find_candidates() {
        for (const auto subject : subjects_) {
            const auto& cuts = cuts_of(subject);
            for (std::size_t peer = 0; peer < ends_.size(); ++peer) {
                for (std::size_t family = 0; family < 2; ++family) {
                    add_candidate(subject, peer, family, WEIR_EGRESS, cuts);
                    add_candidate(peer, subject, family, WEIR_INGRESS, cuts);
                }
                if (judgements_ > kMaxJudgements || candidates_.size() > kMaxCandidates) {
                    report_.incomplete = "there are too many pairs: not all were compared";
                    return;
                }
            }
        }
    }

    void add_candidate(std::size_t source, std::size_t destination, std::size_t family,
                       weir_direction direction, const std::set<std::uint32_t>& cuts) {
        const auto before = ends_in(0, source, destination, family);
        const auto after = ends_in(1, source, destination, family);
        if (!before || !after) return;
        ++report_.pairs_compared;
        const auto place = places_of(*before, *after, direction);
        const auto known = place ? sides_.find(*place) : sides_.end();
        const bool differs =
            known != sides_.end() ? known->second : side_differs(*before, *after, direction, cuts);
        if (place) sides_.emplace(*place, differs);
        if (differs) candidates_.insert({source, destination, family});
    }

    // What the side's difference depends on; nothing where the tables are not all.
    std::optional<SidePlaces> places_of(const Ends& before, const Ends& after,
                                        weir_direction direction) const {
        const auto was = worlds_[0]->place_of(before.first, before.second, direction);
        const auto is = worlds_[1]->place_of(after.first, after.second, direction);
        if (!was || !is) return {};
        return SidePlaces{direction, *was, *is};
    }

    bool side_differs(const Ends& before, const Ends& after, weir_direction direction,
                      const std::set<std::uint32_t>& cuts) {
        judgements_ += 2 * cuts.size();
        return std::ranges::any_of(cuts, [&](std::uint32_t cut) {
            const auto port = static_cast<std::uint16_t>(cut);
            const auto old_side = worlds_[0]->judge_side(before.first, before.second, direction,
                                                         protocol_of(cut), port);
            const auto new_side = worlds_[1]->judge_side(after.first, after.second, direction,
                                                         protocol_of(cut), port);
            return old_side.verdict != new_side.verdict;
        });
    }

    void compare_pair(std::size_t source, std::size_t destination, std::size_t family) {
        const auto before = *ends_in(0, source, destination, family);
        const auto after = *ends_in(1, source, destination, family);
        const auto egress = places_of(before, after, WEIR_EGRESS);
        const auto ingress = places_of(before, after, WEIR_INGRESS);
        std::vector<PortDifference> found;
        if (!egress || !ingress) {
            found = port_differences(before, after, cuts_between(source, destination));
        } else {
            const auto [known, is_new] = pairs_.try_emplace({*egress, *ingress});
            if (is_new) {
                known->second = port_differences(before, after, cuts_between(source, destination));
            }
            found = known->second;
        }
        const bool has_other_family = ends_in(0, source, destination, 1 - family).has_value();
        for (auto& one : found) {
            report_.differences.push_back({.source = ends_[source].shown,
                                           .destination = ends_[destination].shown,
                                           .is_v4 = family == 0,
                                           .is_both_families = !has_other_family,
                                           .before = one.before,
                                           .after = one.after,
                                           .ports = std::move(one.ports)});
        }
    }

    std::set<std::uint32_t> cuts_between(std::size_t source, std::size_t destination) {
        std::set<std::uint32_t> cuts = cuts_of(source);
        cuts.insert(cuts_of(destination).begin(), cuts_of(destination).end());
        return cuts;
    }

    std::vector<PortDifference> port_differences(const Ends& before, const Ends& after,
                                                 const std::set<std::uint32_t>& cuts) const {
        std::vector<PortDifference> found;
        for (auto cut = cuts.begin(); cut != cuts.end(); ++cut) {
            const auto port = static_cast<std::uint16_t>(*cut);
            const auto protocol = protocol_of(*cut);
            const auto was = worlds_[0]->judge(before.first, before.second, protocol, port);
            const auto is = worlds_[1]->judge(after.first, after.second, protocol, port);
            if (was.verdict == is.verdict) continue;
            auto same = std::ranges::find_if(found, [&](const PortDifference& one) {
                return one.before == was && one.after == is;
            });
            if (same == found.end()) same = found.insert(found.end(), {was, is, {}});
            add_span(same->ports, span_from(cut, cuts));
        }
        return found;
    }

    static void add_span(std::vector<KeySpan>& spans, KeySpan span) {
        const bool is_next = !spans.empty() && spans.back().last + 1 == span.first &&
                             spans.back().first >> 16 == span.first >> 16 &&
                             spans.back().first != WEIR_PORT_KEY_OTHER;
        if (is_next) {
            spans.back().last = span.last;
        } else {
            spans.push_back(span);
        }
    }

    // What two differences have to share to be told as one, beside their ends.
    static std::string outcome_of(const PairDifference& one) {
        const auto verdict = [](const WorldVerdict& side) {
            return fmt::format("{}/{}/{} ", static_cast<int>(side.verdict),
                               static_cast<int>(side.direction), side.rule);
        };
        std::string text = verdict(one.before) + verdict(one.after);
        for (const auto& span : one.ports)
            text += fmt::format("{}-{} ", span.first, span.last);
        return text;
    }

    static std::string end_key(const PairGroup& group) {
        if (group.pods.empty()) return group.name;
        return group.name + " " + group.pods.front().name.get();
    }

    // Both families alike are one difference, a block that fares as all other addresses is none of
    // its own, and sources that fare alike stand together.
    void tidy() {
        merge_families();
        drop_ordinary_blocks();
        join_sources();
        std::ranges::stable_sort(report_.differences,
                                 [](const PairDifference& a, const PairDifference& b) {
                                     return std::tie(a.destination.name, a.source.name) <
                                            std::tie(b.destination.name, b.source.name);
                                 });
    }

    void merge_families() {
        std::map<std::string, std::size_t> known; // IPv4's, by ends and outcome
        std::vector<PairDifference> merged;
        for (auto& one : report_.differences) {
            const std::string key = end_key(one.source) + "|" + end_key(one.destination) + "|" +
                                    outcome_of(one) + (one.is_both_families ? "only" : "");
            const auto twin = known.find(key);
            if (twin != known.end() && merged[twin->second].is_v4 != one.is_v4) {
                merged[twin->second].is_both_families = true;
                continue;
            }
            known.emplace(key, merged.size());
            merged.push_back(std::move(one));
        }
        report_.differences = std::move(merged);
    }

    static bool is_block(const PairGroup& group) {
        return group.pods.empty() && group.name != kOtherName && !group.name.starts_with("node/");
    }

    // What a block's difference would be were it of all other addresses.
    static std::string as_other(const PairDifference& one) {
        const std::string source = is_block(one.source) ? kOtherName : end_key(one.source);
        const std::string destination =
            is_block(one.destination) ? kOtherName : end_key(one.destination);
        return source + "|" + destination + "|" + outcome_of(one);
    }

    void drop_ordinary_blocks() {
        std::set<std::string> of_others;
        for (const auto& one : report_.differences) {
            if (!is_block(one.source) && !is_block(one.destination))
                of_others.insert(as_other(one));
        }
        std::erase_if(report_.differences, [&](const PairDifference& one) {
            const bool has_block = is_block(one.source) || is_block(one.destination);
            return has_block && of_others.contains(as_other(one));
        });
    }

    void join_sources() {
        std::map<std::string, std::size_t> known;
        std::vector<PairDifference> joined;
        for (auto& one : report_.differences) {
            const std::string key = end_key(one.destination) + "|" + outcome_of(one) +
                                    (one.is_v4 ? "4" : "6") + (one.is_both_families ? "both" : "");
            const auto [same, is_new] = known.try_emplace(key, joined.size());
            if (is_new) {
                joined.push_back(std::move(one));
                continue;
            }
            PairGroup& source = joined[same->second].source;
            const auto& last = source.also.empty() ? source.name : source.also.back();
            if (last != one.source.name) source.also.push_back(one.source.name);
            std::ranges::move(one.source.pods, std::back_inserter(source.pods));
        }
        report_.differences = std::move(joined);
    }

    World* worlds_[2];
    const std::vector<ObjectKey>& changes_;
    PairGroups groups_;
    std::vector<std::size_t> subjects_;
    std::vector<PairEnd> ends_;
    std::map<std::size_t, std::set<std::uint32_t>> cuts_;
    std::set<Candidate> candidates_;
    // What was found once holds for all ends in the same places.
    std::map<SidePlaces, bool> sides_;
    std::map<std::pair<SidePlaces, SidePlaces>, std::vector<PortDifference>> pairs_;
    std::size_t judgements_ = 0;
    PairReport report_;
};

std::string span_text(const KeySpan& span) {
    if (span.first == WEIR_PORT_KEY_OTHER) return "ICMP and other protocols";
    return port_range_text(static_cast<std::uint8_t>(span.first >> 16),
                           static_cast<std::uint16_t>(span.first),
                           static_cast<std::uint16_t>(span.last));
}

// What the sorted spans leave out.
std::vector<KeySpan> complement(const std::vector<KeySpan>& ports) {
    std::vector<KeySpan> rest;
    const bool has_other = !ports.empty() && ports.front().first == WEIR_PORT_KEY_OTHER;
    if (!has_other) rest.push_back({});
    for (const std::uint32_t protocol : {IPPROTO_TCP, IPPROTO_UDP, IPPROTO_SCTP}) {
        std::uint32_t next = WEIR_PORT_KEY(protocol, 1);
        const std::uint32_t end = WEIR_PORT_KEY(protocol, 65535);
        for (const auto& span : ports) {
            if (span.first >> 16 != protocol) continue;
            if (span.first > next) rest.push_back({next, span.first - 1});
            next = span.last + 1;
        }
        if (next <= end) rest.push_back({next, end});
    }
    return rest;
}

} // namespace

Result<PairReport> compare_pairs(World& before, World& after,
                                 const std::vector<ObjectKey>& changes) {
    return Comparer(before, after, changes).compare();
}

std::vector<std::string> port_texts(const std::vector<KeySpan>& ports) {
    const auto rest = complement(ports);
    if (rest.empty()) return {"everything"};
    std::vector<std::string> texts;
    const bool is_rest_shorter = rest.size() < ports.size();
    for (const auto& span : is_rest_shorter ? rest : ports)
        texts.push_back(span_text(span));
    if (is_rest_shorter) texts.front() = "everything but " + texts.front();
    return texts;
}

} // namespace weir
