// SPDX-License-Identifier: Apache-2.0
#include "agent/control/server.h"

#include <fmt/format.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/resource_quota.h>
#include <malloc.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <chrono>
#include <filesystem>
#include <future>
#include <mutex>
#include <thread>

#include "agent/config.h"
#include "agent/control/answers.h"
#include "agent/control/diff.h"
#include "agent/control/messages.h"
#include "agent/control/suggest.h"
#include "agent/control/weir.grpc.pb.h"
#include "agent/flow/flow_store.h"
#include "agent/inventory.h"

namespace weir {
namespace {

constexpr int kMaxThreads = 24;     // each stream has one for as long as it lasts
constexpr int kMaxStreams = 16;     // so that questions are answered beside them
constexpr std::size_t kChunk = 512; // records read at once, so that nothing else waits long
constexpr std::size_t kStreamQueue = 4096;
constexpr std::chrono::milliseconds kPatience{200};
constexpr int kMaxRequestBytes = 64 << 20; // manifests to preview
constexpr int kPreviewNice = 10;

grpc::Status refuse(const Refusal& refusal) {
    switch (refusal.code) {
        case Refusal::Code::kInvalidArgument:
            return {grpc::StatusCode::INVALID_ARGUMENT, refusal.message};
        case Refusal::Code::kNotFound:
            return {grpc::StatusCode::NOT_FOUND, refusal.message};
        case Refusal::Code::kFailedPrecondition:
            return {grpc::StatusCode::FAILED_PRECONDITION, refusal.message};
        case Refusal::Code::kResourceExhausted:
            return {grpc::StatusCode::RESOURCE_EXHAUSTED, refusal.message};
        case Refusal::Code::kUnavailable:
            return {grpc::StatusCode::UNAVAILABLE, refusal.message};
        case Refusal::Code::kInternal:
            break;
    }
    return {grpc::StatusCode::INTERNAL, refusal.message};
}

grpc::Status stopping() {
    return {grpc::StatusCode::UNAVAILABLE, "the agent is stopping"};
}

} // namespace

class ControlServer::Service final : public v1::Control::Service {
public:
    Service(boost::asio::io_context& context, const ControlContext& control)
        : context_(context), control_(control) {}

    void stop() { is_stopping_ = true; }

    grpc::Status Status(grpc::ServerContext* call, const v1::StatusRequest*,
                        v1::StatusResponse* response) override {
        return answer(call, response,
                      [this] { return Reply<v1::StatusResponse>(weir::status_of(control_)); });
    }

    grpc::Status ListEndpoints(grpc::ServerContext* call, const v1::ListEndpointsRequest*,
                               v1::ListEndpointsResponse* response) override {
        return answer(call, response, [this] {
            return Reply<v1::ListEndpointsResponse>(list_endpoints(control_));
        });
    }

    grpc::Status AddEndpoint(grpc::ServerContext* call, const v1::AddEndpointRequest* request,
                             v1::Endpoint* response) override {
        return answer(call, response,
                      [this, asked = *request] { return add_endpoint(control_, asked); });
    }

    grpc::Status RemoveEndpoint(grpc::ServerContext* call, const v1::RemoveEndpointRequest* request,
                                v1::RemoveEndpointResponse* response) override {
        return answer(call, response,
                      [this, asked = *request] { return remove_endpoint(control_, asked); });
    }

    grpc::Status ListPolicies(grpc::ServerContext* call, const v1::ListPoliciesRequest* request,
                              v1::ListPoliciesResponse* response) override {
        return answer(call, response, [this, asked = *request] {
            return Reply<v1::ListPoliciesResponse>(list_policies(control_, asked));
        });
    }

    grpc::Status ShowPolicy(grpc::ServerContext* call, const v1::ShowPolicyRequest* request,
                            v1::PolicyDetails* response) override {
        return answer(call, response,
                      [this, asked = *request] { return show_policy(control_, asked); });
    }

    grpc::Status Explain(grpc::ServerContext* call, const v1::ExplainRequest* request,
                         v1::ExplainResponse* response) override {
        return answer(call, response,
                      [this, asked = *request] { return explain(control_, asked); });
    }

    grpc::Status ListServices(grpc::ServerContext* call, const v1::ListServicesRequest* request,
                              v1::ListServicesResponse* response) override {
        return answer(call, response,
                      [this, asked = *request] { return list_services(control_, asked); });
    }

    grpc::Status TraceService(grpc::ServerContext* call, const v1::TraceServiceRequest* request,
                              v1::TraceServiceResponse* response) override {
        return answer(call, response,
                      [this, asked = *request] { return trace_service(control_, asked); });
    }

