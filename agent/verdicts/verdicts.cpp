// SPDX-License-Identifier: Apache-2.0
#include "agent/verdicts/verdicts.h"

#include <fmt/format.h>

#include <algorithm>
#include <istream>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <ostream>
#include <unordered_map>
#include <utility>
#include <vector>

#include "agent/inventory.h"
#include "agent/kube/check.h"
#include "agent/verdicts/cluster.h"
#include "agent/verdicts/engine.h"
#include "agent/verdicts/query.h"

namespace weir {
namespace {

using Json = nlohmann::ordered_json;

// Flows that are judged together, grouped by pod.
constexpr std::size_t kBatch = 65536;

struct Side {
    SideQuestion question;
    SideAnswer answer;
};

struct Flow {
    FlowQuery query;
    std::optional<Side> sides[WEIR_DIRECTIONS]; // none: not a pod, passes
};

const char* word(bool is_allowed) {
    return is_allowed ? "allow" : "deny";
}

std::string dump(const Json& json) {
    return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Json rule_json(std::uint32_t id, const RuleBook& rules) {
    const RuleInfo* rule = id < WEIR_RULE_FIRST ? nullptr : rules.find(id);
    if (rule == nullptr) return nullptr;
    Json json = {{"kind", rule->kind.get()},        {"namespace", nullptr},
                 {"name", rule->policy.name.get()}, {"index", nullptr},
                 {"file", rule->origin.file.get()}, {"line", rule->origin.line}};
    if (const auto& ns = rule->policy.ns.get(); !ns.empty()) json["namespace"] = ns;
    if (rule->index) {
        json["index"] = *rule->index;
        return json;
    }
    for (const auto& policy : rule->isolated_by) {
        json["isolated_by"].push_back(policy.ns.get() + "/" + policy.name.get());
    }
    return json;
}

std::optional<Address> of_family(const ClusterEnd& end, bool is_v4) {
    const auto found = std::ranges::find_if(
        end.addresses, [is_v4](const Address& address) { return address.is_v4() == is_v4; });
    return found == end.addresses.end() ? std::nullopt : std::optional(*found);
}

class Judge {
public:
    Judge(const Change& change, std::unique_ptr<Engine> engine)
        : cluster_(change), engine_(std::move(engine)), compiler_({.limits = engine_->limits()}) {
        compiler_.apply(change);
    }

    Result<> answer(std::vector<Flow>& flows, std::ostream& answers) {
        for (auto& flow : flows)
            ask(flow);
        if (auto loaded = load(); !loaded) return loaded;
        if (auto judged = judge(flows); !judged) return judged;
        for (const auto& flow : flows)
            write(flow, answers);
        return {};
    }

private:
    // Turns the query into the questions that its sides have to answer.
    void ask(Flow& flow) {
        FlowQuery& query = flow.query;
        if (!query.error.empty()) return;
        const auto source = end_of(query, "src", query.source);
        const auto destination = end_of(query, "dst", query.destination);
        if (!source || !destination) return;
        const auto addresses = addresses_of(query, *source, *destination);
        if (!addresses) return;
        SideQuestion question{.source = addresses->first,
                              .destination = addresses->second,
                              .protocol = query.protocol,
                              .port = query.port};
        // The pod's own node, and only it, needs no permission.
        question.is_from_own_node = source->is_node && source->node == destination->node;
        add_side(flow, *source, WEIR_EGRESS, question);
        add_side(flow, *destination, WEIR_INGRESS, question);
    }

    std::optional<ClusterEnd> end_of(FlowQuery& query, const char* field, const std::string& text) {
        if (const auto* end = cluster_.find(text)) return *end;
        if (query.error.empty()) {
            query.error = fmt::format(
                "{} '{}': no such pod or node in the manifests, and no address", field, text);
        }
        return {};
    }

    static std::optional<std::pair<Address, Address>> addresses_of(FlowQuery& query,
                                                                   const ClusterEnd& source,
                                                                   const ClusterEnd& destination) {
        for (const bool is_v4 : {true, false}) {
            if (query.is_v4 && *query.is_v4 != is_v4) continue;
            const auto from = of_family(source, is_v4);
            const auto to = of_family(destination, is_v4);
            if (from && to) return std::pair(*from, *to);
            if (!query.is_v4) continue;
            query.error =
                fmt::format("{} has no {} address", from ? query.destination : query.source,
                            is_v4 ? "IPv4" : "IPv6");
            return {};
        }
        query.error = "the two ends have no addresses of one family";
        return {};
    }

    void add_side(Flow& flow, const ClusterEnd& end, weir_direction direction,
                  SideQuestion question) {
        if (!end.pod) return;
        const auto slot = slot_of(end);
        if (!slot) {
            flow.query.error = fmt::format(
                "more than {} pods in one input: split it, or use --engine "
                "model",
                engine_->max_pods());
            return;
        }
        question.slot = *slot;
        question.direction = direction;
        flow.sides[direction] = Side{.question = question, .answer = {}};
    }

    std::optional<std::uint32_t> slot_of(const ClusterEnd& end) {
        const auto found = slots_.find(*end.pod);
        if (found != slots_.end()) return found->second;
        if (slots_.size() == engine_->max_pods()) return {};
        const auto slot = static_cast<std::uint32_t>(slots_.size());
        slots_.emplace(*end.pod, slot);
        new_pods_.push_back({.slot = slot, .pod = *end.pod, .addresses = end.addresses});
        return slot;
    }

    // Compiles the tables of the pods that came up for the first time.
    Result<> load() {
        if (new_pods_.empty()) return {};
        for (const auto& pod : new_pods_)
            compiler_.set_local(pod);
        const auto compiled = compiler_.compile();
        if (const auto* misfit = std::get_if<DoesNotFit>(&compiled)) {
            return failure(fmt::format(
                "the policies do not fit: {} needs {} entries and has {}{}; give the nodes, "
                "and this command, more --map-memory",
                misfit->map, misfit->needed, misfit->limit,
                misfit->policy.empty() ? "" : ", most for " + misfit->policy));
        }
        auto applied = engine_->apply(new_pods_, std::get<Transaction>(compiled));
        if (!applied) return applied;
        compiler_.commit();
        rule_texts_.clear();
        new_pods_.clear();
        return {};
    }

    Result<> judge(std::vector<Flow>& flows) {
        std::vector<Side*> sides;
        for (auto& flow : flows) {
            if (!flow.query.error.empty()) continue;
            for (auto& side : flow.sides) {
                if (side) sides.push_back(&*side);
            }
        }
        std::ranges::stable_sort(sides, {}, [](const Side* side) { return side->question.slot; });
        for (auto* side : sides) {
            auto answer = engine_->judge(side->question);
            if (!answer) return std::unexpected(std::move(answer.error()));
            side->answer = std::move(*answer);
        }
        return {};
    }

    void write(const Flow& flow, std::ostream& answers) {
        std::string error = flow.query.error;
        for (const auto& side : flow.sides) {
            if (side && error.empty()) error = side->answer.error;
        }
        answers << flow.query.echo << (flow.query.has_fields ? "," : "");
        if (!error.empty()) {
            answers << "\"error\":" << dump(error) << "}\n";
            return;
        }
        const auto is_allowed = [&flow](weir_direction direction) {
            return !flow.sides[direction] || flow.sides[direction]->answer.is_allowed;
        };
        const bool is_out = is_allowed(WEIR_EGRESS);
        const bool is_in = is_allowed(WEIR_INGRESS);
        const std::string& egress_rule = rule_text(flow.sides[WEIR_EGRESS]);
        const std::string& ingress_rule = rule_text(flow.sides[WEIR_INGRESS]);
        answers << "\"verdict\":\"" << word(is_out && is_in) << "\",\"egress\":\"" << word(is_out)
                << "\",\"ingress\":\"" << word(is_in) << "\",\"egress_rule\":" << egress_rule
                << ",\"ingress_rule\":" << ingress_rule
                << ",\"rule\":" << (is_out ? ingress_rule : egress_rule) << "}\n";
    }

    const std::string& rule_text(const std::optional<Side>& side) {
        const std::uint32_t id = side ? side->answer.rule : std::uint32_t{WEIR_RULE_NONE};
        const auto [text, is_new] = rule_texts_.try_emplace(id);
        if (is_new) text->second = dump(rule_json(id, compiler_.rules()));
        return text->second;
    }

    Cluster cluster_;
    std::unique_ptr<Engine> engine_;
    Compiler compiler_;
    std::unordered_map<ObjectName, std::uint32_t, ObjectNameHash> slots_;
    std::vector<LocalPod> new_pods_;
    std::unordered_map<std::uint32_t, std::string> rule_texts_; // by id, as JSON
};

bool is_blank(const std::string& line) {
    return line.find_first_not_of(" \t\r") == std::string::npos;
}

} // namespace

Result<> judge_flows(const VerdictsOptions& options, std::istream& flows, std::ostream& answers,
                     std::ostream& problems) {
    const auto manifests = load_directory(options.directory);
    if (!manifests) return std::unexpected(manifests.error());
    for (const auto& problem : manifests->problems) {
        if (problem.severity != Severity::kNotice) problems << to_string(problem) << '\n';
    }
    auto engine = options.engine == EngineKind::kModel
                      ? Result<std::unique_ptr<Engine>>(make_model_engine(options.map_memory))
                      : make_kernel_engine(options.map_memory);
    if (!engine) return std::unexpected(std::move(engine.error()));
    Judge judge(manifests->change, std::move(*engine));

    std::vector<Flow> batch;
    for (std::string line; std::getline(flows, line);) {
        if (is_blank(line)) continue;
        batch.push_back({.query = parse_query(line), .sides = {}});
        if (batch.size() < kBatch) continue;
        if (auto answered = judge.answer(batch, answers); !answered) return answered;
        batch.clear();
    }
    if (flows.bad()) return failure("cannot read the flows");
    if (auto answered = judge.answer(batch, answers); !answered) return answered;
    answers.flush();
    return answers.good() ? Result<>() : failure("cannot write the answers");
}

} // namespace weir
