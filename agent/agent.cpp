// SPDX-License-Identifier: Apache-2.0
#include "agent/agent.h"

#include <malloc.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <csignal>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "agent/cni/attachments.h"
#include "agent/cni/cached_results.h"
#include "agent/cni/installer.h"
#include "agent/cni/server.h"
#include "agent/config.h"
#include "agent/control/readiness.h"
#include "agent/control/server.h"
#include "agent/enforcer.h"
#include "agent/flow/flow_feed.h"
#include "agent/flow/flow_store.h"
#include "agent/hook_watch.h"
#include "agent/http/admin_server.h"
#include "agent/http/metrics.h"
#include "agent/inventory.h"
#include "agent/kube/api/api_source.h"
#include "agent/kube/api/installation.h"
#include "agent/kube/api/kubeconfig.h"
#include "agent/kube/kind.h"
#include "agent/kube/manifest_source.h"
#include "agent/rehearsal.h"
#include "agent/removal.h"
#include "agent/report/reporter.h"
#include "agent/run_lock.h"
#include "agent/service/services.h"
#include "agent/succession.h"

namespace weir {
namespace {

constexpr std::chrono::seconds kQuiet{2};
constexpr std::chrono::seconds kUninstallPatience{5};

CniPlaces cni_places(const Config& config) {
    return {.conf_dir = config.cni_conf_dir,
            .bin_dir = config.cni_bin_dir,
            .program = default_cni_program(),
            .socket = config.run_dir + "/cni.sock"};
}
constexpr std::chrono::seconds kRebind{1};
constexpr std::chrono::seconds kRehearseAgain{5};

void log_problem(const Problem& problem) {
    const std::string text = to_string(problem);
    switch (problem.severity) {
        case Severity::kNotice:
            return spdlog::info("{}", text);
        case Severity::kWarning:
            return spdlog::warn("{}", text);
        case Severity::kError:
            return spdlog::error("{}", text);
    }
}

// Members are in the order of start; they stop in the reverse one.
class Agent {
public:
    explicit Agent(const Config& config)
        : config_(config),
          inventory_(config.node_name),
          flows_(config.flow_memory),
          installer_(context_, cni_places(config)) {}

    // Enforces from here on, or waits for its turn.
    Result<> start() {
        if (auto served = serve_admin_socket(); !served) return served;
        if (config_.stands_by) return wait_for_turn();
        auto lock = RunLock::take(config_.run_dir, config_.bpffs);
        if (lock) return begin(std::move(*lock));
        if (lock.error().code == EWOULDBLOCK && config_.takes_over) return wait_for_turn();
        return std::unexpected(std::move(lock.error()));
    }

    // Until it is told to end, or another agent's turn comes. Fails when its own turn cannot begin.
    Result<> run() {
        boost::asio::signal_set signals(context_, SIGTERM, SIGINT);
        signals.async_wait([this](const boost::system::error_code&, int) { leave(); });
        context_.run();
        if (is_to_be_taken_off()) return take_off();
        if (begun_ && !has_yielded_) spdlog::info("stopping; policy stays in force");
        control_server_.reset();
        return std::move(failure_);
    }

    // Not when it was told to end besides: a standby would wait to be killed, and enforce again
    // what its successor has just taken off.
    bool is_to_stand_by() const { return has_yielded_ && !is_told_to_end_; }

private:
    // Whoever uninstalls Weir deletes all of it at once: the news of that may come after the
    // signal.
    void leave() {
        is_told_to_end_ = true;
        if (!installation_ || !begun_) return context_.stop();
        installation_->expect_removal(kUninstallPatience, [this] { context_.stop(); });
    }

    // By the agent that enforces: another one goes on otherwise.
    bool is_to_be_taken_off() const {
        return begun_ && !has_yielded_ && installation_ && installation_->is_removed();
    }