    grpc::Status Flows(grpc::ServerContext* call, const v1::FlowsRequest* request,
                       grpc::ServerWriter<v1::FlowsResponse>* writer) override {
        const auto filter = filter_of(request->filter());
        if (!filter) return {grpc::StatusCode::INVALID_ARGUMENT, filter.error()};
        const StreamCount count(streams_);
        if (count.is_too_many()) {
            return {
                grpc::StatusCode::RESOURCE_EXHAUSTED,
                fmt::format("{} readers follow the flows already: end one of them", kMaxStreams)};
        }
        return stream(call, *request, *filter, writer);
    }

    grpc::Status Diff(grpc::ServerContext* call, const v1::DiffRequest* request,
                      v1::DiffResponse* response) override {
        return preview(call, response, [this, request](const PreviewInput& input) {
            return diff(input.objects, input.flows, *request, mesh_names(control_.config));
        });
    }

    grpc::Status Suggest(grpc::ServerContext* call, const v1::SuggestRequest* request,
                         v1::SuggestResponse* response) override {
        return preview(call, response, [this, request](const PreviewInput& input) {
            return suggest(input.objects, input.flows,
                           {.ns = request->namespace_(),
                            .node = control_.config.node_name,
                            .include_denied = request->include_denied(),
                            .mesh = mesh_names(control_.config)});
        });
    }

    grpc::Status Yield(grpc::ServerContext* call, const v1::YieldRequest*,
                       v1::YieldResponse* response) override {
        return answer(call, response, [this] {
            control_.yield();
            return Reply<v1::YieldResponse>();
        });
    }

private:
    struct PreviewInput {
        std::vector<SharedObject> objects;
        std::vector<SeenFlow> flows;
    };

    // Computes an answer that takes long from a copy of the agent's state, one at a time, on a
    // thread that yields to the agent's own.
    template <typename Response, typename Function>
    grpc::Status preview(grpc::ServerContext* call, Response* response, Function&& function) {
        const std::unique_lock turn(preview_, std::try_to_lock);
        if (!turn) {
            return {grpc::StatusCode::RESOURCE_EXHAUSTED,
                    "another preview is being worked on: ask again when it is done"};
        }
        const auto input = preview_input(call);
        if (!input) return stopping();
        Result<Response> answer;
        std::thread worker([&] {
            ::setpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()), kPreviewNice);
            answer = function(*input);
            ::malloc_trim(0);
        });
        worker.join();
        if (!answer) return {grpc::StatusCode::INTERNAL, answer.error().what};
        *response = std::move(*answer);
        return grpc::Status::OK;
    }

    std::optional<PreviewInput> preview_input(grpc::ServerContext* call) {
        PreviewInput input;
        auto start = on_loop(
            call, [this] { return std::pair(control_.inventory.objects(), control_.flows.end()); });
        if (!start) return {};
        input.objects = std::move(start->first);
        FlowSummary summary;
        for (std::uint64_t cursor = 0; cursor < start->second;) {
            const std::size_t most = std::min<std::uint64_t>(kChunk, start->second - cursor);
            auto chunk = on_loop(call, [this, cursor, most] {
                std::uint64_t next = cursor;
                auto flows = control_.flows.read({}, next, most);
                return std::pair(std::move(flows), next);
            });
            if (!chunk) return {};
            cursor = chunk->second;
            for (const auto& flow : chunk->first)
                summary.add(flow);
        }
        input.flows = summary.take();
        return input;
    }

    // Counts a stream for as long as it lives.
    class StreamCount {
    public:
        explicit StreamCount(std::atomic<int>& count) : count_(count), position_(++count_) {}
        ~StreamCount() { --count_; }
        StreamCount(const StreamCount&) = delete;
        StreamCount& operator=(const StreamCount&) = delete;
        bool is_too_many() const { return position_ > kMaxStreams; }

    private:
        std::atomic<int>& count_;
        int position_;
    };

    // Runs the function on the io_context's thread. Nothing when the caller's time is up, or the
    // agent stops, before it has run; it may still run then.
    template <typename Function>
    auto on_loop(grpc::ServerContext* call, Function function)
        -> std::optional<decltype(function())> {
        using Value = decltype(function());
        auto promise = std::make_shared<std::promise<Value>>();
        auto future = promise->get_future();
        boost::asio::post(context_, [promise, function = std::move(function)]() mutable {
            promise->set_value(function());
        });
        while (future.wait_for(kPatience) != std::future_status::ready) {
            if (call->IsCancelled() || is_stopping_) return std::nullopt;
        }
        return future.get();
    }

    template <typename Response, typename Function>
    grpc::Status answer(grpc::ServerContext* call, Response* response, Function function) {
        auto reply = on_loop(call, std::move(function));
        if (!reply) return stopping();
        if (!*reply) return refuse(reply->error());
        *response = std::move(**reply);
        return grpc::Status::OK;
    }

    grpc::Status stream(grpc::ServerContext* call, const v1::FlowsRequest& request,
                        const FlowFilter& filter, grpc::ServerWriter<v1::FlowsResponse>* writer) {
        struct Start {
            std::uint64_t cursor = 0;
            std::uint64_t end = 0;
            std::shared_ptr<FlowSubscription> subscription;
        };
        // Subscribed and measured in one step, so that nothing is missed or told twice.
        const auto start =
            on_loop(call, [this, filter, last = request.last(), follow = request.follow()] {
                Start begin;
                begin.end = control_.flows.end();
                if (last != 0) begin.cursor = control_.flows.find_last(filter, last);
                if (follow) begin.subscription = control_.flows.subscribe(filter, kStreamQueue);
                return begin;
            });
        if (!start) return stopping();
        if (!send_past(call, filter, start->cursor, start->end, writer)) return stopping();
        return start->subscription ? send_live(call, *start->subscription, writer)
                                   : grpc::Status::OK;
    }

    bool send_past(grpc::ServerContext* call, const FlowFilter& filter, std::uint64_t cursor,
                   std::uint64_t end, grpc::ServerWriter<v1::FlowsResponse>* writer) {
        while (cursor < end) {
            const std::size_t most = std::min<std::uint64_t>(kChunk, end - cursor);
            auto chunk = on_loop(call, [this, filter, cursor, most] {
                std::uint64_t next = cursor;
                auto flows = control_.flows.read(filter, next, most);
                return std::pair(std::move(flows), next);
            });
            if (!chunk) return false;
            cursor = chunk->second;
            for (const auto& flow : chunk->first) {
                if (!send(flow, writer)) return false;
            }
        }
        return true;
    }

    grpc::Status send_live(grpc::ServerContext* call, FlowSubscription& subscription,
                           grpc::ServerWriter<v1::FlowsResponse>* writer) {
        while (!call->IsCancelled() && !is_stopping_) {
            const auto batch = subscription.take(kPatience);
            for (const auto& flow : batch.flows) {
                if (!send(flow, writer)) return grpc::Status::OK; // the reader hung up
            }
            if (batch.lost == 0) continue;
            v1::FlowsResponse response;
            response.set_lost(batch.lost);
            if (!writer->Write(response)) return grpc::Status::OK;
        }
        return is_stopping_ ? stopping() : grpc::Status::OK;
    }

    static bool send(const FlowRecord& flow, grpc::ServerWriter<v1::FlowsResponse>* writer) {
        v1::FlowsResponse response;
        *response.mutable_flow() = flow_message(flow);
        return writer->Write(response);
    }

    boost::asio::io_context& context_;
    ControlContext control_;
    std::atomic<bool> is_stopping_ = false;
    std::atomic<int> streams_ = 0;
    std::mutex preview_;
};

