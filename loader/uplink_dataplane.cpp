// SPDX-License-Identifier: Apache-2.0
#include "loader/uplink_dataplane.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/ethtool.h>
#include <linux/if_ether.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <iterator>
#include <optional>
#include <set>

#include "bpf/uplink_tc.skel.h"
#include "bpf/uplink_xdp.skel.h"
#include "loader/bpffs.h"
#include "loader/fd.h"
#include "loader/hooks.h"
#include "loader/log_capture.h"
#include "loader/map_pins.h"
#include "loader/object_load.h"
#include "loader/service_dataplane.h"
#include "loader/uplink_hooks.h"
#include "loader/version_folder.h"
#include "loader/xdp_hook.h"

namespace weir {
namespace {

namespace fs = std::filesystem;

constexpr const char* kHooks = "uplinks"; // folder of the hooks' pins

std::unexpected<Error> load_failure(const char* what, int error, const LogCapture& log) {
    return failure(std::string("load the ") + what + ": " + std::strerror(-error) +
                   load_advice(-error) + "\n" + log.tail());
}

bool is_veth(std::uint32_t ifindex) {
    const Fd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    ethtool_drvinfo driver{};
    driver.cmd = ETHTOOL_GDRVINFO;
    ifreq request{};
    if (::if_indextoname(ifindex, request.ifr_name) == nullptr) return false;
    request.ifr_data = reinterpret_cast<char*>(&driver);
    return ::ioctl(socket.value(), SIOCETHTOOL, &request) == 0 &&
           std::strcmp(driver.driver, "veth") == 0;
}

using Mac = std::array<std::uint8_t, ETH_ALEN>;

Result<Mac> mac_of(std::uint32_t ifindex) {
    const Fd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    ifreq request{};
    if (::if_indextoname(ifindex, request.ifr_name) == nullptr ||
        ::ioctl(socket.value(), SIOCGIFHWADDR, &request) != 0)
        return failure_errno("read the MAC of interface " + std::to_string(ifindex));
    Mac mac;
    std::memcpy(mac.data(), request.ifr_hwaddr.sa_data, mac.size());
    return mac;
}

} // namespace

struct UplinkDataplane::State {
    struct Destroyer {
        void operator()(uplink_tc_bpf* skeleton) const { uplink_tc_bpf__destroy(skeleton); }
        void operator()(uplink_xdp_bpf* skeleton) const { uplink_xdp_bpf__destroy(skeleton); }
    };
    std::unique_ptr<uplink_tc_bpf, Destroyer> tc;
    std::unique_ptr<uplink_xdp_bpf, Destroyer> xdp;
    Map<weir_nat_key, weir_uplink_nat> nat;
    Map<std::uint32_t, weir_uplink> node;
    Map<std::uint32_t, weir_interface> uplinks;
    std::set<std::string> service_maps; // shared with the service programs
    fs::path folder;                    // of this version's pins; empty: private

