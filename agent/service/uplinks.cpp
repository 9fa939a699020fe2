// SPDX-License-Identifier: Apache-2.0
#include "agent/service/uplinks.h"

#include <fmt/format.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <spdlog/spdlog.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <cstring>
#include <fstream>
#include <utility>

#include "agent/config.h"
#include "agent/endpoint/netlink.h"
#include "loader/fd.h"
#include "loader/version_folder.h"

namespace weir {
namespace {

constexpr std::chrono::seconds kLookForUplinksEvery{5};
constexpr const char* kNone = "none";
constexpr const char* kAuto = "auto";

std::string read_setting(const char* name) {
    std::ifstream input(std::string("/proc/sys/net/ipv4/") + name);
    std::string text;
    std::getline(input, text);
    return text;
}

UplinkWish wish_of(const std::string& word) {
    if (word == "on") return UplinkWish::kXdp;
    return word == "off" ? UplinkWish::kTc : UplinkWish::kAuto;
}

bool is_ethernet(const std::string& name) {
    const Fd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    ifreq request{};
    name.copy(request.ifr_name, IFNAMSIZ - 1);
    return ::ioctl(socket.value(), SIOCGIFHWADDR, &request) == 0 &&
           request.ifr_hwaddr.sa_family == ARPHRD_ETHER;
}

// For others to answer to: not a link's own.
bool is_routable(const Address& address) {
    return address.is_v4() || (address.bytes[0] != 0xfe || (address.bytes[1] & 0xc0) != 0x80);
}

Result<std::set<std::string>> default_interfaces() {
    auto interfaces = list_default_interfaces();
    if (!interfaces) return std::unexpected(std::move(interfaces.error()));
    std::set<std::string> names;
    for (const std::uint32_t ifindex : *interfaces) {
        std::array<char, IFNAMSIZ> name{};
        // One that is gone by now has no default route either.
        if (::if_indextoname(ifindex, name.data()) != nullptr) names.insert(name.data());
    }
    return names;
}

bool is_same(const weir_uplink& a, const weir_uplink& b) {
    return std::memcmp(&a, &b, sizeof(a)) == 0;
}

} // namespace

Result<std::unique_ptr<Uplinks>> Uplinks::open(boost::asio::io_context& context,
                                               const Config& config,
                                               const ServiceDataplane& services) {
    const bool is_none = std::ranges::find(config.uplinks, kNone) != config.uplinks.end();
    if (is_none && config.uplinks.size() > 1)
        return failure("--uplink none goes with no other interface: leave it out, or the others");
    if (is_none) {
        const auto folder = prepare_version_folder(config.bpffs);
        if (!folder) return std::unexpected(folder.error());
        if (auto off = detach_uplinks(*folder); !off) return std::unexpected(off.error());
        return nullptr;
    }
    auto ports = choose_source_ports(config.snat_ports, read_setting("ip_local_port_range"),
                                     read_setting("ip_local_reserved_ports"));
    if (!ports) return std::unexpected(std::move(ports.error()));
    auto dataplane = UplinkDataplane::open(config.bpffs, services);
    if (!dataplane) return std::unexpected(std::move(dataplane.error()));
    return std::unique_ptr<Uplinks>(new Uplinks(context, config, std::move(*dataplane), *ports));
}

Uplinks::Uplinks(boost::asio::io_context& context, const Config& config, UplinkDataplane dataplane,
                 SourcePorts ports)
    : names_(config.uplinks.begin(), config.uplinks.end()),
      wish_(wish_of(config.uplink_xdp)),
      dataplane_(std::move(dataplane)),
      ports_(ports),
      timer_(context) {}

void Uplinks::start(const std::vector<Address>& node) {
    node_ = node;
    update();
    wait();
}

void Uplinks::wait() {
    timer_.expires_after(kLookForUplinksEvery);
    timer_.async_wait([this](const boost::system::error_code& error) {
        if (error) return; // the agent ends
        update();
        wait();
    });
}

void Uplinks::update() {
    std::set<std::string> names = names_;
    if (names.erase(kAuto) != 0) {
        auto found = default_interfaces();
        // Those that it has stay: a question that failed says nothing about them.
        if (!found) return spdlog::error("uplinks: {}", found.error().what);
        names.merge(*found);
    }
    std::vector<Uplink> before = std::exchange(uplinks_, {});
    for (const auto& name : names) {
        const auto known = std::ranges::find(before, name, &Uplink::name);
        uplinks_.push_back(known == before.end() ? Uplink{name, {}, {}} : *known);
    }
    if (auto written = write_node(); !written) spdlog::error("uplinks: {}", written.error().what);
    for (auto& uplink : uplinks_)
        attach(uplink);
    for (const std::uint32_t ifindex : dataplane_.attached()) {
        const auto is_it = [&](const Uplink& one) { return one.state.ifindex == ifindex; };
        if (std::ranges::any_of(uplinks_, is_it)) continue;
        if (auto off = dataplane_.detach(ifindex); !off)
            spdlog::error("uplinks: {}", off.error().what);
    }
}

// Before the first packet is forwarded, and whenever an address changes.
Result<> Uplinks::write_node() {
    weir_uplink own{};
    own.first_port = ports_.first;
    own.last_port = ports_.last;
    for (const auto& uplink : uplinks_) {
        const auto addresses = list_addresses(::if_nametoindex(uplink.name.c_str()));
        if (!addresses) return std::unexpected(addresses.error());
        for (const auto& address : *addresses) {
            auto& slot = address.is_v4() ? own.v4 : own.v6;
            const bool is_nodes = std::ranges::find(node_, address) != node_.end();
            const bool is_free = slot.halves[1] == 0;
            if (is_routable(address) && (is_free || is_nodes)) slot = address.to_abi();
        }
    }
    if (is_same(own, written_)) return {};
    auto written = dataplane_.set_node(own);
    if (written) written_ = own;
    return written;
}

void Uplinks::attach(Uplink& uplink) {
    const std::uint32_t ifindex = ::if_nametoindex(uplink.name.c_str());
    const auto fail = [&uplink](const std::string& why) {
        if (uplink.error != why) spdlog::error("uplink {}: {}", uplink.name, why);
        uplink.error = why;
        uplink.state = {};
    };
    if (ifindex == 0) return fail("there is no such interface");
    if (!is_ethernet(uplink.name))
        return fail("is no Ethernet interface: name another with --uplink, or none");
    if (uplink.state.ifindex == ifindex) {
        const auto is_there = dataplane_.is_attached(uplink.state);
        if (is_there && *is_there) return;
        spdlog::warn("uplink {}: its programs are missing, and put back", uplink.name);
    }
    auto attached = dataplane_.attach(ifindex, wish_);
    if (!attached) return fail(attached.error().what);
    uplink.state = std::move(*attached);
    uplink.error.clear();
    spdlog::info(
        "uplink {}: {}", uplink.name,
        uplink.state.is_xdp ? std::string("XDP") : "tc, because " + uplink.state.why_not_xdp);
}

} // namespace weir
