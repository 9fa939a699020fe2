// SPDX-License-Identifier: Apache-2.0
// The command line's end of the control API: blocking calls to the agent of a run folder.
#pragma once

#include <expected>
#include <functional>
#include <memory>
#include <string>

#include "agent/control/weir.pb.h"

namespace weir::cli {

// Why a call has no answer: a sentence for the user and the exit status that goes with it.
struct CallError {
    int exit_status = 0;
    std::string message;
};

template <typename T>
using Answer = std::expected<T, CallError>;

class ControlClient {
public:
    explicit ControlClient(const std::string& run_dir);
    ~ControlClient();

    Answer<v1::StatusResponse> status();
    Answer<v1::ListEndpointsResponse> list_endpoints();
    Answer<v1::Endpoint> add_endpoint(const v1::AddEndpointRequest& request);
    Answer<v1::RemoveEndpointResponse> remove_endpoint(const v1::RemoveEndpointRequest& request);
    Answer<v1::ListPoliciesResponse> list_policies(const v1::ListPoliciesRequest& request);
    Answer<v1::PolicyDetails> show_policy(const v1::ShowPolicyRequest& request);
    Answer<v1::YieldResponse> yield(); // waits at most 5 s
    Answer<v1::ExplainResponse> explain(const v1::ExplainRequest& request);
    Answer<v1::ListServicesResponse> list_services(const v1::ListServicesRequest& request);
    Answer<v1::TraceServiceResponse> trace_service(const v1::TraceServiceRequest& request);
    // These two may take minutes in a large cluster.
    Answer<v1::DiffResponse> diff(const v1::DiffRequest& request);
    Answer<v1::SuggestResponse> suggest(const v1::SuggestRequest& request);
    // Calls take for each answer until the stream ends.
    std::expected<void, CallError> flows(const v1::FlowsRequest& request,
                                         const std::function<void(const v1::FlowsResponse&)>& take);

private:
    class Stub; // keeps gRPC's headers out of the commands
    std::unique_ptr<Stub> stub_;
};

} // namespace weir::cli
