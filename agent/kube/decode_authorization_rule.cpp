// SPDX-License-Identifier: Apache-2.0
#include "agent/kube/decode_authorization_rule.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

#include "agent/kube/decode_network.h"
#include "agent/kube/syntax.h"

namespace weir {
namespace {

using Attribute = SourceMatch::Attribute;

constexpr std::size_t kMostServiceAccounts = 16;
constexpr std::size_t kServiceAccountLength = 320;
constexpr std::string_view kSpiffe = "spiffe://";

struct SourceField {
    std::string_view name;
    std::string_view negation;
    Attribute attribute;
};
constexpr std::array kSourceFields = {
    SourceField{"principals", "notPrincipals", Attribute::kPrincipal},
    SourceField{"serviceAccounts", "notServiceAccounts", Attribute::kServiceAccount},
    SourceField{"namespaces", "notNamespaces", Attribute::kNamespace},
    SourceField{"ipBlocks", "notIpBlocks", Attribute::kAddress}};

std::optional<Attribute> source_attribute(std::string_view key) {
    if (key == "source.principal") return Attribute::kPrincipal;
    if (key == "source.serviceAccount") return Attribute::kServiceAccount;
    if (key == "source.namespace") return Attribute::kNamespace;
    if (key == "source.ip") return Attribute::kAddress;
    return std::nullopt;
}

bool has_map_key(std::string_view key) {
    const std::size_t open = key.find('[');
    return key.ends_with(']') && open != key.npos && open > 0 && open + 2 < key.size();
}

enum class KeyUse { kLayer4, kLayer7, kUnknown };

KeyUse use_of(std::string_view key) {
    if (source_attribute(key) || key == "destination.ip" || key == "destination.port") {
        return KeyUse::kLayer4;
    }
    // remote.ip comes from headers or the proxy protocol.
    for (const std::string_view known :
         {"remote.ip", "request.auth.principal", "request.auth.audiences", "request.auth.presenter",
          "connection.sni"}) {
        if (key == known) return KeyUse::kLayer7;
    }
    for (const std::string_view prefix :
         {"request.headers", "request.auth.claims", "experimental.envoy.filters."}) {
        if (key.starts_with(prefix) && has_map_key(key)) return KeyUse::kLayer7;
    }
    return KeyUse::kUnknown;
}

// A text that may not be empty; reported when it is.
std::string_view decode_value(const Field& field) {
    const std::string_view text = field.string().value_or("");
    if (field.is_missing() || (field.is_string() && text.empty())) {
        field.error("is empty", "write a value or remove the entry");
    }
    return text;
}

// "Single IP (e.g. "203.0.113.4") and CIDR (e.g. "203.0.113.0/24") are supported."
std::optional<Cidr> decode_block(const Field& field) {
    const std::string_view text = decode_value(field);
    if (text.empty()) return std::nullopt;
    if (text.find('/') != text.npos) return decode_cidr(field);
    const auto address = Address::parse(text);
    if (address) return Cidr::of(*address);
    field.error(quote(text) + " is no IP address or CIDR block");
    return std::nullopt;
}

std::optional<std::uint16_t> decode_port(const Field& field) {
    const std::string_view text = decode_value(field);
    if (text.empty()) return std::nullopt;
    std::uint16_t port = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
    if (error == std::errc{} && end == text.data() + text.size() && port != 0) return port;
    field.error(quote(text) + " is no port number", "use a number from 1 to 65535, in quotes");
    return std::nullopt;
}

DestinationMatch decode_ports(const Field& values, bool is_negated) {
    DestinationMatch match{is_negated, {}, {}};
    values.each_item([&](const Field& item) {
        if (const auto port = decode_port(item)) match.ports.push_back(*port);
    });
    return match;
}

DestinationMatch decode_addresses(const Field& values, bool is_negated) {
    DestinationMatch match{is_negated, {}, {}};
    values.each_item([&](const Field& item) {
        if (const auto block = decode_block(item)) match.addresses.push_back(*block);
    });
    return match;
}

// "abc", "abc*", "*abc" or "*".
TextMatch parse_pattern(std::string_view text) {
    const auto match = [](TextMatch::Kind kind, std::string_view rest) {
        return TextMatch{kind, Symbol(std::string(rest))};
    };
    if (text == "*") return match(TextMatch::Kind::kPresent, "");
    if (text.starts_with('*')) return match(TextMatch::Kind::kSuffix, text.substr(1));
    if (text.ends_with('*')) {
        return match(TextMatch::Kind::kPrefix, text.substr(0, text.size() - 1));
    }
    return match(TextMatch::Kind::kExact, text);
}

// Whether a list is there with at least one item: an empty one says nothing.
bool has_items(const Field& list) {
    return !list.is_missing() && list.is_list() && list.size() > 0;
}

// A list that is set must have items, each of them a mapping.
template <typename Visit>
void each_mapping(const Field& list, Visit visit) {
    if (!list.is_missing() && list.is_list() && list.size() == 0) {
        list.error("is empty", "list at least one item, or remove it");
    }
    list.each_item([&](const Field& item) {
        if (item.is_missing()) item.error("is empty", "remove it");
        if (item.is_mapping()) visit(item);
    });
}

// The only member of an entry of from or to.
bool is_given(const Field& member) {
    if (member.is_missing()) member.error("is required");
    return member.is_mapping();
}

} // namespace

AuthorizationRule AuthorizationRuleDecoder::decode(const Field& field, std::uint32_t index) {
    AuthorizationRule rule;
    rule.index = index;
    rule.line = field.line();
    if (field.is_missing()) field.error("is empty", "write {} for a rule that always matches");
    if (!field.is_mapping()) return rule;
    field.allow_only({"from", "to", "when"});
    each_mapping(field["from"], [&](const Field& item) {
        item.allow_only({"source"});
        if (is_given(item["source"])) rule.sources.push_back(decode_source(item["source"]));
    });
    each_mapping(field["to"], [&](const Field& item) {
        item.allow_only({"operation"});
        if (is_given(item["operation"])) {
            rule.operations.push_back(decode_operation(item["operation"]));
        }
    });
    field["when"].each_item([&](const Field& item) {
        if (item.is_missing()) item.error("is empty", "remove it");
        if (item.is_mapping()) decode_condition(item, rule);
    });
    return rule;
}

void AuthorizationRuleDecoder::warn(const Field& rule, bool is_deny) const {
    std::string names;
    for (const std::string& path : layer7_) {
        const std::size_t skipped = rule.path().size() + 1;
        names += (names.empty() ? "" : ", ") + path.substr(std::min(skipped, path.size()));
    }
    rule.warning("has what Weir cannot judge in the kernel (" + names +
                     "): " + (is_deny ? "the rule denies without it" : "the rule matches nothing"),
                 is_deny ? "name ports, so that it denies no more than it has to"
                         : "use principals, serviceAccounts, namespaces, ipBlocks and ports");
}

std::vector<SourceMatch> AuthorizationRuleDecoder::decode_source(const Field& field) {
    field.allow_only({"principals", "notPrincipals", "requestPrincipals", "notRequestPrincipals",
                      "serviceAccounts", "notServiceAccounts", "namespaces", "notNamespaces",
                      "ipBlocks", "notIpBlocks", "remoteIpBlocks", "notRemoteIpBlocks"});
    std::vector<SourceMatch> matches;
    const std::size_t layer7_before = layer7_.size();
    std::array<bool, 4> is_used{}; // by Attribute
    for (const SourceField& known : kSourceFields) {
        for (const bool is_negated : {false, true}) {
            const Field values = field[is_negated ? known.negation : known.name];
            if (!has_items(values)) continue;
            is_used.at(static_cast<std::size_t>(known.attribute)) = true;
            matches.push_back(decode_source_values(values, known.attribute, is_negated));
        }
    }
    for (const std::string_view name :
         {"requestPrincipals", "notRequestPrincipals", "remoteIpBlocks", "notRemoteIpBlocks"}) {
        decode_layer7(field[name]);
    }
    if (is_used.at(static_cast<std::size_t>(Attribute::kServiceAccount)) &&
        (is_used.at(static_cast<std::size_t>(Attribute::kPrincipal)) ||
         is_used.at(static_cast<std::size_t>(Attribute::kNamespace)))) {
        field.error("serviceAccounts exclude principals and namespaces",
                    "a service account says both");
    }
    if (matches.empty() && layer7_.size() == layer7_before) {
        field.error("says nothing", "for any source remove 'from'");
    }
    return matches;
}

std::vector<DestinationMatch> AuthorizationRuleDecoder::decode_operation(const Field& field) {
    field.allow_only(
        {"ports", "notPorts", "hosts", "notHosts", "methods", "notMethods", "paths", "notPaths"});
    std::vector<DestinationMatch> matches;
    const std::size_t layer7_before = layer7_.size();
    if (has_items(field["ports"])) matches.push_back(decode_ports(field["ports"], false));
    if (has_items(field["notPorts"])) matches.push_back(decode_ports(field["notPorts"], true));
    for (const std::string_view name :
         {"hosts", "notHosts", "methods", "notMethods", "paths", "notPaths"}) {
        decode_layer7(field[name]);
    }
    if (matches.empty() && layer7_.size() == layer7_before) {
        field.error("says nothing", "for any operation remove 'to'");
    }
    return matches;
}

void AuthorizationRuleDecoder::decode_condition(const Field& field, AuthorizationRule& rule) {
    field.allow_only({"key", "values", "notValues"});
    const Field key = field["key"];
    const std::string_view text = key.string().value_or("");
    if (text.empty()) key.error("is required", "name an attribute such as source.ip");
    const KeyUse use = use_of(text);
    if (use == KeyUse::kUnknown && !text.empty()) {
        key.error("unknown attribute " + quote(text),
                  "use source.ip, source.namespace, source.principal, source.serviceAccount, "
                  "destination.ip or destination.port");
    }
    const bool has_values = has_items(field["values"]);
    const bool has_negated = has_items(field["notValues"]);
    if (!has_values && !has_negated) {
        field.error("needs values or notValues", "list at least one value");
    }
    if (use == KeyUse::kLayer7) layer7_.push_back(field.path() + " " + std::string(text));
    if (use != KeyUse::kLayer4) return;
    if (has_values) decode_attribute(field["values"], text, false, rule);
    if (has_negated) decode_attribute(field["notValues"], text, true, rule);
}

void AuthorizationRuleDecoder::decode_attribute(const Field& values, std::string_view key,
                                                bool is_negated, AuthorizationRule& rule) {
    if (const auto attribute = source_attribute(key)) {
        rule.source_conditions.push_back(decode_source_values(values, *attribute, is_negated));
    } else if (key == "destination.port") {
        rule.destination_conditions.push_back(decode_ports(values, is_negated));
    } else {
        rule.destination_conditions.push_back(decode_addresses(values, is_negated));
    }
}

SourceMatch AuthorizationRuleDecoder::decode_source_values(const Field& values, Attribute attribute,
                                                           bool is_negated) const {
    SourceMatch match{attribute, is_negated, {}, {}};
    if (attribute == Attribute::kServiceAccount) check_optional_size(values, kMostServiceAccounts);
    values.each_item([&](const Field& item) {
        if (attribute != Attribute::kAddress) {
            match.texts.push_back(decode_text(item, attribute));
        } else if (const auto block = decode_block(item)) {
            match.blocks.push_back(*block);
        }
    });
    return match;
}

TextMatch AuthorizationRuleDecoder::decode_text(const Field& field, Attribute attribute) const {
    std::string_view text = decode_value(field);
    if (attribute == Attribute::kServiceAccount) return decode_service_account(field, text);
    if (attribute == Attribute::kPrincipal && text.starts_with(kSpiffe)) {
        text.remove_prefix(kSpiffe.size());
    }
    const TextMatch match = parse_pattern(text);
    if (match.text.get().find('*') != std::string::npos) {
        field.warning("an asterisk counts as such unless it is the first or the last character");
    }
    return match;
}

// "<namespace>/<service account>" or "<service account>", neither with wildcards.
TextMatch AuthorizationRuleDecoder::decode_service_account(const Field& field,
                                                           std::string_view text) const {
    const std::size_t slash = text.find('/');
    const bool has_namespace = slash != text.npos;
    const std::string ns(has_namespace ? text.substr(0, slash) : policy_namespace_);
    const std::string name(has_namespace ? text.substr(slash + 1) : text);
    if (text.size() > kServiceAccountLength) field.error("is longer than 320 characters");
    if (!text.empty() && (ns.empty() || name.empty() || name.find('/') != name.npos)) {
        field.error(quote(text) + " is no service account", "write NAMESPACE/NAME or NAME");
    }
    if (text.find('*') != text.npos) {
        field.error("wildcards are not for service accounts",
                    "use principals or namespaces, which have them");
    }
    return {TextMatch::Kind::kExact, Symbol(ns + "/" + name)};
}

void AuthorizationRuleDecoder::decode_layer7(const Field& values) {
    if (!has_items(values)) return;
    layer7_.push_back(values.path());
    values.each_item([](const Field& item) { static_cast<void>(decode_value(item)); });
}

} // namespace weir
