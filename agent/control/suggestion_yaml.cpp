// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <optional>

#include "agent/control/address_blocks.h"
#include "agent/control/suggestion.h"
#include "agent/utc_time.h"
#include "policy/selector.h"

namespace weir {
namespace {

constexpr std::size_t kPeersShown = 4;

// Words that YAML 1.1 takes for something else than text.
constexpr std::array kNotText{"y", "n", "yes", "no", "on", "off", "true", "false", "null"};

std::string scalar(const std::string& text) {
    const auto is_plain = [](unsigned char c) {
        return std::isalnum(c) != 0 || c == '-' || c == '.' || c == '_' || c == '/';
    };
    std::string lower = text;
    std::ranges::transform(lower, lower.begin(),
                           [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    const bool is_safe = !text.empty() && std::isalpha(static_cast<unsigned char>(text[0])) != 0 &&
                         std::ranges::all_of(text, is_plain) &&
                         std::ranges::find(kNotText, lower) == kNotText.end();
    return is_safe ? text : "\"" + text + "\"";
}

// Values by which another workload of the namespace differs that has all of these labels and more.
std::map<std::string, std::set<std::string>> values_of_others(const Workload& workload,
                                                              const Suggestion& suggestion) {
    std::map<std::string, std::set<std::string>> others;
    for (const auto& other : suggestion.workloads) {
        if (&other == &workload || other.ns != workload.ns) continue;
        const bool has_all = std::ranges::all_of(workload.labels, [&](const Label& label) {
            const auto* value = find_label(other.labels, label.key);
            return value != nullptr && *value == label.value;
        });
        if (!has_all) continue;
        for (const auto& label : other.labels) {
            if (find_label(workload.labels, label.key) != nullptr) continue;
            others[label.key.get()].insert(label.value.get());
            break;
        }
    }
    return others;
}

class Writer {
public:
    explicit Writer(const Suggestion& suggestion) : suggestion_(suggestion) {}

    std::string text() {
        for (const auto& note : suggestion_.notes)
            line(0, "# " + note);
        for (const auto& policy : suggestion_.policies)
            write(policy);
        return std::move(text_);
    }

private:
    void line(std::size_t indent, const std::string& content) {
        text_ += std::string(indent, ' ') + content + "\n";
    }

    void write(const SuggestedPolicy& policy) {
        line(0, "---");
        line(0, "apiVersion: networking.k8s.io/v1");
        line(0, "kind: NetworkPolicy");
        line(0, "metadata:");
        line(2, "name: " + scalar(policy.name));
        line(2, "namespace: " + scalar(suggestion_.ns));
        line(0, "spec:");
        line(2, "podSelector:");
        write_selector(4, *policy.subject);
        line(2, "policyTypes:");
        line(2, "- Ingress");
        line(2, "- Egress");
        if (policy.from_own_node.count != 0) {
            line(2, "# " + evidence_text(policy.from_own_node, "from") +
                        ": traffic of the pod's own node needs no rule");
        }
        write_rules("ingress", "from", policy.ingress);
        write_rules("egress", "to", policy.egress);
    }

    void write_rules(const char* direction, const char* word,
                     const std::vector<SuggestedRule>& rules) {
        if (rules.empty()) return line(2, std::string(direction) + ": []  # no flow was seen");
        line(2, std::string(direction) + ":");
        for (const auto& rule : rules)
            write_rule(word, rule);
    }

    void write_rule(const char* word, const SuggestedRule& rule) {
        line(2, "# " + evidence_text(rule.evidence, word));
        if (rule.needs_all) {
            line(2, fmt::format("# {} has no ports, and only a rule without ports admits it: so "
                                "this one admits everything",
                                fmt::join(rule.portless, ", ")));
        }
        if (rule.pods != nullptr && rule.pods->labels.empty()) {
            line(2,
                 "# these pods have no labels of their own: every pod of their namespace matches");
        }
        const auto blocks = covering_blocks(rule.addresses, kMaxBlocks);
        if (blocks.size() < rule.addresses.size()) {
            line(2, fmt::format("# {} addresses share {} blocks", rule.addresses.size(),
                                blocks.size()));
        }
        line(2, std::string("- ") + word + ":");
        if (rule.pods == nullptr) {
            write_blocks(blocks);
        } else {
            write_pods(*rule.pods);
        }
        if (!rule.needs_all) write_ports(rule.ports);
    }

    void write_pods(const Workload& pods) {
        if (pods.ns == suggestion_.ns) {
            line(4, "- podSelector:");
        } else {
            line(4, "- namespaceSelector:");
            line(8, "matchLabels:");
            line(10, "kubernetes.io/metadata.name: " + scalar(pods.ns));
            line(6, "podSelector:");
        }
        write_selector(8, pods);
    }

    void write_selector(std::size_t indent, const Workload& workload) {
        const auto others = values_of_others(workload, suggestion_);
        if (workload.labels.empty() && others.empty()) {
            text_.pop_back();
            text_ += " {}\n";
            return;
        }
        if (!workload.labels.empty()) line(indent, "matchLabels:");
        for (const auto& label : workload.labels)
            line(indent + 2, scalar(label.key.get()) + ": " + scalar(label.value.get()));
        if (others.empty()) return;
        line(indent, "matchExpressions:  # tells it from workloads with the same labels and more");
        for (const auto& [key, values] : others) {
            std::vector<std::string> words;
            for (const auto& value : values)
                words.push_back(scalar(value));
            line(indent, fmt::format("- {{key: {}, operator: NotIn, values: [{}]}}", scalar(key),
                                     fmt::join(words, ", ")));
        }
    }

    void write_blocks(const std::vector<Cidr>& blocks) {
        for (const auto& block : blocks) {
            line(4, "- ipBlock:");
            line(8, "cidr: \"" + block.to_string() + "\"");
        }
    }

    // Runs of ports are ranges.
    void write_ports(const std::set<SuggestedPort>& ports) {
        line(4, "ports:");
        for (auto port = ports.begin(); port != ports.end();) {
            auto last = port;
            auto next = std::next(port);
            while (next != ports.end() && next->first == last->first &&
                   next->second == last->second + 1) {
                last = next++;
            }
            line(4, "- protocol: " + protocol_name(port->first));
            line(6, fmt::format("port: {}", port->second));
            if (last != port) line(6, fmt::format("endPort: {}", last->second));
            port = next;
        }
    }

    static std::string evidence_text(const Evidence& evidence, const char* word) {
        std::vector<std::string> peers;
        for (const auto& [peer, count] : evidence.peers) {
            if (peers.size() == kPeersShown) break;
            peers.push_back(peer);
        }
        const std::size_t more = evidence.peers.size() - peers.size();
        return fmt::format("{} flow{} {} {}{}, first {}, last {}{}", evidence.count,
                           evidence.count == 1 ? "" : "s", word, fmt::join(peers, ", "),
                           more == 0 ? "" : fmt::format(" and {} more", more),
                           utc_text(evidence.first_seen), utc_text(evidence.last_seen),
                           evidence.has_denied ? ", denied so far" : "");
    }

    const Suggestion& suggestion_;
    std::string text_;
};

} // namespace

std::string to_yaml(const Suggestion& suggestion) {
    return Writer(suggestion).text();
}

} // namespace weir