    // New pods first: one that starts from here on starts without Weir.
    Result<> take_off() {
        const auto unchained = config_.cni_conf_dir.empty()
                                   ? Result<std::vector<std::filesystem::path>>()
                                   : uninstall_cni(cni_places(config_));
        cni_server_.reset();
        control_server_.reset();
        const auto removed = remove_from_node(config_.run_dir, config_.bpffs);
        if (unchained && removed) {
            spdlog::info("stopping; Weir is off this node: {} interfaces, {} pins",
                         removed->interfaces, removed->pins);
            return {};
        }
        spdlog::error(
            "stopping; Weir is not off this node: {}: run `weir uninstall` and `weir cleanup` on "
            "it",
            unchained ? removed.error().what : unchained.error().what);
        return {};
    }

    Result<> wait_for_turn() {
        if (auto followed = follow_source(); !followed) return followed;
        succession_ = std::make_unique<Succession>(
            context_, config_,
            Succession::Handlers{.is_prepared = [this] { return prepare(); },
                                 .on_turn =
                                     [this](RunLock lock) {
                                         failure_ = begin(std::move(lock));
                                         if (!failure_) context_.stop();
                                     }});
        return {};
    }

    // The whole state is read and would be in force at once.
    Result<> prepare() {
        if (!has_state_) return failure("waiting for " + source_->status().waiting_for);
        const auto now = std::chrono::steady_clock::now();
        if (rehearsed_ || now < next_rehearsal_) return rehearsed_;
        next_rehearsal_ = now + kRehearseAgain;
        rehearsed_ = rehearse(config_, inventory_);
        give_back_memory();
        return rehearsed_;
    }

    Result<> begin(RunLock lock) {
        lock_ = std::move(lock);
        if (auto opened = open_kernel(); !opened) return opened;
        if (source_ == nullptr) {
            if (auto followed = follow_source(); !followed) return followed;
        } else if (has_state_) {
            enforcer_->apply({.upserts = inventory_.objects(), .erasures = {}});
            apply_to_services();
        }
        return serve();
    }

    Result<> open_kernel() {
        auto enforcer = Enforcer::open(context_, config_);
        if (!enforcer) return std::unexpected(std::move(enforcer.error()));
        enforcer_ = std::move(*enforcer);
        auto feed = FlowFeed::start(context_, *enforcer_, inventory_, flows_);
        if (!feed) return std::unexpected(std::move(feed.error()));
        feed_ = std::move(*feed);
        if (auto opened = open_services(); !opened) return opened;
        return lock_->take_bpffs(config_.bpffs);
    }

    // Without them, an earlier agent's would go on with what was true then.
    Result<> open_services() {
        if (!config_.has_services) return Services::take_off(config_.bpffs);
        auto services = Services::open(context_, config_, [this] {
            std::vector<std::string> paths;
            for (const auto& [slot, endpoint] : enforcer_->endpoints().all())
                paths.push_back(endpoint.netns);
            return paths;
        });
        if (!services) return std::unexpected(std::move(services.error()));
        services_ = std::move(*services);
        return {};
    }

    void apply(const Change& change) {
        const bool is_first = !std::exchange(has_state_, true);
        inventory_.apply(change);
        if (services_) {
            services_->apply(change);
        } else if (config_.has_services) {
            keep_for_turn(change);
        }
        // What is for services alone makes no revision of policy.
        const bool is_for_policy =
            change.has_kind([](Kind kind) { return !is_service_kind(kind); });
        if (enforcer_ && (is_first || is_for_policy)) enforcer_->apply(change);
    }

    // The inventory is about policy: what services need beyond it waits here.
    void keep_for_turn(const Change& change) {
        for (const auto& object : change.upserts)
            early_objects_.insert_or_assign(to_string(key_of(object)), object);
        for (const auto& key : change.erasures)
            early_objects_.erase(to_string(key));
    }

    void apply_to_services() {
        if (!services_) return;
        Change change;
        for (auto& [name, object] : early_objects_)
            change.upserts.push_back(object);
        early_objects_.clear();
        services_->apply(change);
    }

