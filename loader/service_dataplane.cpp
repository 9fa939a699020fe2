// SPDX-License-Identifier: Apache-2.0
#include "loader/service_dataplane.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <netinet/in.h>

#include <algorithm>
#include <map>

#include "bpf/service.skel.h"
#include "loader/bpffs.h"
#include "loader/cgroup_hook.h"
#include "loader/log_capture.h"
#include "loader/map_pins.h"
#include "loader/object_load.h"
#include "loader/pinned_link.h"
#include "loader/socket_closer.h"
#include "loader/stale_sockets.h"
#include "loader/version_folder.h"

namespace weir {
namespace {

namespace fs = std::filesystem;

constexpr const char* kLinks = "cgroup"; // folder of the links' pins

// In the order of attaching: what a socket was given is shown and released by programs that are
// there before the ones that give. So many are the first.
constexpr std::size_t kShowing = 5;
std::array<const bpf_program*, 9> programs_of(const service_bpf& skeleton) {
    const auto& progs = skeleton.progs;
    return {progs.weir_sock_release, progs.weir_getpeername4, progs.weir_getpeername6,
            progs.weir_recvmsg4,     progs.weir_recvmsg6,     progs.weir_sendmsg4,
            progs.weir_sendmsg6,     progs.weir_connect4,     progs.weir_connect6};
}

Result<ServiceMaps> open_maps(const service_bpf& skeleton) {
    const auto& all = skeleton.maps;
    ServiceMaps maps;
    Error error;
    if (!open_into(maps.services, bpf_map__fd(all.weir_services), error) ||
        !open_into(maps.hints, bpf_map__fd(all.weir_hints), error) ||
        !open_into(maps.slots, bpf_map__fd(all.weir_slots), error) ||
        !open_into(maps.backends, bpf_map__fd(all.weir_backends), error) ||
        !open_into(maps.sources, bpf_map__fd(all.weir_sources), error) ||
        !open_into(maps.affinities, bpf_map__fd(all.weir_affinities), error) ||
        !open_into(maps.sockets, bpf_map__fd(all.weir_sockets), error))
        return std::unexpected(std::move(error));
    return maps;
}

// Sockets may have closed while no program saw it: nobody is left who would take back their counts.
void forget_connections(const ServiceMaps& maps) {
    for (std::uint32_t id = 0; id < maps.backends.size(); ++id)
        if (auto& live = maps.backends[id].live; live != 0)
            __atomic_store_n(&live, 0, __ATOMIC_RELAXED);
    for (std::uint32_t i = 0; i < maps.sockets.size(); ++i)
        for (std::size_t way = 0; way < WEIR_SOCKET_WAYS; ++way)
            if (auto& cookie = maps.sockets[i].cookies[way]; cookie != 0) {
                store_word(maps.sockets[i].sockets[way].use.word, 0);
                store_word(cookie, 0);
            }
}

} // namespace

struct ServiceDataplane::State {
    struct Destroyer {
        void operator()(service_bpf* open) const { service_bpf__destroy(open); }
    };
    std::unique_ptr<service_bpf, Destroyer> skeleton;
    PinnedMaps pinned;
    ServiceMaps maps;
    fs::path folder;                         // of this version's pins; empty: private
    std::map<std::string, Fd> private_links; // by program, where nothing is pinned
    Fd private_health;
    std::uint32_t translations = 0; // as asked for: another object's map

