// SPDX-License-Identifier: Apache-2.0
#include "agent/enforcer.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <filesystem>
#include <utility>

#include "agent/config.h"
#include "agent/endpoint/endpoint_file.h"
#include "agent/endpoint/interface_watch.h"
#include "agent/map_report.h"
#include "agent/reclaimer.h"
#include "agent/revision.h"

namespace weir {
namespace {

constexpr std::chrono::seconds kRetryAfter{2};

std::unexpected<Error> nothing_desired_yet() {
    return std::unexpected(Error{
        EAGAIN, "the desired state has not been read yet (`weir status` says why); try again"});
}

void warn(const Result<>& result) {
    if (!result) spdlog::warn("{}", result.error().what);
}

} // namespace

CompilerOptions compiler_options(const Config& config, const Limits& limits) {
    CompilerOptions options;
    options.limits = limits;
    const MeshNames mesh = mesh_names(config);
    options.root_namespace = mesh.root_namespace;
    options.trust_domain = mesh.trust_domain;
    return options;
}

LocalPod local_pod(const Endpoint& endpoint) {
    return {.slot = endpoint.slot,
            .pod = {Symbol(endpoint.ns), Symbol(endpoint.name)},
            .addresses = endpoint.link.addresses};
}

Result<std::unique_ptr<Enforcer>> Enforcer::open(boost::asio::io_context& context,
                                                 const Config& config) {
    auto dataplane = Dataplane::open(
        {.bpffs = config.bpffs,
         .sizes = sizes_for(config.map_memory),
         .services = config.has_services ? std::optional(ServiceSizes{}) : std::nullopt});
    if (!dataplane) return std::unexpected(std::move(dataplane.error()));
    if (const auto notice = kept_maps_notice(*dataplane); !notice.empty())
        spdlog::warn("{}", notice);
    std::unique_ptr<Enforcer> enforcer(new Enforcer(context, config, std::move(*dataplane)));
    if (auto restored = enforcer->restore(); !restored) {
        return std::unexpected(std::move(restored.error()));
    }
    return enforcer;
}

Enforcer::Enforcer(boost::asio::io_context& context, const Config& config, Dataplane dataplane)
    : context_(context),
      dataplane_(std::move(dataplane)),
      endpoints_(std::filesystem::path(config.run_dir) / kEndpointFile),
      compiler_(compiler_options(config, limits_of(dataplane_))),
      reclaimer_(std::make_unique<Reclaimer>(context)) {}

Enforcer::~Enforcer() = default;

void Enforcer::on_revision(std::function<void(const RevisionStatus&)> callback) {
    on_revision_ = std::move(callback);
}

void Enforcer::on_pod_trouble(OnPodTrouble callback) {
    on_pod_trouble_ = std::move(callback);
}

void Enforcer::pod_trouble(const Endpoint& endpoint, const char* reason, const std::string& what) {
    if (on_pod_trouble_) on_pod_trouble_(local_pod(endpoint).pod, reason, what);
}

Result<> Enforcer::restore() {
    // First the watch: an interface that goes while the endpoints are read is not missed.
    auto watch = InterfaceWatch::start(
        context_, {.on_gone = [this](std::uint32_t ifindex) { interface_gone(ifindex); },
                   .on_resync = [this](const auto& existing) { interfaces_left(existing); }});
    if (!watch) return std::unexpected(std::move(watch.error()));
    watch_ = std::move(*watch);
    auto notices = endpoints_.restore();
    if (!notices) return std::unexpected(std::move(notices.error()));
    for (const auto& notice : *notices)
        spdlog::warn("{}", notice);
    if (auto adopted = adopt(); !adopted) return adopted;
    for (const auto& [slot, endpoint] : endpoints_.all()) {
        if (auto written = dataplane_.write_pod(slot, endpoint.facts()); !written) return written;
        set_local(endpoint);
        unconnected_.push_back(slot);
    }
    return endpoints_.save();
}

// Takes over the maps, and frees what they hold for endpoints that are gone.
Result<> Enforcer::adopt() {
    if (!dataplane_.is_adopted()) return {};
    const auto raw = dataplane_.read_state();
    if (!raw) return std::unexpected(raw.error());
    const auto kernel = read_kernel_state(dataplane_);
    if (!kernel) return std::unexpected(kernel.error());
    compiler_.adopt(*kernel);
    status_.revision = raw->meta.revision;
    for (const auto& [ifindex, slot] : raw->endpoints) {
        const Endpoint* endpoint = endpoints_.find_slot(slot);
        if (endpoint != nullptr && endpoint->link.host_ifindex == ifindex) continue;
        warn(dataplane_.detach(ifindex));
        warn(dataplane_.unbind(ifindex));
    }
    for (const auto& used : raw->slots) {
        if (endpoints_.find_slot(used.slot) != nullptr) continue;
        endpoints_.reserve_slot(used.slot);
        compiler_.erase_local(used.slot);
        warn(dataplane_.free_slot(used.slot));
        reclaimer_->after_grace_period([this, slot = used.slot] { endpoints_.release_slot(slot); });
    }
    return {};
}

void Enforcer::apply(const Change& change) {
    has_desired_state_ = true;
    compiler_.apply(change);
    refresh_endpoints(change);
    enforce_soon();
}

// A pod whose object changed may have been given other addresses as well.
void Enforcer::refresh_endpoints(const Change& change) {
    for (const auto& object : change.upserts) {
        const auto pod = object.as<Pod>();
        if (pod == nullptr) continue;
        const auto* known = endpoints_.find(pod->name.ns.get(), pod->name.name.get());
        if (known == nullptr) continue;
        const auto before = known->link.addresses;
        const auto refreshed = endpoints_.refresh(known->slot);
        if (!refreshed || refreshed->endpoint.link.addresses == before) continue;
        warn(dataplane_.write_pod(refreshed->endpoint.slot, refreshed->endpoint.facts()));
        set_local(refreshed->endpoint);
        warn(endpoints_.save());
    }
}

void Enforcer::enforce_soon() {
    if (is_enforcing_soon_ || !has_desired_state_) return;
    is_enforcing_soon_ = true;
    boost::asio::post(context_, [this] {
        is_enforcing_soon_ = false;
        if (auto enforced = enforce(); !enforced) spdlog::error("{}", enforced.error().what);
    });
}

Result<> Enforcer::enforce() {
    if (!has_desired_state_) return nothing_desired_yet();
    const auto start = std::chrono::steady_clock::now();
    auto compiled = compiler_.compile();
    if (const auto* misfit = std::get_if<DoesNotFit>(&compiled)) {
        status_.does_not_fit = *misfit;
        return std::unexpected(Error{ENOSPC, misfit_text(*misfit)});
    }
    status_.does_not_fit.reset();
    const auto& transaction = std::get<Transaction>(compiled);
    if (auto written = write(transaction); !written) return written;
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    status_.compile_seconds = took.count();
    for (const auto slot : std::exchange(unconnected_, {})) {
        const auto* endpoint = endpoints_.find_slot(slot);
        if (endpoint == nullptr) continue;
        const auto connected = connect(*endpoint);
        warn(connected);
        if (!connected) pod_trouble(*endpoint, "NotAttached", connected.error().what);
    }
    if (on_revision_) on_revision_(status_);
    return {};
}

Result<> Enforcer::write(const Transaction& transaction) {
    const bool is_news = !transaction.is_empty() || !status_.is_in_force;
    const std::uint32_t revision = status_.revision + (is_news ? 1 : 0);
    if (auto written = write_revision(dataplane_, transaction, revision); !written) {
        status_.write_error = written.error().what;
        retry_later();
        return written;
    }
    const auto commit = compiler_.commit();
    status_.write_error.clear();
    status_.is_in_force = true;
    if (is_news) {
        status_.revision = revision;
        status_.since = std::chrono::system_clock::now();
    }
    if (!transaction.is_empty()) reclaim_after(commit);
    return {};
}

void Enforcer::reclaim_after(std::uint64_t commit) {
    reclaimer_->after_grace_period([this, commit] {
        const Garbage garbage = compiler_.take_garbage(commit);
        if (!garbage.is_empty()) warn(erase_garbage(dataplane_, garbage));
        compiler_.reclaim();
        if (status_.does_not_fit) enforce_soon(); // there is room now, perhaps
    });
}

void Enforcer::retry_later() {
    auto timer = std::make_shared<boost::asio::steady_timer>(context_, kRetryAfter);
    timer->async_wait([this, timer](const boost::system::error_code& error) {
        if (!error) enforce_soon();
    });
}

void Enforcer::set_local(const Endpoint& endpoint) {
    compiler_.set_local(local_pod(endpoint));
}

Result<> Enforcer::connect(const Endpoint& endpoint) {
    if (auto bound = dataplane_.bind(endpoint.link.host_ifindex, endpoint.slot); !bound) {
        return bound;
    }
    return dataplane_.attach(endpoint.link.host_ifindex);
}

void Enforcer::disconnect(const Endpoint& endpoint) {
    warn(dataplane_.detach(endpoint.link.host_ifindex));
    forget(endpoint);
}

void Enforcer::forget(const Endpoint& endpoint) {
    warn(dataplane_.unbind(endpoint.link.host_ifindex));
    compiler_.erase_local(endpoint.slot);
    warn(dataplane_.free_slot(endpoint.slot));
    reclaimer_->after_grace_period([this, slot = endpoint.slot] { endpoints_.release_slot(slot); });
}

void Enforcer::withdraw(const Endpoint& endpoint) {
    disconnect(endpoint);
    warn(endpoints_.save());
    enforce_soon();
}

Result<EndpointChange> Enforcer::add_endpoint(const EndpointSpec& spec) {
    if (!has_desired_state_) return nothing_desired_yet();
    auto change = endpoints_.add(spec);
    if (!change) return change;
    const Endpoint& endpoint = change->endpoint;
    const auto give_up = [&](const Error& error) -> Result<EndpointChange> {
        if (change->is_new) {
            endpoints_.remove(spec.ns, spec.name);
            withdraw(endpoint);
        }
        return std::unexpected(Error{error.code, "endpoint " + endpoint.pod() + ": " + error.what});
    };
    // What still runs behind the earlier interface is refused from here on: it is no pod any more.
    if (change->replaced) forget(*change->replaced);
    if (auto written = dataplane_.write_pod(endpoint.slot, endpoint.facts()); !written) {
        return give_up(written.error());
    }
    set_local(endpoint);
    if (auto enforced = enforce(); !enforced) return give_up(enforced.error());
    if (auto connected = connect(endpoint); !connected) return give_up(connected.error());
    if (auto saved = endpoints_.save(); !saved) return give_up(saved.error());
    for (const auto& notice : change->notices)
        spdlog::warn("{}", notice);
    return change;
}

Result<> Enforcer::mend_hooks() {
    if (!status_.is_in_force) return {}; // the first revision attaches them
    const auto attached = dataplane_.attached();
    if (!attached) return std::unexpected(attached.error());
    for (const auto& [slot, endpoint] : endpoints_.all()) {
        const auto ifindex = endpoint.link.host_ifindex;
        if (std::ranges::find(*attached, ifindex, &AttachedInterface::ifindex) != attached->end())
            continue;
        if (auto connected = connect(endpoint); !connected) {
            if (connected.error().code == ENODEV) continue; // gone with its pod
            pod_trouble(endpoint, "NotAttached", connected.error().what);
            return connected;
        }
        ++hooks_mended_;
        const auto what = fmt::format("somebody took the programs off {}; they are attached again",
                                      endpoint.link.host_name);
        spdlog::warn("endpoint {}: {}", endpoint.pod(), what);
        pod_trouble(endpoint, "ProgramsMended", what);
    }
    return {};
}

Result<bool> Enforcer::remove_endpoint(const std::string& ns, const std::string& name) {
    const auto endpoint = endpoints_.remove(ns, name);
    if (!endpoint) return false;
    withdraw(*endpoint);
    return true;
}

void Enforcer::interface_gone(std::uint32_t ifindex) {
    const auto endpoint = endpoints_.remove_interface(ifindex);
    if (!endpoint) return;
    spdlog::info("endpoint {}: its interface is gone, and so is the endpoint", endpoint->pod());
    withdraw(*endpoint);
}

void Enforcer::interfaces_left(const std::set<std::uint32_t>& existing) {
    std::vector<std::uint32_t> gone;
    for (const auto& [slot, endpoint] : endpoints_.all()) {
        if (!existing.contains(endpoint.link.host_ifindex))
            gone.push_back(endpoint.link.host_ifindex);
    }
    for (const auto ifindex : gone)
        interface_gone(ifindex);
}

} // namespace weir
