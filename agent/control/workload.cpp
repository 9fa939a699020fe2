// SPDX-License-Identifier: Apache-2.0
#include "agent/control/workload.h"

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <string_view>

#include "policy/selector.h"

namespace weir {
namespace {

constexpr std::array<std::string_view, 9> kUnstable{
    "pod-template-hash",
    "pod-template-generation",
    "controller-revision-hash",
    "statefulset.kubernetes.io/pod-name",
    "apps.kubernetes.io/pod-index",
    "batch.kubernetes.io/controller-uid",
    "batch.kubernetes.io/job-completion-index",
    "controller-uid",
    "batch.kubernetes.io/job-name",
};

constexpr std::array<const char*, 4> kNames{"app.kubernetes.io/name", "app", "k8s-app", "name"};

bool is_suffix_of_controllers(std::string_view part) {
    const bool is_number = !part.empty() && std::ranges::all_of(part, [](unsigned char c) {
        return c >= '0' && c <= '9';
    });
    // rand.SafeEncodeString: what replica sets append has five of these.
    const bool is_random =
        part.size() == 5 &&
        part.find_first_not_of("bcdfghjklmnpqrstvwxz2456789") == std::string_view::npos;
    return is_number || is_random;
}

std::string name_without_suffix(const Pod& pod) {
    std::string name = pod.name.name.get();
    const auto cut = [&name](auto&& is_suffix) {
        const auto dash = name.rfind('-');
        if (dash == std::string::npos || dash == 0) return;
        if (is_suffix(std::string_view(name).substr(dash + 1))) name.resize(dash);
    };
    cut(is_suffix_of_controllers);
    const auto* hash = find_label(pod.labels, Symbol("pod-template-hash"));
    if (hash != nullptr) cut([hash](std::string_view part) { return part == hash->get(); });
    return name;
}

// Keys that have another value on each of several pods.
std::set<std::string> keys_of_their_own(const std::vector<const Pod*>& pods) {
    std::map<std::string, std::set<std::string>> values;
    for (const auto* pod : pods) {
        for (const auto& label : pod->labels)
            values[label.key.get()].insert(label.value.get());
    }
    std::set<std::string> keys;
    for (const auto& [key, seen] : values) {
        if (pods.size() > 1 && seen.size() == pods.size()) keys.insert(key);
    }
    return keys;
}

std::string text_of(const Labels& labels) {
    std::string text;
    for (const auto& label : labels)
        text += label.key.get() + "=" + label.value.get() + ",";
    return text;
}

// Two workloads of one name get numbers.
void make_names_unique(std::vector<Workload>& workloads) {
    std::map<std::pair<std::string, std::string>, int> seen;
    for (auto& workload : workloads) {
        const int number = ++seen[{workload.ns, workload.name}];
        if (number > 1) workload.name += "-" + std::to_string(number);
    }
}

} // namespace

Labels stable_labels(const Labels& labels) {
    Labels stable;
    for (const auto& label : labels) {
        if (std::ranges::find(kUnstable, label.key.get()) == kUnstable.end()) {
            stable.push_back(label);
        }
    }
    return stable;
}

std::string workload_name(const Pod& pod) {
    for (const char* key : kNames) {
        const auto* value = find_label(pod.labels, Symbol(key));
        if (value != nullptr && !value->get().empty()) return value->get();
    }
    return name_without_suffix(pod);
}

std::vector<Workload> workloads_of(const std::vector<const Pod*>& pods) {
    std::map<std::pair<std::string, std::string>, std::vector<const Pod*>> by_name;
    for (const auto* pod : pods) {
        if (pod->is_host_network || pod->is_terminated) continue;
        by_name[{pod->name.ns.get(), workload_name(*pod)}].push_back(pod);
    }
    std::vector<Workload> workloads;
    for (auto& [name, members] : by_name) {
        std::ranges::sort(members, {}, [](const Pod* pod) { return pod->name.name.get(); });
        const auto own = keys_of_their_own(members);
        std::map<std::string, Workload> by_labels;
        for (const auto* pod : members) {
            Labels labels = stable_labels(pod->labels);
            std::erase_if(labels,
                          [&own](const Label& label) { return own.contains(label.key.get()); });
            Workload& workload = by_labels[text_of(labels)];
            workload.ns = name.first;
            workload.name = name.second;
            workload.labels = std::move(labels);
            workload.pods.push_back(pod);
        }
        for (auto& [text, workload] : by_labels)
            workloads.push_back(std::move(workload));
    }
    make_names_unique(workloads);
    return workloads;
}

} // namespace weir