    // Empty: the link is not pinned.
    fs::path pin_of(const bpf_program* program) const {
        return folder.empty() ? fs::path() : folder / kLinks / bpf_program__name(program);
    }
    Result<> prepare_links() const {
        if (folder.empty()) return {};
        std::error_code error;
        fs::create_directories(folder / kLinks, error);
        if (!error) return {};
        return failure_errno("make the folder " + (folder / kLinks).string(), error.value());
    }
};

ServiceDataplane::ServiceDataplane(std::unique_ptr<State> state) : state_(std::move(state)) {}
ServiceDataplane::ServiceDataplane(ServiceDataplane&&) noexcept = default;
ServiceDataplane& ServiceDataplane::operator=(ServiceDataplane&&) noexcept = default;
ServiceDataplane::~ServiceDataplane() = default;

Result<ServiceDataplane> ServiceDataplane::open(const ServiceOptions& options) {
    auto folder = prepare_version_folder(options.bpffs);
    if (!folder) return std::unexpected(std::move(folder.error()));
    raise_memlock();
    LogCapture log;
    auto state = std::make_unique<State>();
    state->folder = *folder;
    state->translations = options.sizes.translations;
    state->skeleton.reset(service_bpf__open());
    if (!state->skeleton) return failure_errno("open the service object: " + log.tail());
    if (auto set = set_service_sizes(state->skeleton->obj, options.sizes); !set)
        return std::unexpected(std::move(set.error()));
    bpf_object* object = state->skeleton->obj;
    if (!folder->empty()) {
        auto found = reuse_pinned_maps(object, *folder);
        if (!found) return std::unexpected(std::move(found.error()));
        state->pinned = std::move(*found);
    }
    if (const int error = service_bpf__load(state->skeleton.get()); error != 0)
        return failure("load the service object: " + std::string(std::strerror(-error)) +
                       load_advice(-error) + "\n" + log.tail());
    if (!folder->empty())
        if (auto done = pin_maps(object, state->pinned, *folder); !done)
            return std::unexpected(std::move(done.error()));
    auto maps = open_maps(*state->skeleton);
    if (!maps) return std::unexpected(std::move(maps.error()));
    state->maps = std::move(*maps);
    return ServiceDataplane(std::move(state));
}

bool ServiceDataplane::is_adopted() const {
    return state_->pinned.is_any_found;
}
const ServiceMaps& ServiceDataplane::maps() const {
    return state_->maps;
}
const std::vector<std::string>& ServiceDataplane::kept_maps() const {
    return state_->pinned.kept;
}

ServiceSizes ServiceDataplane::sizes() const {
    const auto& maps = state_->maps;
    return {.frontends = maps.services.max_entries(),
            .slots = maps.slots.size(),
            .backends = maps.backends.size(),
            .source_ranges = maps.sources.max_entries(),
            .affinities = maps.affinities.max_entries(),
            .translations = state_->translations};
}

Result<> ServiceDataplane::attach(const fs::path& cgroup) {
    if (auto ready = state_->prepare_links(); !ready) return ready;
    bool is_any_replaced = !state_->private_links.empty();
    state_->private_links.clear(); // two programs in one hook would undo each other's work
    std::map<std::string, Fd> attached;
    std::vector<fs::path> made;
    for (const bpf_program* program : programs_of(*state_->skeleton)) {
        if (attached.size() == kShowing && !is_any_replaced) forget_connections(state_->maps);
        const fs::path pin = state_->pin_of(program);
        auto link = attach_cgroup_hook(cgroup, program, pin);
        if (!link) {
            for (const auto& new_pin : made)
                (void)detach_pinned_link(new_pin);
            return std::unexpected(std::move(link.error()));
        }
        if (link->is_replaced)
            is_any_replaced = true;
        else if (!pin.empty())
            made.push_back(pin);
        attached.emplace(bpf_program__name(program), std::move(link->fd));
    }
    if (state_->folder.empty()) state_->private_links = std::move(attached);
    return {};
}

Result<> ServiceDataplane::watch_health(const fs::path& cgroup) {
    if (auto ready = state_->prepare_links(); !ready) return ready;
    const bpf_program* program = state_->skeleton->progs.weir_sock_ops;
    state_->private_health = Fd();
    auto link = attach_cgroup_hook(cgroup, program, state_->pin_of(program));
    if (!link) return std::unexpected(std::move(link.error()));
    if (state_->folder.empty()) state_->private_health = std::move(link->fd);
    return {};
}

Result<> ServiceDataplane::ignore_health() {
    state_->private_health = Fd();
    if (state_->folder.empty()) return {};
    return detach_pinned_link(state_->pin_of(state_->skeleton->progs.weir_sock_ops));
}

Result<> ServiceDataplane::detach() {
    state_->private_links.clear();
    state_->private_health = Fd();
    return state_->folder.empty() ? Result<>() : detach_services(state_->folder);
}

Result<std::uint32_t> ServiceDataplane::close_stale_sockets(
    std::span<const int> network_namespaces) const {
    auto stale = find_stale_sockets(state_->maps);
    if (!stale) return std::unexpected(std::move(stale.error()));
    if (stale->all.empty()) return 0;
    const auto is_doomed = [&](std::uint8_t protocol, std::uint64_t cookie) {
        return (protocol == IPPROTO_TCP ? stale->close_tcp : stale->all).contains(cookie);
    };
    Result<std::uint32_t> sum = 0;
    for (const int netns : network_namespaces) {
        auto closed = close_sockets(netns, is_doomed);
        if (!closed)
            sum = std::move(closed);
        else if (sum)
            *sum += *closed;
    }
    return sum;
}

Result<ServiceOutcomes> ServiceDataplane::outcomes() const {
    ServiceOutcomes sums{};
    if (auto read = sum_over_cpus(bpf_map__fd(state_->skeleton->maps.weir_outcomes), sums); !read)
        return std::unexpected(std::move(read.error()));
    return sums;
}

std::vector<MapInfo> ServiceDataplane::map_infos() const {
    return weir::map_infos(state_->skeleton->obj);
}

Result<std::set<std::string>> ServiceDataplane::share_maps(bpf_object* other) const {
    return weir::share_maps(state_->skeleton->obj, other);
}

int ServiceDataplane::connect_program_fd() const {
    return bpf_program__fd(state_->skeleton->progs.weir_connect4);
}

Result<> detach_services(const fs::path& version_folder) {
    // The programs that give a socket a backend first: by name, connect, getpeername, recvmsg,
    // sendmsg, sock_ops, sock_release.
    auto names = list_pins(version_folder / kLinks);
    std::ranges::sort(names);
    for (const auto& name : names)
        if (auto done = detach_pinned_link(version_folder / kLinks / name); !done) return done;
    return {};
}

} // namespace weir
