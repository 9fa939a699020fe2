// SPDX-License-Identifier: Apache-2.0
// Services as the control API shows them.
#pragma once

#include <expected>
#include <string>

#include "agent/control/answers.h"
#include "agent/control/weir.pb.h"
#include "policy/service_plan.h"

namespace weir {

class Services;

// The agent's services; refused when it balances none.
std::expected<const Services*, Refusal> services_of(const ControlContext& context);

// Without frontends and backends.
v1::ServicePort port_message(const Services& services, const ServicePlan& plan,
                             const PlannedPort& port);
v1::ServiceFrontend frontend_message(const Services& services, const ServicePlan& plan,
                                     const PlannedPort& port, const PlannedFrontend& frontend);
// As the set of that kind has it. Precondition: the array of backends is acquired.
v1::ServiceBackend backend_message(const ControlContext& context, std::uint32_t service_id,
                                   const PlannedPort& port, const PlannedBackend& backend,
                                   SetKind kind);

} // namespace weir