    Result<> follow_source() {
        const auto on_change = [this](const Change& change) { apply(change); };
        if (config_.manifests.empty()) {
            const auto access = [this] {
                return config_.kubeconfig.empty()
                           ? in_cluster_access(config_.api_servers)
                           : read_kubeconfig(config_.kubeconfig, config_.context);
            };
            auto api = std::make_unique<ApiSource>(
                context_, access, watched_kinds(config_.has_services), on_change, log_problem);
            api_ = {access, api.get()};
            source_ = std::move(api);
            follow_installation(access);
        } else {
            const ManifestOptions options{.directory = config_.manifests,
                                          .state_directory = config_.run_dir + "/manifests"};
            source_ = std::make_unique<ManifestSource>(context_, options, on_change, log_problem);
        }
        return source_->start();
    }

    void follow_installation(const AccessProvider& access) {
        if (config_.installation.empty()) return;
        const auto slash = config_.installation.find('/');
        installation_ =
            std::make_unique<Installation>(context_, access, config_.installation.substr(0, slash),
                                           config_.installation.substr(slash + 1));
    }

    void start_reporting() {
        if (api_.source == nullptr || (!config_.has_events && !config_.has_status)) return;
        reporter_ = std::make_unique<Reporter>(context_, api_.access, config_,
                                               Reporter::Sources{.api = *api_.source,
                                                                 .inventory = inventory_,
                                                                 .enforcer = *enforcer_,
                                                                 .services = services_.get()});
        enforcer_->on_pod_trouble(
            [this](const ObjectName& pod, const char* reason, const std::string& what) {
                reporter_->pod_event(pod, reason, what);
            });
    }

    // The first revision comes into force here, or when the source has been read. If it does not
    // fit, an earlier agent's stays, and whoever asks is told.
    Result<> serve() {
        start_reporting();
        attachments_ = std::make_unique<Attachments>(
            context_, *enforcer_, inventory_,
            [this](const ObjectName& pod) { source_->look_for_pod(pod); });
        const ControlContext& control =
            begun_.emplace(ControlContext{.config = config_,
                                          .enforcer = *enforcer_,
                                          .inventory = inventory_,
                                          .flows = flows_,
                                          .source = *source_,
                                          .attachments = *attachments_,
                                          .installer = installer_,
                                          .services = services_.get(),
                                          .yield = [this] { yield(); },
                                          .started = std::chrono::system_clock::now()});
        metrics_ = std::make_unique<Metrics>(control, reporter_.get());
        enforcer_->on_revision([this](const RevisionStatus& revision) {
            announce_first(revision);
            metrics_->observe_compile(revision.compile_seconds);
            feed_->forget_rules();
            attachments_->revision_in_force();
            give_back_memory();
        });
        if (auto listening = start_http(); !listening) return listening;
        if (source_->status().has_synced) {
            if (auto enforced = enforcer_->enforce(); !enforced) {
                spdlog::error("{}", enforced.error().what);
            }
        } else {
            spdlog::info("node {}: {}", config_.node_name, readiness_text(control));
        }
        auto server = ControlServer::start(context_, control);
        if (!server) return std::unexpected(std::move(server.error()));
        control_server_ = std::move(*server);
        return serve_cni();
    }

    void announce_first(const RevisionStatus& revision) {
        if (std::exchange(is_announced_, true)) return;
        spdlog::info("node {}: revision {} in force, {} endpoints", config_.node_name,
                     revision.revision, enforcer_->endpoints().all().size());
        if (config_.cni_cache_dir.empty()) return;
        // Pods that were here before the agent, now that their objects are known; not within the
        // revision, because each makes one.
        boost::asio::post(
            context_, [this] { attachments_->adopt(read_cached_results(config_.cni_cache_dir)); });
    }

    Result<> serve_cni() {
        hook_watch_ = std::make_unique<HookWatch>(context_, *enforcer_);
        auto server = CniServer::start(context_, config_.run_dir,
                                       [this](const CniRequest& request, Attachments::Done done) {
                                           attachments_->handle(request, std::move(done));
                                       });
        if (!server) return std::unexpected(std::move(server.error()));
        cni_server_ = std::move(*server);
        return installer_.start();
    }

    // What decoding and compiling took for a moment goes back to the system once it is quiet.
    void give_back_memory() {
        trim_.expires_after(kQuiet);
        trim_.async_wait([](const boost::system::error_code& error) {
            if (!error) ::malloc_trim(0);
        });
    }

