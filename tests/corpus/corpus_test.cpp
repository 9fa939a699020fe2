// SPDX-License-Identifier: Apache-2.0
// Every case of the corpus, all judged cells, by `weir verdicts` with both engines.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <ostream>
#include <set>
#include <sstream>

#include "tests/corpus/corpus.h"
#include "tests/support/lab_process.h"

namespace weir {
namespace {

using nlohmann::json;

// An end as `weir verdicts` takes it: external hosts are no Kubernetes objects but addresses.
std::string flow_end(const json& cluster, const std::string& end, const std::string& family) {
    return end.starts_with("ext/") ? end_address(cluster, end, family) : end;
}

std::string flows_of(const CorpusStep& step) {
    std::string lines;
    for (const auto& cell : step.cells)
        lines += json{{"src", flow_end(step.cluster, cell.source, cell.family)},
                      {"dst", flow_end(step.cluster, cell.destination, cell.family)},
                      {"port", cell.port},
                      {"protocol", cell.protocol},
                      {"family", cell.family}}
                     .dump() +
                 "\n";
    return lines;
}

std::string word(bool is_allowed) {
    return is_allowed ? "allow" : "deny";
}

// What is wrong with an answer; empty when nothing is.
std::string judge(const CorpusCell& cell, const json& answer) {
    if (answer.contains("error")) return "error: " + answer["error"].dump();
    if (answer.value("egress", "") != word(cell.egress_allowed()) ||
        answer.value("ingress", "") != word(cell.ingress_allowed()) ||
        answer.value("verdict", "") != word(cell.is_allowed()))
        return std::string("expected ") + cell.expected + ", answered " + answer.dump();
    const bool names_a_rule = answer.contains("rule") && answer["rule"].is_object() &&
                              answer["rule"].value("kind", "").ends_with("NetworkPolicy");
    if (!cell.is_allowed() && !names_a_rule) return "denied without its rule: " + answer.dump();
    return {};
}

void expect_answers(const CorpusStep& step, const std::string& output) {
    std::istringstream lines(output);
    std::size_t answered = 0;
    int wrong = 0;
    for (std::string line; std::getline(lines, line); ++answered) {
        ASSERT_LT(answered, step.cells.size()) << "more answers than flows";
        const auto& cell = step.cells[answered];
        const auto fault = judge(cell, json::parse(line));
        if (!fault.empty() && ++wrong <= 5) ADD_FAILURE() << cell.to_string() << ": " << fault;
    }
    EXPECT_EQ(answered, step.cells.size());
    EXPECT_EQ(wrong, 0);
}

struct Parameter {
    const CorpusCase* corpus_case;
    std::string engine;
};

void PrintTo(const Parameter& parameter, std::ostream* out) {
    *out << parameter.corpus_case->id << " with engine " << parameter.engine;
}

class CorpusTest : public testing::TestWithParam<Parameter> {};

TEST_P(CorpusTest, AnswersEveryCell) {
    const auto& [corpus_case, engine] = GetParam();
    for (const auto& step : corpus_case->steps) {
        SCOPED_TRACE("step " + std::to_string(&step - corpus_case->steps.data()));
        const TempDirectory manifests;
        write_file(manifests.path() + "/cluster.json", cluster_objects(step.cluster).dump(1));
        write_file(manifests.path() + "/policies.yaml", step.policies);
        const auto result = run_command(
            {weir_program(), "verdicts", "--manifests", manifests.path(), "--engine", engine},
            {.input = flows_of(step), .netns = {}});
        ASSERT_EQ(result.status, 0) << result.err;
        expect_answers(step, result.out);
        for (const auto& object : step.rejected)
            EXPECT_THAT(result.err, testing::HasSubstr(object.substr(object.rfind('/') + 1)))
                << object << " is invalid and must be reported";
    }
}

std::vector<Parameter> all_cases() {
    std::vector<Parameter> parameters;
    for (const auto& corpus_case : corpus_cases())
        for (const char* engine : {"kernel", "model"})
            parameters.push_back({&corpus_case, engine});
    return parameters;
}

std::string case_name(const testing::TestParamInfo<Parameter>& parameter) {
    std::string name = parameter.param.corpus_case->id + "_" + parameter.param.engine;
    std::replace_if(name.begin(), name.end(), [](char c) { return std::isalnum(c) == 0; }, '_');
    return name;
}

INSTANTIATE_TEST_SUITE_P(Cases, CorpusTest, testing::ValuesIn(all_cases()), case_name);

TEST(CorpusFileTest, HoldsEveryCase) {
    EXPECT_EQ(corpus_cases().size(), 306U);
    std::set<std::string> suites;
    for (const auto& corpus_case : corpus_cases())
        suites.insert(corpus_case.suite);
    EXPECT_THAT(suites, testing::ElementsAre("admin", "cyclonus", "e2e", "edge", "recipes"));
}

} // namespace
} // namespace weir
