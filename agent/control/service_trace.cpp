// SPDX-License-Identifier: Apache-2.0
// Where a connection to an address and port would go, and why.
#include <fmt/format.h>

#include <cstring>

#include "agent/control/service_message.h"
#include "agent/flow/flow_record.h"
#include "agent/service/service_problems.h"
#include "agent/service/services.h"

namespace weir {
namespace {

struct FoundFrontend {
    ServicePlan plan;
    const PlannedPort* port = nullptr;
    const PlannedFrontend* frontend = nullptr;
};

FoundFrontend find_frontend(const ServiceCompiler& compiler, const ObjectName& owner,
                            const weir_service_key& key) {
    FoundFrontend found{plan_service(compiler.index(), owner)};
    for (const auto& port : found.plan.ports) {
        for (const auto& frontend : port.frontends) {
            const auto its =
                frontend_key(frontend.address, frontend.port, port.port.protocol, frontend.scope);
            if (!ServiceKeyEqual{}(its, key)) continue;
            found.port = &port;
            found.frontend = &frontend;
        }
    }
    return found;
}

bool is_as_written(const Services& services, const weir_service_key& key) {
    const auto kernel = services.dataplane().maps().services.lookup(key);
    const weir_service* ours = services.compiler().claims().find(key);
    if (!kernel || kernel->has_value() != (ours != nullptr)) return false;
    return ours == nullptr || std::memcmp(&**kernel, ours, sizeof(*ours)) == 0;
}

std::string choice_text(const v1::TraceServiceResponse& response, const FoundFrontend& found) {
    const auto count = response.candidates_size();
    const bool uses_maglev = response.frontend().maglev() != 0;
    std::string text = fmt::format("one of {} backends, {}", count,
                                   uses_maglev ? "by the hash of the flow"
                                   : found.plan.service->choice == ServiceChoice::kLeastLoaded
                                       ? "the less loaded of two drawn at random"
                                       : "at random by their shares");
    if (found.plan.service->affinity != 0) {
        text += fmt::format("; a client stays with its own for {} s", found.plan.service->affinity);
    }
    if (response.frontend().refused() != 0) {
        text += fmt::format("; {:.1f} % are refused, for backendRefs that lead nowhere",
                            response.frontend().refused());
    }
    if (found.frontend->has_source_ranges) text += "; only for clients of its source ranges";
    return text;
}

void add_backends(v1::TraceServiceResponse& response, const ControlContext& context,
                  const FoundFrontend& found) {
    for (const auto& backend : found.port->backends) {
        if (backend.is_v4() != found.frontend->address.is_v4()) continue;
        auto message = backend_message(context, response.port().id(), *found.port, backend,
                                       found.frontend->set);
        (message.out().empty() ? *response.add_candidates() : *response.add_excluded()) =
            std::move(message);
    }
}

// Of an address and port that no frontend has.
void explain_none(v1::TraceServiceResponse& response, const Services& services,
                  const Address& address, weir_service_scope scope) {
    const auto wildcard = wildcard_key(address, scope);
    const ObjectName* owner = services.compiler().claims().owner(wildcard);
    response.set_differs(!is_as_written(services, wildcard));
    if (owner == nullptr) {
        response.set_outcome("untouched");
        response.set_reason("no Service has this address and port here");
        return;
    }
    response.set_outcome("dropped");
    response.set_reason(fmt::format("the address is that of Service {}/{}, which has no such port",
                                    owner->ns.get(), owner->name.get()));
}

} // namespace

Reply<v1::TraceServiceResponse> trace_service(const ControlContext& context,
                                              const v1::TraceServiceRequest& request) {
    const auto services = services_of(context);
    if (!services) return std::unexpected(services.error());
    const auto address = Address::parse(request.address());
    const auto protocol = protocol_number(request.protocol().empty() ? "TCP" : request.protocol());
    if (!address || !protocol || request.port() == 0 || request.port() > 65535) {
        return std::unexpected(Refusal{Refusal::Code::kInvalidArgument,
                                       "give an IP address, a port and TCP, UDP or SCTP"});
    }
    const auto scope = request.outside() ? WEIR_SCOPE_EXTERNAL : WEIR_SCOPE_INTERNAL;
    const auto key =
        frontend_key(*address, static_cast<std::uint16_t>(request.port()), *protocol, scope);
    v1::TraceServiceResponse response;
    const ServiceCompiler& compiler = (*services)->compiler();
    const ObjectName* owner = compiler.claims().owner(key);
    if (owner == nullptr) {
        explain_none(response, **services, *address, scope);
        return response;
    }
    const FoundFrontend found = find_frontend(compiler, *owner, key);
    if (found.port == nullptr) { // a change that is not compiled yet
        return std::unexpected(
            Refusal{Refusal::Code::kUnavailable, "the service is changing just now; try again"});
    }
    const auto& backends = (*services)->dataplane().maps().backends;
    if (auto acquired = backends.acquire(); !acquired) {
        return std::unexpected(Refusal{Refusal::Code::kInternal, acquired.error().what});
    }
    *response.mutable_port() = port_message(**services, found.plan, *found.port);
    *response.mutable_frontend() =
        frontend_message(**services, found.plan, *found.port, *found.frontend);
    add_backends(response, context, found);
    backends.release();
    response.set_differs(!is_as_written(**services, key));
    const bool has_backend = response.candidates_size() != 0;
    const bool drops = response.frontend().drops();
    response.set_outcome(has_backend ? "backend" : drops ? "dropped" : "refused");
    response.set_reason(has_backend ? choice_text(response, found)
                        : drops ? "externalTrafficPolicy is Local, and no backend is on this node"
                                : "the service has no backend that takes connections here");
    return response;
}

} // namespace weir
