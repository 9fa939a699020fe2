// SPDX-License-Identifier: Apache-2.0
#include "agent/service/services.h"

#include <fcntl.h>
#include <spdlog/spdlog.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <utility>

#include "agent/config.h"
#include "agent/service/service_writer.h"
#include "loader/cgroup_hook.h"
#include "loader/fd.h"
#include "loader/version_folder.h"

namespace weir {
namespace {

constexpr std::chrono::seconds kRetryAfter{2};
constexpr std::chrono::seconds kReleaseEvery{1};

ServiceLimits limits_of(const ServiceSizes& sizes) {
    return {.services = sizes.frontends,
            .slots = sizes.slots,
            .backends = sizes.backends,
            .sources = sizes.source_ranges};
}

// The large arrays, for as long as somebody works with them.
class Acquired {
public:
    static Result<Acquired> of(const ServiceMaps& maps) {
        if (auto slots = maps.slots.acquire(); !slots) return std::unexpected(slots.error());
        if (auto backends = maps.backends.acquire(); !backends) {
            maps.slots.release();
            return std::unexpected(backends.error());
        }
        return Acquired(maps);
    }
    Acquired(Acquired&& other) noexcept : maps_(std::exchange(other.maps_, nullptr)) {}
    Acquired& operator=(Acquired&&) = delete;
    ~Acquired() {
        if (maps_ == nullptr) return;
        maps_->slots.release();
        maps_->backends.release();
    }

private:
    explicit Acquired(const ServiceMaps& maps) : maps_(&maps) {}
    const ServiceMaps* maps_;
};

} // namespace

Result<std::unique_ptr<Services>> Services::open(boost::asio::io_context& context,
                                                 const Config& config, PodNamespaces pods) {
    std::string cgroup = config.cgroup;
    if (cgroup.empty()) {
        auto mount = find_cgroup2_mount();
        if (!mount) return std::unexpected(std::move(mount.error()));
        cgroup = mount->string();
    }
    auto dataplane = ServiceDataplane::open({.bpffs = config.bpffs});
    if (!dataplane) return std::unexpected(std::move(dataplane.error()));
    auto uplinks = Uplinks::open(context, config, *dataplane);
    if (!uplinks) return std::unexpected(std::move(uplinks.error()));
    std::unique_ptr<Services> services(new Services(context, config, std::move(cgroup),
                                                    std::move(*dataplane), std::move(*uplinks),
                                                    std::move(pods)));
    if (auto adopted = services->adopt(); !adopted) {
        return std::unexpected(std::move(adopted.error()));
    }
    return services;
}

Services::Services(boost::asio::io_context& context, const Config& config, std::string cgroup,
                   ServiceDataplane dataplane, std::unique_ptr<Uplinks> uplinks, PodNamespaces pods)
    : context_(context),
      cgroup_(std::move(cgroup)),
      dataplane_(std::move(dataplane)),
      uplinks_(std::move(uplinks)),
      pods_(std::move(pods)),
      compiler_(Symbol(config.node_name), limits_of(dataplane_.sizes())),
      health_ports_(context),
      ejector_(context, compiler_, dataplane_, has_cgroup() ? cgroup_ : std::string()),
      reclaimer_(context),
      retry_(context),
      release_(context) {}

Services::~Services() = default;

Result<> Services::take_off(const std::string& bpffs) {
    const auto folder = prepare_version_folder(bpffs);
    if (!folder) return std::unexpected(folder.error());
    if (auto off = detach_services(*folder); !off) return off;
    return detach_uplinks(*folder);
}

Result<> Services::adopt() {
    const auto acquired = Acquired::of(dataplane_.maps());
    if (!acquired) return std::unexpected(acquired.error());
    auto state = read_services(dataplane_.maps());
    if (!state) return std::unexpected(std::move(state.error()));
    renew_hints(dataplane_.maps(), *state);
    compiler_.adopt(*state);
    return {};
}

void Services::apply(const Change& change) {
    compiler_.apply(change);
    if (change.has_kind(is_service_kind)) ++changes_;
    enforce_soon();
}

void Services::enforce_soon() {
    if (std::exchange(is_enforcing_soon_, true)) return;
    boost::asio::post(context_, [this] {
        is_enforcing_soon_ = false;
        enforce();
    });
}

void Services::enforce() {
    if (enforce_revision()) watch_health();
}

// Whether the newest is in force.
bool Services::enforce_revision() {
    const auto start = std::chrono::steady_clock::now();
    ServiceTransaction transaction = compiler_.compile();
    health_ports_.update(compiler_.index());
    const bool is_news = !transaction.is_empty() || !revision_.is_in_force;
    if (!is_news && unwritten_.empty()) return true;
    unwritten_.push_back(std::move(transaction));
    if (auto written = write(); !written) {
        if (revision_.write_error != written.error().what) {
            spdlog::error("services: {}; tried again every {} s", written.error().what,
                          kRetryAfter.count());
        }
        revision_.write_error = written.error().what;
        retry_later();
        return false;
    }
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    revision_.compile_seconds = took.count();
    revision_.write_error.clear();
    revision_.is_in_force = true;
    ++revision_.revision;
    revision_.since = std::chrono::system_clock::now();
    reclaim_after(compiler_.written());
    return true;
}

// Services do without: nothing is ejected then.
void Services::watch_health() {
    if (ejector_.is_current()) return;
    if (auto updated = ejector_.update(); updated) {
        revision_.ejection_error.clear();
    } else {
        if (revision_.ejection_error != updated.error().what)
            spdlog::error("services: no outlier is ejected: {}; tried again every {} s",
                          updated.error().what, kRetryAfter.count());
        revision_.ejection_error = updated.error().what;
        retry_later();
    }
}

void Services::retry_later() {
    retry_.expires_after(kRetryAfter);
    retry_.async_wait([this](const boost::system::error_code& error) {
        if (!error) enforce_soon();
    });
}

// The programs come last: from their first packet on they see all Services.
Result<> Services::write() {
    const auto acquired = Acquired::of(dataplane_.maps());
    if (!acquired) return std::unexpected(acquired.error());
    while (!unwritten_.empty()) {
        if (auto written = write_services(dataplane_.maps(), unwritten_.front()); !written) {
            return written;
        }
        unwritten_.pop_front();
    }
    return is_attached_ ? Result<>() : attach();
}

// The pods' hooks are the Dataplane's, and translate whatever the maps say.
Result<> Services::attach() {
    auto done = has_cgroup() ? dataplane_.attach(cgroup_) : dataplane_.detach();
    if (!done) return done;
    is_attached_ = true;
    if (uplinks_) uplinks_->start(compiler_.index().node_addresses());
    const ServiceUsage usage = compiler_.usage();
    spdlog::info("services: {} frontends and {} backends in force for {}", usage.services,
                 usage.backends,
                 has_cgroup() ? "pods and the processes of " + cgroup_ : "the packets of pods");
    return {};
}

void Services::reclaim_after(std::uint64_t number) {
    reclaimer_.after_grace_period([this, number] {
        compiler_.reclaim(number);
        close_sockets();
        release_idle();
        if (!compiler_.misfits().empty()) enforce_soon(); // there is room now, perhaps
    });
}

// Of removed backends: their peers would wait for answers that never come.
void Services::close_sockets() {
    if (compiler_.releasable().empty()) return;
    std::vector<Fd> namespaces;
    std::vector<std::string> paths = pods_();
    paths.emplace_back("/proc/self/ns/net");
    for (const auto& path : paths) {
        Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
        if (fd.is_open())
            namespaces.push_back(std::move(fd)); // else the pod is gone, with its sockets
    }
    std::vector<int> numbers;
    for (const auto& fd : namespaces)
        numbers.push_back(fd.value());
    const auto& backends = dataplane_.maps().backends;
    if (auto acquired = backends.acquire(); !acquired) return;
    const auto closed = dataplane_.close_stale_sockets(numbers);
    backends.release();
    if (!closed) {
        spdlog::warn("sockets of removed backends stay open: {}", closed.error().what);
    } else if (*closed != 0) {
        spdlog::info("{} sockets of removed backends closed", *closed);
    }
}

// Ids of removed backends whose connections are gone.
void Services::release_idle() {
    const auto ids = compiler_.releasable();
    if (ids.empty()) return;
    const auto& backends = dataplane_.maps().backends;
    if (auto acquired = backends.acquire(); !acquired) return release_later();
    bool is_released = false;
    for (const auto id : ids) {
        if (__atomic_load_n(&backends[id].live, __ATOMIC_RELAXED) != 0) continue;
        compiler_.release_backend(id);
        is_released = true;
    }
    backends.release();
    if (is_released) enforce_soon();
    if (!compiler_.releasable().empty()) release_later();
}

void Services::release_later() {
    if (std::exchange(is_releasing_, true)) return;
    release_.expires_after(kReleaseEvery);
    release_.async_wait([this](const boost::system::error_code& error) {
        is_releasing_ = false;
        if (!error) release_idle();
    });
}

} // namespace weir
