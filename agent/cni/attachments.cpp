// SPDX-License-Identifier: Apache-2.0
#include "agent/cni/attachments.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <filesystem>
#include <vector>

#include "agent/enforcer.h"
#include "agent/inventory.h"
#include "agent/kube/uid.h"

namespace weir {
namespace {

using Clock = std::chrono::steady_clock;

// The watch nearly always has the pod before the kubelet starts it; else it is asked for.
constexpr std::chrono::milliseconds kLookAfter{200};
constexpr std::chrono::milliseconds kLookAgain{2000};

std::unexpected<CniError> fail(std::uint32_t code, std::string message, std::string details = {}) {
    return std::unexpected(CniError{code, std::move(message), std::move(details)});
}

EndpointSpec spec_of(const CniRequest& request) {
    EndpointSpec spec{.ns = request.pod_namespace,
                      .name = request.pod_name,
                      .netns = request.netns,
                      .interface = request.attachment.interface,
                      .container = request.attachment.container,
                      .network = request.network};
    for (const auto& text : request.addresses)
        if (const auto address = Address::parse(text)) spec.assigned.push_back(*address);
    return spec;
}

ObjectName pod_of(const CniRequest& request) {
    return {Symbol(request.pod_namespace), Symbol(request.pod_name)};
}

bool is_of(const Endpoint& endpoint, const CniAttachment& attachment) {
    return endpoint.container == attachment.container && endpoint.interface == attachment.interface;
}

} // namespace

// An ADD that has its endpoint and waits for the pod's object.
struct Attachments::Waiting {
    Waiting(boost::asio::io_context& context, CniRequest asked, Done callback)
        : request(std::move(asked)),
          done(std::move(callback)),
          timer(context),
          deadline(Clock::now() + std::chrono::milliseconds(request.timeout_ms)) {}

