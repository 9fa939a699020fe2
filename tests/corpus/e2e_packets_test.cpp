// SPDX-License-Identifier: Apache-2.0
// The Kubernetes e2e cases with real packets: the case's nodes and pods as namespaces with its own
// addresses, an agent on each node, a connection attempt per TCP and UDP cell. Going from one step
// to the next is a live change. SCTP cells are left to corpus_test: not every kernel has SCTP
// sockets.
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <set>

#include "tests/corpus/corpus.h"
#include "tests/support/lab.h"

namespace weir {
namespace {

using nlohmann::json;

Lab::PodOptions pod_options(const json& pod) {
    return {.labels = {},
            .ports = {},
            .v4 = pod.at("ips").at(0).get<std::string>(),
            .v6 = pod.at("ips").at(1).get<std::string>()};
}

// A cluster whose objects come from the case, so that the lab writes none of its own.
class CaseLab {
public:
    explicit CaseLab(const CorpusCase& corpus_case) {
        const auto& cluster = corpus_case.steps.front().cluster;
        for (const auto& node : cluster.at("nodes")) {
            const auto name = node.at("name").get<std::string>();
            const bool is_first = ends_.empty();
            auto& added = lab_.add_node(name, is_first ? Wiring::kBridged : Wiring::kRouted);
            EXPECT_EQ(added.v4, node.at("ips").at(0).get<std::string>());
            ends_["node/" + name] = &added;
        }
        for (const auto& pod : cluster.at("pods")) {
            const auto name =
                pod.at("namespace").get<std::string>() + "/" + pod.at("name").get<std::string>();
            auto& node = lab_.node(pod.at("node").get<std::string>());
            ends_[name] = &lab_.add_pod(node, name, pod_options(pod));
        }
        for (const auto& host : cluster.at("externals")) {
            const auto name = host.at("name").get<std::string>();
            ends_["ext/" + name] = &lab_.add_external(name, host.at("ips").at(0).get<std::string>(),
                                                      host.at("ips").at(1).get<std::string>());
        }
    }

    void start() {
        lab_.start_agents();
        lab_.add_endpoints();
    }

    void apply(const CorpusStep& step) {
        lab_.write_manifest("cluster.json", cluster_objects(step.cluster).dump(1));
        lab_.apply("policies.yaml", step.policies);
        for (const auto& cell : step.cells)
            serve(cell);
    }

    Probe probe_of(const CorpusStep& step, const CorpusCell& cell) const {
        return {ends_.at(cell.source)->netns.get(),
                end_address(step.cluster, cell.destination, cell.family),
                static_cast<std::uint16_t>(cell.port), protocol_of(cell)};
    }

    static int protocol_of(const CorpusCell& cell) {
        return cell.protocol == "UDP" ? IPPROTO_UDP : IPPROTO_TCP;
    }

private:
    void serve(const CorpusCell& cell) {
        if (cell.protocol != "SCTP" &&
            served_.emplace(cell.destination, cell.port, protocol_of(cell)).second)
            lab_.servers().listen(*ends_.at(cell.destination)->netns,
                                  static_cast<std::uint16_t>(cell.port), protocol_of(cell));
    }

    Lab lab_;
    std::map<std::string, const LabHost*> ends_;
    std::set<std::tuple<std::string, int, int>> served_;
};

void expect_step(const CaseLab& lab, const CorpusStep& step) {
    std::vector<const CorpusCell*> cells;
    std::vector<Probe> probes;
    for (const auto& cell : step.cells) {
        if (cell.protocol == "SCTP") continue;
        cells.push_back(&cell);
        probes.push_back(lab.probe_of(step, cell));
    }
    const auto answers = probe_all(probes);
    for (std::size_t i = 0; i < cells.size(); ++i)
        EXPECT_EQ(answers[i], cells[i]->is_allowed()) << cells[i]->to_string();
}

class E2ePacketsTest : public testing::TestWithParam<const CorpusCase*> {};

TEST_P(E2ePacketsTest, RealPackets) {
    const auto& corpus_case = *GetParam();
    CaseLab lab(corpus_case);
    lab.start();
    for (const auto& step : corpus_case.steps) {
        SCOPED_TRACE("step " + std::to_string(&step - corpus_case.steps.data()));
        lab.apply(step);
        expect_step(lab, step);
    }
}

std::vector<const CorpusCase*> packet_cases() {
    std::vector<const CorpusCase*> cases;
    for (const auto& corpus_case : corpus_cases())
        if (corpus_case.suite == "e2e") cases.push_back(&corpus_case);
    return cases;
}

std::string case_name(const testing::TestParamInfo<const CorpusCase*>& parameter) {
    std::string name = parameter.param->id;
    std::replace(name.begin(), name.end(), '-', '_');
    return name;
}

INSTANTIATE_TEST_SUITE_P(Cases, E2ePacketsTest, testing::ValuesIn(packet_cases()), case_name);

} // namespace
} // namespace weir
