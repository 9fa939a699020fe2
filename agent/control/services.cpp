// SPDX-License-Identifier: Apache-2.0
// The list of services.
#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "agent/control/service_message.h"
#include "agent/flow/flow_record.h"
#include "agent/inventory.h"
#include "agent/service/service_problems.h"
#include "agent/service/services.h"

namespace weir {
namespace {

const char* kind_word(FrontendKind kind) {
    switch (kind) {
        case FrontendKind::kClusterIp:
            return "ClusterIP";
        case FrontendKind::kNodePort:
            return "NodePort";
        case FrontendKind::kLoadBalancer:
            return "LoadBalancer";
        case FrontendKind::kExternalIp:
            return "ExternalIP";
        case FrontendKind::kHostPort:
            return "HostPort";
    }
    return "unknown";
}

const char* balance_word(const Service& service) {
    if (!service.is_choice_given) return "";
    switch (service.choice) {
        case ServiceChoice::kRandom:
            return "random";
        case ServiceChoice::kMaglev:
            return "maglev";
        case ServiceChoice::kLeastLoaded:
            return "least-connections";
    }
    return "unknown";
}

const char* state_word(std::uint8_t state) {
    switch (state) {
        case WEIR_BACKEND_ACTIVE:
            return "active";
        case WEIR_BACKEND_DRAINING:
            return "draining";
        case WEIR_BACKEND_EJECTED:
            return "ejected";
        case WEIR_BACKEND_REMOVED:
            return "removed";
        default:
            return "not in force";
    }
}

const char* role_word(const PlannedBackend& backend, SetKind kind) {
    switch (backend.roles[static_cast<std::size_t>(kind)]) {
        case EndpointRole::kNotReady:
            return "not ready";
        case EndpointRole::kTerminating:
            return "terminating";
        case EndpointRole::kElsewhere:
            return "on another node";
        case EndpointRole::kOtherZone:
            return "in another zone or node, by its hints";
        case EndpointRole::kChosen:
            break;
    }
    return backend.slots[static_cast<std::size_t>(kind)] == 0 ? "weight 0" : "";
}

// Of new connections, in percent.
double share_of(std::uint32_t slots, const PlannedPort& port, SetKind kind, bool is_v4) {
    std::uint64_t all = port.refused(kind, is_v4);
    for (const auto& backend : port.backends) {
        if (backend.is_v4() == is_v4) all += backend.slots[static_cast<std::size_t>(kind)];
    }
    return all == 0 ? 0 : 100.0 * slots / static_cast<double>(all);
}

void add_counts(v1::ServiceBackend& message, const weir_backend& kernel) {
    message.set_state(state_word(__atomic_load_n(&kernel.state, __ATOMIC_RELAXED)));
    message.set_live(__atomic_load_n(&kernel.live, __ATOMIC_RELAXED));
    message.set_opened(__atomic_load_n(&kernel.opened, __ATOMIC_RELAXED));
    message.set_failed(__atomic_load_n(&kernel.failed, __ATOMIC_RELAXED));
    if (!message.out().empty()) return;
    if (kernel.max_connections != 0 && message.live() >= kernel.max_connections) {
        message.set_out("at its limit");
    }
}

// record: null if the backend was not ejected lately.
void add_ejection(v1::ServiceBackend& message, const OutlierDetector::Record* record) {
    if (record == nullptr || message.state() != state_word(WEIR_BACKEND_EJECTED)) return;
    const auto left =
        std::chrono::ceil<std::chrono::seconds>(record->until - OutlierDetector::Clock::now());
    message.set_out(fmt::format("ejected for {} s more", std::max<std::int64_t>(left.count(), 0)));
}

} // namespace

std::expected<const Services*, Refusal> services_of(const ControlContext& context) {
    if (context.services != nullptr) return context.services;
    return std::unexpected(Refusal{Refusal::Code::kFailedPrecondition,
                                   "this agent balances no services; start it with --services on"});
}

v1::ServicePort port_message(const Services& services, const ServicePlan& plan,
                             const PlannedPort& port) {
    v1::ServicePort message;
    const Service& service = *plan.service;
    message.set_namespace_(service.name.ns.get());
    message.set_name(service.name.name.get());
    message.set_port_name(port.port.name.get());
    message.set_port(port.port.port);
    message.set_protocol(protocol_name(port.port.protocol));
    message.set_id(services.compiler().service_id(service.name, port.port));
    message.set_affinity_seconds(service.affinity);
    message.set_balance(balance_word(service));
    if (port.route) message.set_route(to_string(key_of(*port.route)));
    return message;
}

v1::ServiceFrontend frontend_message(const Services& services, const ServicePlan& plan,
                                     const PlannedPort& port, const PlannedFrontend& frontend) {
    v1::ServiceFrontend message;
    message.set_address(frontend.address.to_string());
    message.set_port(frontend.port);
    message.set_kind(kind_word(frontend.kind));
    message.set_scope(frontend.scope == WEIR_SCOPE_INTERNAL ? "inside" : "outside");
    message.set_source_ranges(frontend.has_source_ranges);
    const bool is_v4 = frontend.address.is_v4();
    message.set_refused(share_of(port.refused(frontend.set, is_v4), port, frontend.set, is_v4));
    const auto key =
        frontend_key(frontend.address, frontend.port, port.port.protocol, frontend.scope);
    const FrontendClaims& claims = services.compiler().claims();
    const ObjectName* owner = claims.owner(key);
    if (owner != nullptr && *owner != plan.service->name) {
        message.set_owner(owner->to_string());
    } else if (const weir_service* value = claims.find(key)) {
        message.set_slots(value->slot_count);
        message.set_maglev(value->maglev_count);
        message.set_drops((value->flags & WEIR_SERVICE_NONE_HERE) != 0);
    }
    return message;
}

v1::ServiceBackend backend_message(const ControlContext& context, std::uint32_t service_id,
                                   const PlannedPort& port, const PlannedBackend& backend,
                                   SetKind kind) {
    v1::ServiceBackend message;
    message.set_address(backend.address.to_string());
    message.set_port(backend.port);
    const AddressOwner* owner = context.inventory.owner_of(backend.address);
    if (owner != nullptr && owner->node.get().empty()) message.set_pod(owner->pod.to_string());
    message.set_service(backend.service.to_string());
    message.set_local(backend.is_local);
    message.set_max_connections(backend.max_connections);
    message.set_out(role_word(backend, kind));
    message.set_share(
        share_of(backend.slots[static_cast<std::size_t>(kind)], port, kind, backend.is_v4()));
    const auto id =
        context.services->compiler().backend_id(service_id, backend, port.port.protocol);
    message.set_id(id);
    if (id == 0) {
        message.set_state(state_word(WEIR_BACKEND_UNUSED));
    } else {
        add_counts(message, context.services->dataplane().maps().backends[id]);
        add_ejection(message, context.services->ejector().find(id));
    }
    return message;
}

Reply<v1::ListServicesResponse> list_services(const ControlContext& context,
                                              const v1::ListServicesRequest& request) {
    const auto services = services_of(context);
    if (!services) return std::unexpected(services.error());
    const ServiceCompiler& compiler = (*services)->compiler();
    std::vector<ObjectName> names;
    for (const auto& [name, record] : compiler.index().records()) {
        const bool is_asked =
            (request.namespace_().empty() || name.ns.get() == request.namespace_()) &&
            (request.name().empty() || name.name.get() == request.name());
        if (record.service && is_asked) names.push_back(name);
    }
    std::ranges::sort(names, is_before);
    if (names.empty() && !request.name().empty()) {
        return std::unexpected(
            Refusal{Refusal::Code::kNotFound,
                    fmt::format("no Service {}/{}; `weir services` shows those there are",
                                request.namespace_().empty() ? "*" : request.namespace_(),
                                request.name())});
    }
    const auto& backends = (*services)->dataplane().maps().backends;
    if (auto acquired = backends.acquire(); !acquired) {
        return std::unexpected(Refusal{Refusal::Code::kInternal, acquired.error().what});
    }
    const auto problems = service_problems(compiler);
    v1::ListServicesResponse response;
    for (const auto& name : names) {
        const ServicePlan plan = plan_service(compiler.index(), name);
        for (const auto& port : plan.ports) {
            auto* message = response.add_ports();
            *message = port_message(**services, plan, port);
            for (const auto& frontend : port.frontends)
                *message->add_frontends() = frontend_message(**services, plan, port, frontend);
            const bool is_local = plan.service->is_internal_local;
            for (const auto& backend : port.backends) {
                *message->add_backends() =
                    backend_message(context, message->id(), port, backend,
                                    is_local ? SetKind::kLocal : SetKind::kCluster);
            }
            for (const auto& problem : problems) {
                if (problem.service == name) message->add_problems(problem.text);
            }
        }
    }
    backends.release();
    return response;
}

} // namespace weir
