// SPDX-License-Identifier: Apache-2.0
#include "agent/report/reporter.h"

#include <chrono>
#include <utility>
#include <vector>

#include "agent/config.h"
#include "agent/enforcer.h"
#include "agent/inventory.h"
#include "agent/kube/api/api_source.h"
#include "agent/report/findings.h"
#include "agent/report/policy_status.h"
#include "agent/report/route_status.h"
#include "agent/service/services.h"

namespace weir {
namespace {

using namespace std::chrono_literals;

constexpr auto kLookEvery = 1s;

} // namespace

Reporter::Reporter(boost::asio::io_context& context, const AccessProvider& access,
                   const Config& config, const Sources& sources)
    : node_(config.node_name), sources_(sources), timer_(context) {
    if (config.has_events) events_.emplace(context, access, node_);
    if (config.has_status) statuses_.emplace(context, access);
    wait();
}

void Reporter::wait() {
    timer_.expires_after(kLookEvery);
    timer_.async_wait([this](const boost::system::error_code& error) {
        if (error) return; // it ends
        look();
        wait();
    });
}

void Reporter::look() {
    if (sources_.api.reported_changes() == 0) return; // not all is known yet
    if (auto now = signature(); std::exchange(last_, now) == now) return;
    const Turns order = turns();
    if (events_) look_for_events(order);
    if (statuses_) look_for_status(order);
}

Reporter::Signature Reporter::signature() const {
    const auto& misfit = sources_.enforcer.revision().does_not_fit;
    const Services* services = sources_.services;
    return {sources_.api.reported_changes(), misfit ? misfit->policy + " " + misfit->map : "",
            services == nullptr ? 0 : services->changes(),
            services == nullptr ? 0 : services->revision().revision,
            sources_.inventory.nodes().size()};
}

Turns Reporter::turns() const {
    std::vector<std::string> nodes;
    nodes.reserve(sources_.inventory.nodes().size());
    for (const auto& [name, node] : sources_.inventory.nodes())
        nodes.push_back(name.get());
    return {node_, std::move(nodes)};
}

void Reporter::look_for_events(const Turns& turns) {
    std::vector<Finding> findings;
    sources_.api.each_reported(
        [&](const ReportedObject& object) { add_findings(findings, object, turns); });
    add_misfit(findings, turns);
    if (sources_.services != nullptr) {
        for (const auto& problem : service_problems(sources_.services->compiler())) {
            const auto uid = sources_.api.uid_of({Kind::kService, problem.service});
            if (auto finding = service_finding(problem, uid, turns)) {
                findings.push_back(std::move(*finding));
            }
        }
    }
    events_->observe(findings);
}

void Reporter::add_misfit(std::vector<Finding>& findings, const Turns& turns) const {
    const auto& misfit = sources_.enforcer.revision().does_not_fit;
    if (!misfit || misfit->policy.empty()) return;
    for (const auto& [key, object] : sources_.inventory.policies()) {
        if (to_string(key) != misfit->policy) continue;
        const auto uid = sources_.api.uid_of(key);
        if (!uid.empty()) findings.push_back(misfit_finding(*misfit, key, uid, turns));
        return;
    }
}

void Reporter::look_for_status(const Turns& turns) {
    const auto now = std::chrono::system_clock::now();
    std::vector<StatusWrite> writes;
    sources_.api.each_reported([&](const ReportedObject& object) {
        auto write = has_enforced_condition(object.key.kind) ? policy_status_write(object, now)
                                                             : std::nullopt;
        const bool is_route = !object.facts.services.empty() || !object.facts.reported.empty();
        if (is_route && sources_.services != nullptr) {
            write = route_status_write(object, sources_.services->compiler().index(), now);
        }
        if (!write) return;
        write->delay = turns.spread(object.uid); // others find in the watch what the first wrote
        writes.push_back(std::move(*write));
    });
    statuses_->observe(writes);
}

void Reporter::pod_event(const ObjectName& pod, const std::string& reason,
                         const std::string& note) {
    if (!events_) return;
    const auto uid = sources_.api.uid_of({Kind::kPod, pod});
    if (!uid.empty()) events_->occur(pod_finding(pod, uid, reason, note));
}

} // namespace weir