    CniRequest request;
    Done done;
    boost::asio::steady_timer timer;
    Clock::time_point deadline;
};

Attachments::Attachments(boost::asio::io_context& context, Enforcer& enforcer,
                         const Inventory& inventory, LookFor look_for)
    : context_(context),
      enforcer_(enforcer),
      inventory_(inventory),
      look_for_(std::move(look_for)) {
    for (const char* command : {"ADD", "DEL", "CHECK", "STATUS", "GC"})
        for (const bool is_done : {false, true})
            counts_[{command, is_done}] = 0;
}

Attachments::~Attachments() = default;

void Attachments::handle(const CniRequest& request, Done done) {
    const auto counted = [this, command = request.command,
                          done = std::move(done)](const CniReply& reply) {
        const auto count = counts_.find({command, reply.has_value()});
        if (count != counts_.end()) ++count->second;
        if (!reply) spdlog::warn("CNI {}: {}", command, reply.error().message);
        done(reply);
    };
    if (request.command == "ADD") return add(request, counted);
    counted(answer(request));
}

CniReply Attachments::answer(const CniRequest& request) {
    if (request.command == "DEL") return del(request.attachment);
    if (request.command == "CHECK") return check(request);
    if (request.command == "STATUS") return status();
    if (request.command == "GC") return collect_garbage(request);
    return fail(kCniInvalidEnvironment, "the agent does not know the command " + request.command,
                "install the weir-cni that belongs to it: weir install");
}

void Attachments::adopt(const std::vector<CniRequest>& pods) {
    for (const CniRequest& pod : pods) {
        const EndpointSpec spec = spec_of(pod);
        if (!std::filesystem::exists(spec.netns)) continue; // the runtime forgot a file
        const Endpoint* known = enforcer_.endpoints().find(spec.ns, spec.name);
        if (known != nullptr) continue;
        const auto change = enforcer_.add_endpoint(spec);
        if (!change) {
            spdlog::warn("a pod that ran before cannot be protected: {}", change.error().what);
            continue;
        }
        spdlog::info("endpoint {}: ran before and is protected now", spec.pod());
    }
}

void Attachments::add(const CniRequest& request, Done done) {
    // NetworkPolicy is for the cluster's interface, the first of the sandbox.
    const Endpoint* known = enforcer_.endpoints().find_container(request.attachment.container);
    if (known != nullptr && known->interface != request.attachment.interface) {
        spdlog::info("endpoint {}: its policy is at {}; {} is another network's", known->pod(),
                     known->interface, request.attachment.interface);
        return done({});
    }
    if (const auto ready = status(); !ready) {
        return done(fail(kCniTryAgainLater, ready.error().message, ready.error().details));
    }
    const auto change = enforcer_.add_endpoint(spec_of(request));
    if (!change) return done(fail(kCniTryAgainLater, change.error().what));
    const auto is_earlier = [&](const CniRequest& other) {
        return other.pod_name == request.pod_name && other.pod_namespace == request.pod_namespace;
    };
    finish_if(is_earlier, fail(kCniTryAgainLater, "the pod has a newer sandbox"));
    if (is_known(request)) return done({});
    wait(request, std::move(done));
}

void Attachments::wait(const CniRequest& request, Done done) {
    const auto waiting = std::make_shared<Waiting>(context_, request, std::move(done));
    waiting_.push_back(waiting);
    wait_on(waiting, kLookAfter);
}

void Attachments::wait_on(const std::shared_ptr<Waiting>& waiting,
                          std::chrono::milliseconds pause) {
    waiting->timer.expires_at(std::min(waiting->deadline, Clock::now() + pause));
    waiting->timer.async_wait([this, weak = std::weak_ptr(waiting)](const auto& error) {
        const auto late = weak.lock(); // none: it was answered at the last moment
        if (error || !late) return;
        if (Clock::now() >= late->deadline) return expire(late);
        look_for_(pod_of(late->request));
        wait_on(late, kLookAgain);
    });
}

void Attachments::expire(const std::shared_ptr<Waiting>& waiting) {
    const CniRequest& request = waiting->request;
    const Endpoint* endpoint = enforcer_.endpoints().find_container(request.attachment.container);
    if (endpoint != nullptr) (void)remove(*endpoint);
    const std::string uid = request.pod_uid.empty() ? "" : " (uid " + request.pod_uid + ")";
    finish(waiting,
           fail(kCniTryAgainLater,
                fmt::format("pod {}/{}{} is not known after {:.3g} s", request.pod_namespace,
                            request.pod_name, uid, request.timeout_ms / 1000.0),
                "the agent has not got its object from the API server or the manifests; see "
                "`weir status`"));
}

void Attachments::finish(std::shared_ptr<Waiting> waiting, const CniReply& reply) {
    waiting_.remove(waiting);
    waiting->done(reply);
}

template <typename Condition>
void Attachments::finish_if(Condition&& condition, const CniReply& reply) {
    const WaitingList all = waiting_;
    for (const auto& waiting : all)
        if (condition(waiting->request)) finish(waiting, reply);
}

bool Attachments::is_known(const CniRequest& request) const {
    const Pod* pod = inventory_.pod(pod_of(request));
    if (pod == nullptr) return false;
    const std::array<std::uint8_t, 16> any{};
    const auto uid = parse_uid(request.pod_uid);
    return pod->uid == uid || pod->uid == any || uid == any;
}

void Attachments::revision_in_force() {
    finish_if([this](const CniRequest& request) { return is_known(request); }, {});
}

CniReply Attachments::del(const CniAttachment& attachment) {
    finish_if([&](const CniRequest& request) { return request.attachment == attachment; },
              fail(kCniTryAgainLater, "the sandbox was deleted meanwhile"));
    const Endpoint* endpoint = enforcer_.endpoints().find_container(attachment.container);
    if (endpoint == nullptr || !is_of(*endpoint, attachment)) return {};
    return remove(*endpoint);
}

CniReply Attachments::remove(const Endpoint& endpoint) {
    const auto removed = enforcer_.remove_endpoint(endpoint.ns, endpoint.name);
    if (removed) return {};
    return fail(kCniTryAgainLater, removed.error().what);
}

CniReply Attachments::check(const CniRequest& request) {
    const std::string pod = request.pod_namespace + "/" + request.pod_name;
    const Endpoint* endpoint = enforcer_.endpoints().find_container(request.attachment.container);
    if (endpoint == nullptr) {
        return fail(kCniNotProtected, "pod " + pod + " is no endpoint of the agent",
                    "delete the pod, so that it is made anew with its policy");
    }
    if (endpoint->interface != request.attachment.interface) return {}; // another network's
    const auto interface = read_pod_interface(request.netns, request.attachment.interface);
    if (!interface) return fail(kCniNotProtected, interface.error().what);
    const auto attached = enforcer_.dataplane().attached();
    if (!attached) return fail(kCniTryAgainLater, attached.error().what);
    const auto is_it = [&](const AttachedInterface& other) {
        return other.ifindex == interface->host_ifindex;
    };
    if (interface->host_ifindex != endpoint->link.host_ifindex ||
        std::ranges::none_of(*attached, is_it)) {
        return fail(kCniNotProtected,
                    fmt::format("pod {}: Weir's programs are not attached to {}", pod,
                                interface->host_name),
                    "the agent mends that within seconds unless somebody keeps removing them");
    }
    if (is_known(request)) return {};
    return fail(kCniTryAgainLater, "pod " + pod + " is closed: its object is not known");
}

CniReply Attachments::status() const {
    const RevisionStatus& revision = enforcer_.revision();
    if (!revision.is_in_force) {
        return fail(kCniNotAvailable, "the Weir agent has no revision of the policies in force yet",
                    "it waits for its source of objects; see `weir status`");
    }
    if (revision.does_not_fit || !revision.write_error.empty()) {
        return fail(kCniLimited, "the newest policies are not in force: earlier ones are",
                    "see `weir status`");
    }
    return {};
}

CniReply Attachments::collect_garbage(const CniRequest& request) {
    std::vector<std::pair<std::string, std::string>> gone;
    for (const auto& [_, endpoint] : enforcer_.endpoints().all()) {
        const auto is_it = [&](const CniAttachment& valid) { return is_of(endpoint, valid); };
        if (endpoint.container.empty() || endpoint.network != request.network) continue;
        if (std::ranges::none_of(request.valid, is_it))
            gone.emplace_back(endpoint.ns, endpoint.name);
    }
    for (const auto& [ns, name] : gone) {
        spdlog::info("endpoint {}/{}: the runtime does not know its sandbox any more", ns, name);
        if (const auto removed = enforcer_.remove_endpoint(ns, name); !removed) {
            return fail(kCniTryAgainLater, removed.error().what);
        }
    }
    return {};
}

} // namespace weir
