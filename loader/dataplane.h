// SPDX-License-Identifier: Apache-2.0
// The kernel half of one agent: the loaded programs, their maps and the hooks they are attached to.
// For one thread, where nothing else is said.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "bpf/abi.h"
#include "loader/maps.h"
#include "loader/result.h"
#include "loader/service_maps.h"

namespace weir {

enum class HookKind {
    kAuto,   // tcx where the kernel has it (6.6), else clsact
    kTcx,    // tcx links, first in the chain
    kClsact, // a filter of fixed priority and handle on clsact
};

struct DataplaneOptions {
    // Folder for the pins; it is made, and bpffs mounted on it if it lies on none. Empty: private,
    // nothing is pinned or attached and everything goes with the Dataplane.
    std::filesystem::path bpffs;
    MapSizes sizes{};
    std::optional<PodShares> shares{}; // of the sizes in force where nothing else is said
    // What pods send to services is translated, packet by packet, by what is in the maps that a
    // ServiceDataplane of the same folder writes; their sizes. Empty: it is not.
    std::optional<ServiceSizes> services{};
    HookKind hook = HookKind::kAuto;
};

// What weir_pods says of an endpoint, without its rules.
struct PodFacts {
    std::uint32_t ifindex = 0; // host side
    std::array<std::uint8_t, 6> mac{};
    std::array<weir_address, WEIR_POD_ADDRESSES> addresses{}; // unused ones are ::
};

// An interface that the programs are attached to, both hooks.
struct AttachedInterface {
    std::uint32_t ifindex = 0;
    HookKind kind = HookKind::kTcx; // never kAuto
};

// What the maps of an earlier agent hold.
struct RawState {
    struct Slot {
        std::uint32_t slot = 0;
        weir_pod pod{};
    };
    std::vector<std::pair<weir_rule_key, weir_row>> rules;
    std::vector<std::pair<std::uint32_t, weir_row>> default_rows;   // of tables that slots name
    std::vector<std::pair<weir_address, std::uint32_t>> peers;      // class
    std::vector<std::pair<weir_prefix, std::uint32_t>> prefixes;    // class
    std::vector<Slot> slots;                                        // those in use
    std::vector<std::pair<std::uint32_t, std::uint32_t>> endpoints; // ifindex, slot
    weir_meta meta{};
};

class Dataplane {
public:
    // Loads the programs. With pins of an earlier agent of the same ABI version, its maps are
    // reused and the new programs replace the old ones in every hook, without a gap. Where the
    // options ask for another size, the content of policy maps moves to maps of that size; maps
    // into which the programs write keep theirs. Pins of another ABI version, or maps of another
    // layout, are refused with a remedy.
    static Result<Dataplane> open(const DataplaneOptions& options);
    Dataplane(Dataplane&&) noexcept;
    Dataplane& operator=(Dataplane&&) noexcept;
    ~Dataplane();

    // Whether maps of an earlier agent were found.
    bool is_adopted() const;
    // Sizes in force: those of the options, but for maps that kept an earlier agent's.
    const MapSizes& sizes() const;
    const std::vector<std::string>& kept_maps() const; // their names
    const Maps& maps() const;
    Result<RawState> read_state() const;

    // ---- hooks ----
    // Attaches both programs to the host side of a pod's veth, or none of them. Again: puts the
    // programs in place of whichever are there. The interface is one of this netns.
    Result<> attach(std::uint32_t ifindex);
    // Takes both off and removes the pins. An interface that is gone is no error.
    Result<> detach(std::uint32_t ifindex);
    // Interfaces with both hooks in place. Removes pins of interfaces that are gone.
    Result<std::vector<AttachedInterface>> attached();

    // ---- endpoints ----
    // Writes what the slot holds but for its rules; only what differs is stored.
    Result<> write_pod(std::uint32_t slot, const PodFacts& facts);
    // From here on the programs find the slot by the interface.
    Result<> bind(std::uint32_t ifindex, std::uint32_t slot);
    Result<> unbind(std::uint32_t ifindex);
    // Clears the slot, its rules first. Give it out again only after a grace period.
    Result<> free_slot(std::uint32_t slot);

    // ---- figures ----
    // WEIR_COUNTERS elements, summed over the CPUs.
    Result<std::vector<weir_counter>> counters() const;
    std::vector<MapInfo> map_infos() const;

    // fds for EventReader and TestRunner (loader/events.h, loader/test_run.h); not the caller's.
    int events_fd() const;
    int program_fd(weir_direction direction) const;

private:
    struct State;
    explicit Dataplane(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

// Waits until no program runs any more that began before the call (8 to 20 ms). From any thread.
void grace_period();
// The same within a fraction of a millisecond, where the kernel allows it: the calling thread
// visits every CPU, and a program cannot be preempted. Else a grace_period().
void wait_for_programs();

// `weir cleanup`: takes off every hook and removes every pin and folder below bpffs, of any ABI
// version; unmounts nothing. Again, or with nothing there: no error. Returns what was removed.
struct Removed {
    std::uint32_t interfaces = 0;
    std::uint32_t pins = 0;
};
Result<Removed> remove_everything(const std::filesystem::path& bpffs);

} // namespace weir
