// SPDX-License-Identifier: Apache-2.0
// The network policy cases of cases.jsonl as values: which flows a case asks about, what it
// expects, and its cluster as the objects that an API server would serve.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace weir {

// One flow of a step and its expectation: '.', 'e', 'i' or 'X' (see README.md).
struct CorpusCell {
    std::string source;      // namespace/pod, node/NAME or ext/NAME
    std::string destination; // likewise
    int port = 0;
    std::string protocol; // TCP, UDP, SCTP
    std::string family;   // IPv4, IPv6
    char expected = '.';

    bool egress_allowed() const { return expected == '.' || expected == 'i'; }
    bool ingress_allowed() const { return expected == '.' || expected == 'e'; }
    bool is_allowed() const { return expected == '.'; }
    std::string to_string() const;
};

struct CorpusStep {
    nlohmann::json cluster;
    std::string policies;              // YAML, verbatim
    std::vector<std::string> rejected; // Kind/namespace/name
    std::vector<CorpusCell> cells;     // judged ones only
};

struct CorpusCase {
    std::string id;
    std::string suite;
    std::vector<CorpusStep> steps;
};

// All cases of the file; aborts the test program when it cannot be read.
const std::vector<CorpusCase>& corpus_cases();
const CorpusCase& corpus_case(std::string_view id);

// Node, Namespace and Pod objects with their status, as one v1 List.
nlohmann::json cluster_objects(const nlohmann::json& cluster);

// The address of an end in the given family ("IPv4", "IPv6"); empty when it has none.
std::string end_address(const nlohmann::json& cluster, const std::string& end,
                        std::string_view family);

} // namespace weir
