// SPDX-License-Identifier: Apache-2.0
#include "agent/cli/client.h"

#include <fmt/format.h>
#include <grpcpp/grpcpp.h>

#include <chrono>

#include "agent/cli/command.h"
#include "agent/control/weir.grpc.pb.h"

namespace weir::cli {
namespace {

constexpr std::chrono::seconds kCallTimeout{30};
constexpr std::chrono::seconds kPreviewTimeout{600};
constexpr std::chrono::seconds kYieldTimeout{5};

CallError error_of(const grpc::Status& status, const std::string& socket,
                   std::chrono::seconds timeout = kCallTimeout) {
    switch (status.error_code()) {
        case grpc::StatusCode::UNAVAILABLE:
            return {kCannot, fmt::format("cannot reach the agent at {}: {}; is `weir agent` "
                                         "running, and is --run-dir (or WEIR_RUN_DIR) the one "
                                         "it was started with?",
                                         socket, status.error_message())};
        case grpc::StatusCode::DEADLINE_EXCEEDED:
            return {kCannot, fmt::format("the agent at {} did not answer within {} s", socket,
                                         timeout.count())};
        case grpc::StatusCode::INVALID_ARGUMENT:
        case grpc::StatusCode::UNIMPLEMENTED:
            return {kCannot, status.error_message()};
        default:
            return {kNegative, status.error_message()};
    }
}

} // namespace

class ControlClient::Stub {
public:
    explicit Stub(const std::string& run_dir) : socket_(run_dir + "/weir.sock") {
        grpc::ChannelArguments arguments;
        // A proxy from the environment has no business with a unix socket.
        arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
        stub_ = v1::Control::NewStub(grpc::CreateCustomChannel(
            "unix:" + socket_, grpc::InsecureChannelCredentials(), arguments));
    }

    template <typename Request, typename Response>
    Answer<Response> call(grpc::Status (v1::Control::Stub::*method)(grpc::ClientContext*,
                                                                    const Request&, Response*),
                          const Request& request, std::chrono::seconds timeout = kCallTimeout) {
        grpc::ClientContext context;
        context.set_deadline(std::chrono::system_clock::now() + timeout);
        Response response;
        const grpc::Status status = (stub_.get()->*method)(&context, request, &response);
        if (!status.ok()) return std::unexpected(error_of(status, socket_, timeout));
        return response;
    }

    std::expected<void, CallError> flows(
        const v1::FlowsRequest& request,
        const std::function<void(const v1::FlowsResponse&)>& take) {
        grpc::ClientContext context;
        const auto reader = stub_->Flows(&context, request);
        v1::FlowsResponse response;
        while (reader->Read(&response))
            take(response);
        const grpc::Status status = reader->Finish();
        if (!status.ok()) return std::unexpected(error_of(status, socket_));
        return {};
    }

private:
    std::string socket_;
    std::unique_ptr<v1::Control::Stub> stub_;
};

ControlClient::ControlClient(const std::string& run_dir) : stub_(std::make_unique<Stub>(run_dir)) {}
ControlClient::~ControlClient() = default;

Answer<v1::StatusResponse> ControlClient::status() {
    return stub_->call(&v1::Control::Stub::Status, v1::StatusRequest());
}

Answer<v1::ListEndpointsResponse> ControlClient::list_endpoints() {
    return stub_->call(&v1::Control::Stub::ListEndpoints, v1::ListEndpointsRequest());
}

Answer<v1::Endpoint> ControlClient::add_endpoint(const v1::AddEndpointRequest& request) {
    return stub_->call(&v1::Control::Stub::AddEndpoint, request);
}

Answer<v1::RemoveEndpointResponse> ControlClient::remove_endpoint(
    const v1::RemoveEndpointRequest& request) {
    return stub_->call(&v1::Control::Stub::RemoveEndpoint, request);
}

Answer<v1::ListPoliciesResponse> ControlClient::list_policies(
    const v1::ListPoliciesRequest& request) {
    return stub_->call(&v1::Control::Stub::ListPolicies, request);
}

Answer<v1::PolicyDetails> ControlClient::show_policy(const v1::ShowPolicyRequest& request) {
    return stub_->call(&v1::Control::Stub::ShowPolicy, request);
}

Answer<v1::ExplainResponse> ControlClient::explain(const v1::ExplainRequest& request) {
    return stub_->call(&v1::Control::Stub::Explain, request);
}

Answer<v1::YieldResponse> ControlClient::yield() {
    return stub_->call(&v1::Control::Stub::Yield, v1::YieldRequest(), kYieldTimeout);
}

Answer<v1::ListServicesResponse> ControlClient::list_services(
    const v1::ListServicesRequest& request) {
    return stub_->call(&v1::Control::Stub::ListServices, request);
}

Answer<v1::TraceServiceResponse> ControlClient::trace_service(
    const v1::TraceServiceRequest& request) {
    return stub_->call(&v1::Control::Stub::TraceService, request);
}

Answer<v1::DiffResponse> ControlClient::diff(const v1::DiffRequest& request) {
    return stub_->call(&v1::Control::Stub::Diff, request, kPreviewTimeout);
}

Answer<v1::SuggestResponse> ControlClient::suggest(const v1::SuggestRequest& request) {
    return stub_->call(&v1::Control::Stub::Suggest, request, kPreviewTimeout);
}

std::expected<void, CallError> ControlClient::flows(
    const v1::FlowsRequest& request, const std::function<void(const v1::FlowsResponse&)>& take) {
    return stub_->flows(request, take);
}

} // namespace weir::cli
