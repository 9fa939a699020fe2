// SPDX-License-Identifier: Apache-2.0
// The naive evaluator itself against the corpus, through the decoders alone: the second opinion
// that the compiler is tested with has to be right.
#include <gtest/gtest.h>
#include <netinet/in.h>

#include <algorithm>
#include <cctype>

#include "agent/kube/manifest_set.h"
#include "tests/corpus/corpus.h"
#include "tests/support/naive_evaluator.h"

namespace weir {
namespace {

using nlohmann::json;
using test::NaiveEvaluator;

constexpr std::uint32_t kSlot = 0;

struct End {
    std::string name;
    std::string node;    // that it is, or is on
    bool is_pod = false; // with an address of its own
};

End find_end(const json& cluster, const std::string& name) {
    if (name.starts_with("ext/")) return {name, "", false};
    if (name.starts_with("node/")) return {name, name.substr(5), false};
    for (const auto& pod : cluster.at("pods"))
        if (pod.at("namespace").get<std::string>() + "/" + pod.at("name").get<std::string>() ==
            name)
            return {name, pod.at("node").get<std::string>(), !pod.value("hostNetwork", false)};
    return {};
}

std::uint8_t protocol_of(const CorpusCell& cell) {
    if (cell.protocol == "SCTP") return IPPROTO_SCTP;
    return cell.protocol == "UDP" ? IPPROTO_UDP : IPPROTO_TCP;
}

bool passes(NaiveEvaluator& naive, const json& cluster, const CorpusCell& cell,
            weir_direction direction) {
    const bool is_ingress = direction == WEIR_INGRESS;
    const auto source = find_end(cluster, cell.source);
    const auto destination = find_end(cluster, cell.destination);
    const auto& judged = is_ingress ? destination : source;
    if (!judged.is_pod || source.name == destination.name) return true;
    const auto slash = judged.name.find('/');
    const ObjectName pod{Symbol(judged.name.substr(0, slash)),
                         Symbol(judged.name.substr(slash + 1))};
    naive.world().set_local({.slot = kSlot, .pod = pod, .addresses = {}});
    const auto peer = end_address(cluster, (is_ingress ? source : destination).name, cell.family);
    const auto verdict = naive.judge(kSlot, direction, Address::parse(peer).value(),
                                     protocol_of(cell), static_cast<std::uint16_t>(cell.port));
    const bool is_own_node = is_ingress && !source.is_pod && source.node == destination.node;
    return verdict.is_allowed || (is_own_node && !verdict.is_own_node_denied);
}

class EvaluatorTest : public testing::TestWithParam<const CorpusCase*> {};

TEST_P(EvaluatorTest, AgreesWithEveryCell) {
    ManifestSet manifests;
    NaiveEvaluator naive;
    for (const auto& step : GetParam()->steps) {
        SCOPED_TRACE("step " + std::to_string(&step - GetParam()->steps.data()));
        manifests.update("cluster.json", cluster_objects(step.cluster).dump(), {});
        manifests.update("policies.yaml", step.policies, {});
        naive.world().apply(manifests.take_change());
        for (const auto& cell : step.cells) {
            EXPECT_EQ(passes(naive, step.cluster, cell, WEIR_EGRESS), cell.egress_allowed())
                << cell.to_string() << " egress";
            EXPECT_EQ(passes(naive, step.cluster, cell, WEIR_INGRESS), cell.ingress_allowed())
                << cell.to_string() << " ingress";
        }
    }
}

std::vector<const CorpusCase*> all_cases() {
    std::vector<const CorpusCase*> cases;
    for (const auto& corpus_case : corpus_cases())
        cases.push_back(&corpus_case);
    return cases;
}

INSTANTIATE_TEST_SUITE_P(Cases, EvaluatorTest, testing::ValuesIn(all_cases()),
                         [](const auto& parameter) {
                             std::string name = parameter.param->id;
                             std::replace_if(
                                 name.begin(), name.end(),
                                 [](unsigned char c) { return std::isalnum(c) == 0; }, '_');
                             return name;
                         });

} // namespace
} // namespace weir
