// SPDX-License-Identifier: Apache-2.0
#include "policy/predicate_set.h"

#include <algorithm>

#include "policy/object_index.h"
#include "policy/selector.h"
#include "policy/sort_unique.h"

namespace weir {
namespace {

void add_block(Hasher& hasher, const Cidr& cidr) {
    hasher.add(std::hash<Cidr>{}(cidr));
}

const LabelRequirement* first_choice(const Selector& selector) {
    for (const auto& requirement : selector.requirements) {
        if (requirement.op == LabelRequirement::Operator::kIn) {
            return &requirement;
        }
    }
    return nullptr;
}

} // namespace

std::size_t PredicateSet::QuestionHash::operator()(const Predicate::Question& question) const {
    Hasher hasher;
    hasher.add(question.index());
    if (const auto* peer = std::get_if<PodPeer>(&question)) {
        if (peer->ns) {
            hasher.add(*peer->ns);
        }
        hasher.add(peer->namespaces);
        hasher.add(peer->pods);
    } else if (const auto* block = std::get_if<IpBlock>(&question)) {
        add_block(hasher, block->cidr);
        for (const auto& except : block->except) {
            add_block(hasher, except);
        }
    } else if (const auto* port = std::get_if<NamedPort>(&question)) {
        hasher.add(port->name);
        hasher.add(port->protocol);
        hasher.add(port->number.value_or(0));
    } else if (const auto* nodes = std::get_if<NodePeer>(&question)) {
        hasher.add(nodes->nodes);
    } else if (const auto* identity = std::get_if<IdentityPeer>(&question)) {
        hasher.add(static_cast<std::uint64_t>(identity->attribute));
        hasher.add(static_cast<std::uint64_t>(identity->text.kind));
        hasher.add(identity->text.text);
    }
    return hasher.result();
}

std::size_t PredicateSet::AnchorHash::operator()(const Anchor& anchor) const {
    Hasher hasher;
    hasher.add(static_cast<std::uint64_t>(anchor.kind));
    hasher.add(anchor.key);
    hasher.add(anchor.value);
    return hasher.result();
}

PredicatePtr PredicateSet::intern(Predicate::Question question) {
    auto& known = known_[question];
    if (auto existing = known.lock()) {
        return existing;
    }
    const auto forget = [this](Predicate* predicate) {
        known_.erase(predicate->question);
        delete predicate;
    };
    PredicatePtr predicate(new Predicate, forget);
    predicate->id = ++last_id_;
    predicate->question = std::move(question);
    known = predicate;
    return predicate;
}

std::vector<PredicateSet::Anchor> PredicateSet::anchors(const PodPeer& peer) {
    std::vector<Anchor> result;
    const auto add_choices = [&](Anchor::Kind kind, const LabelRequirement& requirement) {
        for (const auto& value : requirement.values) {
            result.push_back(Anchor{kind, requirement.key, value});
        }
    };
    if (peer.ns) {
        result.push_back(Anchor{Anchor::Kind::kNamespace, *peer.ns, Symbol{}});
    } else if (const auto* pods = first_choice(peer.pods)) {
        add_choices(Anchor::Kind::kPodLabel, *pods);
    } else if (const auto* namespaces = first_choice(peer.namespaces)) {
        add_choices(Anchor::Kind::kNamespaceLabel, *namespaces);
    } else {
        result.push_back(Anchor{});
    }
    return result;
}

void PredicateSet::enable(Predicate& predicate) {
    if (const auto* peer = std::get_if<PodPeer>(&predicate.question)) {
        for (const auto& anchor : anchors(*peer)) {
            anchored_[anchor].push_back(&predicate);
        }
    } else if (std::holds_alternative<NamedPort>(predicate.question)) {
        port_names_.emplace(predicate.question, &predicate);
    } else if (std::holds_alternative<NodePeer>(predicate.question)) {
        node_peers_.push_back(&predicate);
    } else if (std::holds_alternative<IdentityPeer>(predicate.question)) {
        identities_.insert(predicate);
    }
}

void PredicateSet::disable(Predicate& predicate) {
    if (const auto* peer = std::get_if<PodPeer>(&predicate.question)) {
        for (const auto& anchor : anchors(*peer)) {
            const auto found = anchored_.find(anchor);
            std::erase(found->second, &predicate);
            if (found->second.empty()) {
                anchored_.erase(found);
            }
        }
    } else if (std::holds_alternative<NamedPort>(predicate.question)) {
        port_names_.erase(predicate.question);
    } else if (std::holds_alternative<NodePeer>(predicate.question)) {
        std::erase(node_peers_, &predicate);
    } else if (std::holds_alternative<IdentityPeer>(predicate.question)) {
        identities_.erase(predicate);
    }
}

void PredicateSet::collect(const Anchor& anchor, const PodRecord& pod, Holders& holders) const {
    const auto found = anchored_.find(anchor);
    if (found == anchored_.end()) {
        return;
    }
    for (auto* predicate : found->second) {
        if (holds(std::get<PodPeer>(predicate->question), pod)) {
            holders.push_back(predicate);
        }
    }
}

// NetworkPolicyPort.port: "a named port on a pod"; for egress, a pod that is the peer.
void PredicateSet::collect_ports(const PodRecord& pod, Holders& holders) {
    if (port_names_.empty()) {
        return;
    }
    for (const auto& port : pod.ports()) {
        const auto found = port_names_.find(NamedPort{port.name, port.protocol, std::nullopt});
        if (found == port_names_.end()) {
            continue;
        }
        auto* name = found->second;
        auto numbered = intern(NamedPort{port.name, port.protocol, port.port});
        if (numbered->name == nullptr) {
            numbered->name = name;
            name->numbers.push_back(numbered);
        }
        holders.push_back(name);
        holders.push_back(numbered.get());
    }
}

Holders PredicateSet::holding(const PodRecord& pod) {
    Holders holders;
    if (!pod.is_selectable()) {
        return holders;
    }
    collect(Anchor{}, pod, holders);
    collect(Anchor{Anchor::Kind::kNamespace, pod.ns->name, Symbol{}}, pod, holders);
    for (const auto& label : pod.labels()) {
        collect(Anchor{Anchor::Kind::kPodLabel, label.key, label.value}, pod, holders);
    }
    for (const auto& label : pod.ns->labels) {
        collect(Anchor{Anchor::Kind::kNamespaceLabel, label.key, label.value}, pod, holders);
    }
    collect_ports(pod, holders);
    identities_.collect(pod, holders);
    sort_unique(holders, is_before_by_id);
    return holders;
}

Holders PredicateSet::holding(const Labels& node) const {
    Holders holders;
    for (auto* predicate : node_peers_) {
        if (matches(std::get<NodePeer>(predicate->question).nodes, node)) {
            holders.push_back(predicate);
        }
    }
    sort_unique(holders, is_before_by_id);
    return holders;
}

} // namespace weir
