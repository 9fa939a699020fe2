// SPDX-License-Identifier: Apache-2.0
// The kernel half of services for packets from outside: the programs of the uplinks. Frontends and
// backends are those of a ServiceDataplane, whose maps these programs share. For one thread.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "bpf/abi_uplink.h"
#include "loader/map.h"
#include "loader/maps.h"
#include "loader/result.h"

namespace weir {

class ServiceDataplane;

// Which programs an uplink gets. kAuto: XDP where the driver has it natively, but for veth pairs:
// they carry packets whose checksums are yet to be computed, which XDP cannot tell.
enum class UplinkWish : std::uint8_t { kAuto, kXdp, kTc };

struct UplinkState {
    std::uint32_t ifindex = 0;
    bool is_xdp = false;     // else the tc program does it all
    std::string why_not_xdp; // empty with is_xdp
};

// By enum weir_uplink_outcome.
using UplinkOutcomes = std::array<std::uint64_t, WEIR_UPLINK_OUTCOME_COUNT>;

class UplinkDataplane {
public:
    // bpffs: as ServiceOptions, and the same; empty: private, for test runs of the programs alone.
    // Programs of an earlier agent go on until attach().
    static Result<UplinkDataplane> open(const std::filesystem::path& bpffs,
                                        const ServiceDataplane& services);
    UplinkDataplane(UplinkDataplane&&) noexcept;
    UplinkDataplane& operator=(UplinkDataplane&&) noexcept;
    ~UplinkDataplane();

    // Before the first attach().
    Result<> set_node(const weir_uplink& node);
    // Tells the programs of an interface, its MAC too. attach() does; for test runs of the programs
    // alone.
    Result<> set_interface(std::uint32_t ifindex, weir_uplink_mode mode);
    // Puts the programs onto the interface, in place of whichever are there. Again, where somebody
    // took them off. kXdp fails where there is no native XDP.
    Result<UplinkState> attach(std::uint32_t ifindex, UplinkWish wish);
    Result<> detach(std::uint32_t ifindex);
    // Whether everything is where attach() has put it, and the interface has the same MAC still.
    Result<bool> is_attached(const UplinkState& uplink) const;
    // Interfaces that have a program of this or an earlier agent.
    std::vector<std::uint32_t> attached() const;

    const Map<weir_nat_key, weir_uplink_nat>& nat() const;
    Result<UplinkOutcomes> outcomes() const; // summed over the CPUs
    std::vector<MapInfo> map_infos() const;  // of those that are not the service programs' too
    int xdp_program_fd() const;
    int tc_program_fd() const;

private:
    struct State;
    explicit UplinkDataplane(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

// Takes off the uplinks' programs of any agent whose version folder this is.
Result<> detach_uplinks(const std::filesystem::path& version_folder);

} // namespace weir