    fs::path hooks() const { return folder / kHooks; }
    Result<> load(const ServiceDataplane& services);
    Result<> open_maps();
    // Where weir_uplinks has the interface; with 0, a free place for the interface `near`.
    Result<std::optional<std::uint32_t>> place_of(std::uint32_t ifindex, std::uint32_t near) const;
};

Result<std::optional<std::uint32_t>> UplinkDataplane::State::place_of(std::uint32_t ifindex,
                                                                      std::uint32_t near) const {
    for (std::uint32_t i = 0; i < WEIR_UPLINK_TRIES; ++i) {
        const std::uint32_t place = (near + i) % WEIR_UPLINK_PLACES;
        auto found = uplinks.lookup(place);
        if (!found) return std::unexpected(std::move(found.error()));
        if (*found && (*found)->ifindex == ifindex) return place;
    }
    return std::nullopt;
}

// The tc object has every map of the XDP object but weir_ways.
Result<> UplinkDataplane::State::load(const ServiceDataplane& services) {
    LogCapture log;
    tc.reset(uplink_tc_bpf__open());
    if (!tc) return failure_errno("open the uplink's tc object: " + log.tail());
    PinnedMaps pinned;
    if (!folder.empty()) {
        auto found = reuse_pinned_maps(tc->obj, folder);
        if (!found) return std::unexpected(std::move(found.error()));
        pinned = std::move(*found);
    }
    auto shared = services.share_maps(tc->obj);
    if (!shared) return std::unexpected(std::move(shared.error()));
    service_maps = std::move(*shared);
    if (const int error = uplink_tc_bpf__load(tc.get()); error != 0)
        return load_failure("uplink's tc object", error, log);
    if (!folder.empty())
        if (auto done = pin_maps(tc->obj, pinned, folder); !done) return done;
    xdp.reset(uplink_xdp_bpf__open());
    if (!xdp) return failure_errno("open the uplink's XDP object: " + log.tail());
    if (auto done = share_maps(tc->obj, xdp->obj); !done) return std::unexpected(done.error());
    if (bpf_map__set_max_entries(xdp->maps.weir_ways, services.sizes().backends) != 0)
        return failure_errno("set the size of weir_ways");
    if (const int error = uplink_xdp_bpf__load(xdp.get()); error != 0)
        return load_failure("uplink's XDP object", error, log);
    return {};
}

Result<> UplinkDataplane::State::open_maps() {
    Error error;
    if (!open_into(nat, bpf_map__fd(tc->maps.weir_uplink_nat), error) ||
        !open_into(node, bpf_map__fd(tc->maps.weir_uplink), error) ||
        !open_into(uplinks, bpf_map__fd(xdp->maps.weir_uplinks), error))
        return std::unexpected(std::move(error));
    return {};
}

UplinkDataplane::UplinkDataplane(std::unique_ptr<State> state) : state_(std::move(state)) {}
UplinkDataplane::UplinkDataplane(UplinkDataplane&&) noexcept = default;
UplinkDataplane& UplinkDataplane::operator=(UplinkDataplane&&) noexcept = default;
UplinkDataplane::~UplinkDataplane() = default;

Result<UplinkDataplane> UplinkDataplane::open(const fs::path& bpffs,
                                              const ServiceDataplane& services) {
    auto folder = prepare_version_folder(bpffs);
    if (!folder) return std::unexpected(std::move(folder.error()));
    raise_memlock();
    auto state = std::make_unique<State>();
    state->folder = *folder;
    if (auto loaded = state->load(services); !loaded)
        return std::unexpected(std::move(loaded.error()));
    if (auto opened = state->open_maps(); !opened)
        return std::unexpected(std::move(opened.error()));
    if (!folder->empty()) {
        std::error_code error;
        fs::create_directories(state->hooks(), error);
        if (error)
            return failure_errno("make the folder " + state->hooks().string(), error.value());
    }
    return UplinkDataplane(std::move(state));
}

Result<> UplinkDataplane::set_node(const weir_uplink& node) {
    return state_->node.update(0, node);
}

Result<> UplinkDataplane::set_interface(std::uint32_t ifindex, weir_uplink_mode mode) {
    const auto mac = mac_of(ifindex);
    if (!mac) return std::unexpected(mac.error());
    weir_interface interface{};
    interface.ifindex = ifindex;
    interface.mode = mode;
    std::memcpy(interface.mac, mac->data(), mac->size());
    auto place = state_->place_of(ifindex, ifindex);
    if (place && !*place) place = state_->place_of(0, ifindex);
    if (!place) return std::unexpected(std::move(place.error()));
    if (!*place)
        return failure("weir_uplinks has no place for interface " + std::to_string(ifindex) +
                       ": there are too many uplinks whose numbers are alike");
    return state_->uplinks.update(**place, interface);
}

Result<UplinkState> UplinkDataplane::attach(std::uint32_t ifindex, UplinkWish wish) {
    UplinkState uplink{.ifindex = ifindex, .is_xdp = false, .why_not_xdp = {}};
    // The tc program first: it does what the XDP program leaves.
    if (auto done = attach_uplink_tc(state_->hooks(), ifindex, tc_program_fd(),
                                     bpf_program__fd(state_->tc->progs.weir_uplink_out));
        !done)
        return std::unexpected(std::move(done.error()));
    if (wish == UplinkWish::kTc) {
        uplink.why_not_xdp = "--uplink-xdp is off";
    } else if (wish == UplinkWish::kAuto && is_veth(ifindex)) {
        uplink.why_not_xdp = "it is a veth, whose packets have checksums yet to be computed";
    } else {
        auto why =
            attach_xdp_hook(ifindex, xdp_program_fd(), uplink_xdp_pin(state_->hooks(), ifindex));
        if (!why) return std::unexpected(std::move(why.error()));
        uplink.why_not_xdp = std::move(*why);
        uplink.is_xdp = uplink.why_not_xdp.empty();
    }
    if (!uplink.is_xdp && wish == UplinkWish::kXdp)
        return failure("interface " + std::to_string(ifindex) + ": " + uplink.why_not_xdp +
                       ": use --uplink-xdp auto");
    // Other uplinks' XDP programs redirect to an interface that is said to have one: what they
    // redirect to one that has none, nobody sends.
    const auto mode = uplink.is_xdp ? WEIR_UPLINK_XDP : WEIR_UPLINK_TC;
    if (auto written = set_interface(ifindex, mode); !written)
        return std::unexpected(std::move(written.error()));
    if (!uplink.is_xdp)
        if (auto done = detach_uplink_xdp(state_->hooks(), ifindex); !done)
            return std::unexpected(std::move(done.error()));
    return uplink;
}

Result<> UplinkDataplane::detach(std::uint32_t ifindex) {
    const auto place = state_->place_of(ifindex, ifindex);
    if (!place) return std::unexpected(place.error());
    if (*place)
        if (auto freed = state_->uplinks.update(**place, weir_interface{}); !freed) return freed;
    return detach_uplink(state_->hooks(), ifindex);
}

Result<bool> UplinkDataplane::is_attached(const UplinkState& uplink) const {
    const auto mac = mac_of(uplink.ifindex);
    if (!mac) return std::unexpected(mac.error());
    const auto place = state_->place_of(uplink.ifindex, uplink.ifindex);
    if (!place) return std::unexpected(place.error());
    if (!*place) return false;
    const auto written = state_->uplinks.lookup(**place);
    if (!written) return std::unexpected(written.error());
    if (!*written || std::memcmp((*written)->mac, mac->data(), mac->size()) != 0) return false;
    return is_uplink_attached(state_->hooks(), uplink.ifindex, uplink.is_xdp);
}

std::vector<std::uint32_t> UplinkDataplane::attached() const {
    const auto interfaces = pinned_interfaces(state_->hooks());
    return {interfaces.begin(), interfaces.end()};
}

const Map<weir_nat_key, weir_uplink_nat>& UplinkDataplane::nat() const {
    return state_->nat;
}

Result<UplinkOutcomes> UplinkDataplane::outcomes() const {
    UplinkOutcomes sums{};
    if (auto read = sum_over_cpus(bpf_map__fd(state_->tc->maps.weir_forwards), sums); !read)
        return std::unexpected(std::move(read.error()));
    return sums;
}

std::vector<MapInfo> UplinkDataplane::map_infos() const {
    auto infos = weir::map_infos(state_->tc->obj);
    std::ranges::copy_if(weir::map_infos(state_->xdp->obj), std::back_inserter(infos),
                         [](const MapInfo& info) { return info.name == "weir_ways"; });
    std::erase_if(infos,
                  [this](const MapInfo& info) { return state_->service_maps.contains(info.name); });
    return infos;
}

int UplinkDataplane::xdp_program_fd() const {
    return bpf_program__fd(state_->xdp->progs.weir_uplink_xdp);
}

int UplinkDataplane::tc_program_fd() const {
    return bpf_program__fd(state_->tc->progs.weir_uplink_tc);
}

Result<> detach_uplinks(const fs::path& version_folder) {
    for (const std::uint32_t ifindex : pinned_interfaces(version_folder / kHooks))
        if (auto done = detach_uplink(version_folder / kHooks, ifindex); !done) return done;
    return {};
}

} // namespace weir
