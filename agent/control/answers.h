// SPDX-License-Identifier: Apache-2.0
// The answers of the control API, from the agent's state. On the io_context's thread only.
#pragma once

#include <cstdint>
#include <expected>
#include <string>

#include "agent/control/context.h"
#include "agent/control/weir.pb.h"

namespace weir {

struct Endpoint;

// Why a question has no answer, in the words of gRPC's status codes.
struct Refusal {
    enum class Code {
        kInvalidArgument,
        kNotFound,
        kFailedPrecondition,
        kResourceExhausted,
        kUnavailable, // for now: the same question may be answered later
        kInternal
    };

    Code code = Code::kInternal;
    std::string message; // names the object and the remedy
};

template <typename T>
using Reply = std::expected<T, Refusal>;

v1::StatusResponse status_of(const ControlContext& context);

v1::Endpoint endpoint_message(const ControlContext& context, const Endpoint& endpoint);
v1::ListEndpointsResponse list_endpoints(const ControlContext& context);
Reply<v1::Endpoint> add_endpoint(const ControlContext& context,
                                 const v1::AddEndpointRequest& request);
Reply<v1::RemoveEndpointResponse> remove_endpoint(const ControlContext& context,
                                                  const v1::RemoveEndpointRequest& request);

v1::ListPoliciesResponse list_policies(const ControlContext& context,
                                       const v1::ListPoliciesRequest& request);
Reply<v1::PolicyDetails> show_policy(const ControlContext& context,
                                     const v1::ShowPolicyRequest& request);

Reply<v1::ExplainResponse> explain(const ControlContext& context,
                                   const v1::ExplainRequest& request);

Reply<v1::ListServicesResponse> list_services(const ControlContext& context,
                                              const v1::ListServicesRequest& request);
Reply<v1::TraceServiceResponse> trace_service(const ControlContext& context,
                                              const v1::TraceServiceRequest& request);

} // namespace weir
