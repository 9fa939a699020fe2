// SPDX-License-Identifier: Apache-2.0
#include "agent/kube/decode_tier_rule.h"

#include <algorithm>
#include <unordered_set>

#include "agent/kube/decode_network.h"
#include "agent/kube/decode_selector.h"
#include "agent/kube/decode_tier_port.h"
#include "agent/kube/syntax.h"

namespace weir {
namespace {

constexpr std::size_t kNameLength = 100;   // of a rule
constexpr std::size_t kMostNetworks = 25;  // of a peer, domain names too
constexpr std::size_t kNetworkLength = 43; // as text

struct Peers {
    std::vector<TierRule::Peer> known;
    // A peer of a kind that this version does not know: the rule fails closed.
    bool has_unknown = false;
    // "DomainNames is only supported for Accept rules."
    bool has_domain_names = false;
    bool has_addresses = false; // a peer that has no named ports
};

Symbol decode_rule_name(const Field& field) {
    const std::string_view text = field.string().value_or("");
    const auto length = std::ranges::count_if(
        text, [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; });
    if (static_cast<std::size_t>(length) > kNameLength) {
        field.error("is longer than 100 characters", "shorten the rule's name");
    }
    return Symbol(std::string(text));
}

TierAction decode_action(const Field& field, const TierDialect& dialect) {
    const std::string remedy =
        "use " + std::string(dialect.accept) + (dialect.has_pass ? ", Deny or Pass" : " or Deny");
    if (field.is_missing()) field.error("is required", remedy);
    const auto text = field.string();
    if (!text || text == "Deny") return TierAction::kDeny;
    if (text == dialect.accept) return TierAction::kAccept;
    if (text == "Pass" && dialect.has_pass) return TierAction::kPass;
    field.error("unknown action " + quote(*text), remedy);
    return TierAction::kDeny;
}

Selector decode_required_selector(const Field& field, bool is_required) {
    if (field.is_missing() && is_required) field.error("is required", "{} selects everything");
    return decode_selector(field);
}

// "listType=set"
void check_unique(const Field& field, std::string_view text,
                  std::unordered_set<std::string_view>& seen) {
    if (!seen.insert(text).second) field.error(quote(text) + " stands twice", "remove one of them");
}

void decode_networks(const Field& field, std::vector<TierRule::Peer>& peers) {
    std::unordered_set<std::string_view> seen;
    check_optional_size(field, kMostNetworks);
    field.each_item([&](const Field& item) {
        const std::string_view text = item.string().value_or("");
        if (text.size() > kNetworkLength) item.error("is longer than 43 characters");
        check_unique(item, text, seen);
        if (const auto cidr = decode_cidr(item)) peers.emplace_back(*cidr);
    });
}

void check_domain_names(const Field& field) {
    std::unordered_set<std::string_view> seen;
    check_optional_size(field, kMostNetworks);
    field.each_item([&](const Field& item) {
        const std::string_view text = item.string().value_or("");
        check_unique(item, text, seen);
        if (const Complaint complaint = check_domain_name(text)) {
            item.error("domain name " + quote(text) + " " + *complaint);
        }
    });
}

bool has_pod_peer(std::string_view member) {
    return member == "namespaces" || member == "pods";
}

void decode_peer(const Field& field, bool is_egress, const TierDialect& dialect, Peers& peers) {
    if (field.is_missing()) field.error("is empty", "give namespaces or pods");
    if (!field.is_mapping()) return;
    const auto chosen =
        is_egress ? field.only_one_of({"namespaces", "pods", "nodes", "networks", "domainNames"})
                  : field.only_one_of({"namespaces", "pods"});
    if (!chosen) {
        if (field.size() == 0) {
            field.error("selects nothing", "give namespaces or pods; {} of those is everything");
        }
        peers.has_unknown = true;
        return;
    }
    field.allow_only({*chosen});
    peers.has_addresses |= !has_pod_peer(*chosen);
    if (has_pod_peer(*chosen)) {
        peers.known.emplace_back(decode_pod_selection(field, *chosen, dialect));
    } else if (*chosen == "nodes") {
        peers.known.emplace_back(NodeSelection{decode_selector(field["nodes"])});
    } else if (*chosen == "networks") {
        decode_networks(field["networks"], peers.known);
    } else {
        check_domain_names(field["domainNames"]);
        peers.has_domain_names = true;
    }
}

std::string describe(const TierRule& rule) {
    return rule.name.get().empty() ? "the rule" : "the rule " + quote(rule.name.get());
}

// "For "Accept" rules, "fail closed" means: "treat the rule as matching no traffic". For "Deny" and
// "Pass" rules, "fail closed" means: "treat the rule as a 'Deny all' rule"."
void fail_closed(TierRule& rule) {
    rule.peers.clear();
    if (rule.action == TierAction::kAccept) return;
    rule.action = TierAction::kDeny;
    rule.is_any_peer = true;
    rule.ports.clear();
}

void warn_of_unknown(const Field& item, const TierRule& rule) {
    item.warning(
        "a peer of a kind that Weir does not know: " + describe(rule) +
            (rule.action == TierAction::kAccept ? " matches nothing" : " denies everything"),
        "use namespaces or pods (in egress rules also nodes or networks)");
}

void warn_of_domain_names(const Field& item, const TierRule& rule) {
    if (rule.action == TierAction::kAccept) {
        item.warning("Weir does not resolve domain names: in " + describe(rule) +
                         " this peer matches nothing",
                     "use networks");
    } else {
        item.warning(
            "domain names are for rules that accept: " + describe(rule) + " denies everything",
            "use networks");
    }
}

void decode_peers(const Field& field, bool is_egress, const TierDialect& dialect, TierRule& rule,
                  Peers& peers) {
    check_required_size(field, dialect.most_items);
    field.each_item([&](const Field& item) {
        Peers one;
        decode_peer(item, is_egress, dialect, one);
        if (one.has_unknown && item.size() > 0) warn_of_unknown(item, rule);
        if (one.has_domain_names) warn_of_domain_names(item["domainNames"], rule);
        std::ranges::move(one.known, std::back_inserter(rule.peers));
        peers.has_unknown |= one.has_unknown;
        peers.has_domain_names |= one.has_domain_names;
        peers.has_addresses |= one.has_addresses;
    });
}

} // namespace

PodSelection decode_pod_selection(const Field& parent, std::string_view member,
                                  const TierDialect& dialect) {
    const Field field = parent[member];
    if (member == "namespaces") return {decode_selector(field), {}};
    if (!field.is_mapping()) return {};
    field.allow_only({"namespaceSelector", "podSelector"});
    return {decode_required_selector(field["namespaceSelector"], dialect.needs_namespaces),
            decode_required_selector(field["podSelector"], true)};
}

TierRule decode_tier_rule(const Field& field, std::string_view peers, const TierDialect& dialect) {
    TierRule rule;
    rule.line = field.line();
    if (field.is_missing()) field.error("is empty", "give action and " + std::string(peers));
    if (!field.is_mapping()) return rule;
    field.allow_only({"name", "action", peers, dialect.ports});
    rule.name = decode_rule_name(field["name"]);
    rule.action = decode_action(field["action"], dialect);
    Peers found;
    decode_peers(field[peers], peers == "to", dialect, rule, found);
    rule.ports = decode_tier_ports(field[dialect.ports], found.has_addresses, dialect);
    const bool is_unsupported = found.has_domain_names && rule.action != TierAction::kAccept;
    if (found.has_unknown || is_unsupported) fail_closed(rule);
    return rule;
}

} // namespace weir
