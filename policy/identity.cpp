// SPDX-License-Identifier: Apache-2.0
#include "policy/identity.h"

#include <algorithm>
#include <string_view>

#include "policy/object_index.h"

namespace weir {
namespace {

using Attribute = SourceMatch::Attribute;

// What comes before the service account.
std::string base_of(Attribute attribute, const Symbol& trust_domain, const Symbol& ns) {
    switch (attribute) {
        case Attribute::kPrincipal:
            return trust_domain.get() + "/ns/" + ns.get() + "/sa/";
        case Attribute::kServiceAccount:
            return ns.get() + "/";
        case Attribute::kNamespace:
        case Attribute::kAddress:
            break;
    }
    return ns.get();
}

// Pod.spec.serviceAccountName: a pod without one runs as "default".
std::string identity_of(Attribute attribute, const Symbol& trust_domain, const PodRecord& pod) {
    auto text = base_of(attribute, trust_domain, pod.ns->name);
    if (attribute != Attribute::kNamespace) {
        const auto& account = pod.object->service_account.get();
        text += account.empty() ? "default" : account;
    }
    return text;
}

bool is_match(const TextMatch& match, std::string_view text) {
    const std::string_view pattern = match.text.get();
    switch (match.kind) {
        case TextMatch::Kind::kExact:
            return text == pattern;
        case TextMatch::Kind::kPrefix:
            return text.starts_with(pattern);
        case TextMatch::Kind::kSuffix:
            return text.ends_with(pattern);
        case TextMatch::Kind::kPresent:
            return true;
    }
    return false;
}

} // namespace

bool holds(const IdentityPeer& peer, const PodRecord& pod) {
    return pod.is_selectable() &&
           is_match(peer.text, identity_of(peer.attribute, peer.trust_domain, pod));
}

bool may_hold(const IdentityPeer& peer, const NamespaceRecord& ns) {
    const auto base = base_of(peer.attribute, peer.trust_domain, ns.name);
    if (peer.attribute == Attribute::kNamespace) {
        return is_match(peer.text, base);
    }
    const std::string_view pattern = peer.text.text.get();
    switch (peer.text.kind) {
        case TextMatch::Kind::kExact:
            return pattern.starts_with(base);
        case TextMatch::Kind::kPrefix: {
            const auto length = std::min(pattern.size(), base.size());
            return pattern.substr(0, length) == std::string_view(base).substr(0, length);
        }
        case TextMatch::Kind::kSuffix:
        case TextMatch::Kind::kPresent:
            break;
    }
    return true;
}

IdentityIndex::Group& IdentityIndex::group_of(const IdentityPeer& peer) {
    const auto found = std::find_if(groups_.begin(), groups_.end(), [&](const Group& group) {
        return group.attribute == peer.attribute && group.trust_domain == peer.trust_domain;
    });
    if (found != groups_.end()) {
        return *found;
    }
    groups_.push_back(Group{peer.attribute, peer.trust_domain, {}, nullptr, {}, {}});
    return groups_.back();
}

void IdentityIndex::insert(Predicate& predicate) {
    const auto& peer = std::get<IdentityPeer>(predicate.question);
    const auto& text = peer.text.text.get();
    auto& group = group_of(peer);
    const auto add = [&](Affixes& affixes) {
        affixes.texts.emplace(text, &predicate);
        ++affixes.lengths[text.size()];
    };
    switch (peer.text.kind) {
        case TextMatch::Kind::kExact:
            group.exact.emplace(text, &predicate);
            break;
        case TextMatch::Kind::kPrefix:
            add(group.prefixes);
            break;
        case TextMatch::Kind::kSuffix:
            add(group.suffixes);
            break;
        case TextMatch::Kind::kPresent:
            group.present = &predicate;
            break;
    }
}

void IdentityIndex::erase(Predicate& predicate) {
    const auto& peer = std::get<IdentityPeer>(predicate.question);
    const auto& text = peer.text.text.get();
    auto& group = group_of(peer);
    const auto remove = [&](Affixes& affixes) {
        affixes.texts.erase(text);
        if (--affixes.lengths[text.size()] == 0) {
            affixes.lengths.erase(text.size());
        }
    };
    switch (peer.text.kind) {
        case TextMatch::Kind::kExact:
            group.exact.erase(text);
            break;
        case TextMatch::Kind::kPrefix:
            remove(group.prefixes);
            break;
        case TextMatch::Kind::kSuffix:
            remove(group.suffixes);
            break;
        case TextMatch::Kind::kPresent:
            group.present = nullptr;
            break;
    }
    std::erase_if(groups_, [](const Group& each) { return each.is_empty(); });
}

void IdentityIndex::collect(const PodRecord& pod, Holders& holders) const {
    const auto look_up = [&](const Texts& texts, std::string_view text) {
        if (const auto found = texts.find(text); found != texts.end()) {
            holders.push_back(found->second);
        }
    };
    for (const auto& group : groups_) {
        const auto identity = identity_of(group.attribute, group.trust_domain, pod);
        const std::string_view text = identity;
        look_up(group.exact, text);
        if (group.present != nullptr) {
            holders.push_back(group.present);
        }
        for (const auto& [length, count] : group.prefixes.lengths) {
            if (length <= text.size()) {
                look_up(group.prefixes.texts, text.substr(0, length));
            }
        }
        for (const auto& [length, count] : group.suffixes.lengths) {
            if (length <= text.size()) {
                look_up(group.suffixes.texts, text.substr(text.size() - length));
            }
        }
    }
}

} // namespace weir
