// SPDX-License-Identifier: Apache-2.0
#include "agent/service/service_problems.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <array>

#include "agent/flow/flow_record.h"
#include "bpf/abi_uplink.h"
#include "policy/host_ports.h"
#include "policy/route_reference.h"

namespace weir {
namespace {

constexpr std::array kOutcomeWords = {
#define WEIR_OUTCOME(name, word, text) word,
    WEIR_SERVICE_OUTCOMES(WEIR_OUTCOME)
#undef WEIR_OUTCOME
};

constexpr std::array kUplinkOutcomeWords = {
#define WEIR_OUTCOME(name, word, text) word,
    WEIR_UPLINK_OUTCOMES(WEIR_OUTCOME)
#undef WEIR_OUTCOME
};

std::vector<std::string> route_notes(const ServiceIndex& index, const TrafficRoute& route) {
    const std::string name = to_string(key_of(route));
    if (!route.not_applied.get().empty()) {
        return {fmt::format("{} is not applied: {}; traffic stays as it is", name,
                            route.not_applied.get())};
    }
    std::vector<std::string> notes;
    for (const auto& backend : route.backends) {
        const auto flaw = flaw_of(index, route, backend);
        if (flaw == ReferenceFlaw::kNone) continue;
        notes.push_back(fmt::format("{}: {}; its share of the connections is refused", name,
                                    describe(flaw, route, backend)));
    }
    return notes;
}

std::string owner_text(const ObjectName& service) {
    const auto pod = host_port_pod(service);
    return pod ? "the hostPort of Pod " + pod->to_string() : "Service " + service.to_string();
}

} // namespace

std::string frontend_text(const weir_service_key& key) {
    return fmt::format("{}/{}", Address::from_abi(key.address).to_string(ntohs(key.port)),
                       protocol_name(key.protocol));
}

const char* service_outcome_word(std::size_t outcome) {
    return kOutcomeWords.at(outcome);
}

const char* uplink_outcome_word(std::size_t outcome) {
    return kUplinkOutcomeWords.at(outcome);
}

std::vector<ServiceProblem> service_problems(const ServiceCompiler& compiler) {
    std::vector<ServiceProblem> problems;
    using Cause = ServiceProblem::Cause;
    const auto add = [&problems](Cause cause, const ObjectName& service, const std::string& note) {
        const std::string object = owner_text(service);
        problems.push_back({cause, service, object, note, object + ": " + note});
    };
    for (const auto& misfit : compiler.misfits()) {
        add(Cause::kNoRoom, misfit.service,
            fmt::format("is not balanced: {} has no room beyond {} entries; its connections pass "
                        "untouched; remove Services or endpoints",
                        misfit.map, misfit.limit));
    }
    for (const auto& collision : compiler.claims().collisions()) {
        if (collision.key.scope != WEIR_SCOPE_INTERNAL) continue; // told once
        add(Cause::kTaken, collision.loser,
            fmt::format("{} belongs to {}; give one of them another address or port",
                        frontend_text(collision.key), owner_text(collision.winner)));
    }
    for (const auto& [name, record] : compiler.index().records()) {
        for (const auto& route : record.routes) {
            for (const auto& note : route_notes(compiler.index(), *route))
                add(Cause::kRoute, name, note);
        }
    }
    return problems;
}

} // namespace weir