    void yield() {
        spdlog::info("another agent takes over this node");
        has_yielded_ = true;
        context_.stop();
    }

    // Also while this agent waits for its turn: it lives then and is not ready.
    AdminServer::Pages pages() {
        AdminServer::Pages pages;
        pages["/livez"] = [] { return Page{.body = "ok\n"}; };
        pages["/readyz"] = pages["/healthz"] = [this] {
            if (!begun_) return Page{.status = 503, .body = succession_->state() + "\n"};
            return Page{.status = is_ready(*begun_) ? 200 : 503,
                        .body = readiness_text(*begun_) + "\n"};
        };
        pages["/metrics"] = [this] {
            if (!metrics_) return Page{.status = 503, .body = succession_->state() + "\n"};
            return Page{.content_type = "text/plain; version=0.0.4; charset=utf-8",
                        .body = metrics_->text()};
        };
        return pages;
    }

    Result<> serve_admin_socket() {
        if (config_.admin_socket.empty()) return {};
        auto server = AdminServer::start_unix(context_, config_.admin_socket, pages());
        if (!server) return std::unexpected(std::move(server.error()));
        admin_socket_ = std::move(*server);
        return {};
    }

    // After a take-over the address may be in use for a moment yet.
    Result<> start_http() {
        if (config_.http_address == "none") return {};
        auto server = AdminServer::start(context_, config_.http_address, pages());
        if (server) {
            admin_server_ = std::move(*server);
            return {};
        }
        if (succession_ == nullptr || server.error().code != EADDRINUSE)
            return std::unexpected(std::move(server.error()));
        spdlog::warn("{}; trying again", server.error().what);
        rebind_.expires_after(kRebind);
        rebind_.async_wait([this](const boost::system::error_code& error) {
            if (error) return;
            if (const auto bound = start_http(); !bound) spdlog::error("{}", bound.error().what);
        });
        return {};
    }

    const Config& config_;
    boost::asio::io_context context_{1};
    boost::asio::steady_timer trim_{context_};
    boost::asio::steady_timer rebind_{context_};
    Result<> failure_;
    bool has_yielded_ = false;
    bool is_told_to_end_ = false;
    bool has_state_ = false; // the source has been read once
    Result<> rehearsed_ = failure("not compiled yet");
    std::chrono::steady_clock::time_point next_rehearsal_;
    std::optional<RunLock> lock_;
    Inventory inventory_;
    std::map<std::string, SharedObject> early_objects_; // those of services, until its turn
    FlowStore flows_;
    std::unique_ptr<Enforcer> enforcer_;
    std::unique_ptr<FlowFeed> feed_;
    std::unique_ptr<Services> services_; // null without --services on
    std::unique_ptr<Source> source_;
    struct {
        AccessProvider access;
        const ApiSource* source = nullptr; // source_, when it is that; null: manifests
    } api_;
    std::unique_ptr<Installation> installation_;
    std::unique_ptr<Reporter> reporter_;
    std::unique_ptr<Attachments> attachments_;
    CniInstaller installer_;
    std::optional<ControlContext> begun_; // its turn has
    std::unique_ptr<Metrics> metrics_;
    std::unique_ptr<AdminServer> admin_server_;
    std::unique_ptr<AdminServer> admin_socket_;
    std::unique_ptr<Succession> succession_;
    std::unique_ptr<ControlServer> control_server_;
    std::unique_ptr<HookWatch> hook_watch_;
    std::unique_ptr<CniServer> cni_server_;
    bool is_announced_ = false;
};

} // namespace

Result<> run_agent(const Config& config) {
    spdlog::set_default_logger(spdlog::stderr_color_mt("weir"));
    // One thread does nearly all the work: an arena for each of the others would only lie idle.
    ::mallopt(M_ARENA_MAX, 1);
    {
        Agent agent(config);
        if (auto started = agent.start(); !started) return started;
        auto ended = agent.run();
        if (!agent.is_to_stand_by()) return ended;
    }
    return std::unexpected(stand_by());
}

} // namespace weir