struct ControlServer::Listener {
    std::unique_ptr<grpc::Server> server;
};

ControlServer::ControlServer() = default;

Result<std::unique_ptr<ControlServer>> ControlServer::start(boost::asio::io_context& context,
                                                            const ControlContext& control) {
    const std::string path = control.config.run_dir + "/weir.sock";
    if (path.size() >= sizeof(sockaddr_un::sun_path)) {
        return failure(
            fmt::format("socket {}: the path is longer than {} bytes; choose a shorter "
                        "--run-dir",
                        path, sizeof(sockaddr_un::sun_path) - 1));
    }
    std::error_code ignored; // an earlier agent's; the lock says that it is gone
    std::filesystem::remove(path, ignored);

    std::unique_ptr<ControlServer> control_server(new ControlServer());
    control_server->service_ = std::make_unique<Service>(context, control);
    grpc::ResourceQuota quota("control");
    quota.SetMaxThreads(kMaxThreads);
    quota.Resize((std::size_t{16} << 20) + kMaxRequestBytes);
    grpc::ServerBuilder builder;
    builder.SetMaxReceiveMessageSize(kMaxRequestBytes);
    builder.SetResourceQuota(quota);
    builder.SetSyncServerOption(grpc::ServerBuilder::SyncServerOption::NUM_CQS, 1);
    builder.SetSyncServerOption(grpc::ServerBuilder::SyncServerOption::MIN_POLLERS, 1);
    builder.SetSyncServerOption(grpc::ServerBuilder::SyncServerOption::MAX_POLLERS, 2);
    int bound = 0;
    builder.AddListeningPort("unix:" + path, grpc::InsecureServerCredentials(), &bound);
    builder.RegisterService(control_server->service_.get());
    // Nobody else may connect, not even between bind and chmod.
    const mode_t previous = ::umask(0177);
    auto server = builder.BuildAndStart();
    ::umask(previous);
    if (server == nullptr || bound == 0) return failure("cannot listen on " + path);
    control_server->listener_ = std::make_unique<Listener>(Listener{std::move(server)});
    return control_server;
}

ControlServer::~ControlServer() {
    if (service_) service_->stop();
    if (!listener_) return;
    listener_->server->Shutdown(std::chrono::system_clock::now() + std::chrono::seconds(1));
    listener_->server->Wait();
}

} // namespace weir
