// SPDX-License-Identifier: Apache-2.0
// The kernel half of services at connect time: the loaded programs, their maps, and the cgroup that
// they are attached to. For one thread.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "loader/maps.h"
#include "loader/result.h"
#include "loader/service_maps.h"

struct bpf_object;

namespace weir {

struct ServiceOptions {
    // As DataplaneOptions::bpffs, and the same folder. Empty: private, nothing is pinned, and maps
    // and links go with the ServiceDataplane.
    std::filesystem::path bpffs;
    ServiceSizes sizes{};
};

// By enum weir_service_outcome.
using ServiceOutcomes = std::array<std::uint64_t, WEIR_SERVICE_OUTCOME_COUNT>;

class ServiceDataplane {
public:
    // Loads the programs, with the maps of an earlier agent of the same ABI version where those are
    // pinned. The programs of that agent go on until attach(). After an update of weir_services,
    // what it no longer names may be used again after a grace_period(): wait_for_programs() is not
    // enough, these programs can be preempted.
    static Result<ServiceDataplane> open(const ServiceOptions& options);
    ServiceDataplane(ServiceDataplane&&) noexcept;
    ServiceDataplane& operator=(ServiceDataplane&&) noexcept;
    ~ServiceDataplane();

    bool is_adopted() const; // at least one map was pinned
    const ServiceMaps& maps() const;
    ServiceSizes sizes() const; // in force
    const std::vector<std::string>& kept_maps() const;

    // Puts all programs into the hooks of the cgroup, or none of them: for every socket that is
    // made in it or below it, from now on. Again: in place of whichever are there, without a gap.
    // Those in another cgroup are taken off. Live counts begin at 0 unless programs were there
    // before. Precondition: maps().backends is acquired.
    Result<> attach(const std::filesystem::path& cgroup);
    // Counts the failures of backends, in weir_backend::failures and failed, for TCP connections
    // that begin from now on. Adds half a microsecond to every TCP connection of the cgroup, so
    // only where a service asks for ejection. After each attach(), to the same cgroup: this or
    // ignore_health(), or the program of an earlier agent goes on.
    Result<> watch_health(const std::filesystem::path& cgroup);
    Result<> ignore_health();
    // Takes all off. Connections stay as they are. Nothing attached: no error.
    Result<> detach();

    // Closes sockets that are connected to a backend in state WEIR_BACKEND_REMOVED, or whose id was
    // used again since: UDP always, TCP if their frontend says WEIR_SERVICE_CLOSE_TCP. In each of
    // the network namespaces (descriptors of pods' and the node's own); after an error in one, in
    // the others all the same. Returns how many. Leaves sockets in weir_spilled alone, and
    // unconnected ones: their next datagram goes to another backend. Precondition: maps().backends
    // is acquired.
    Result<std::uint32_t> close_stale_sockets(std::span<const int> network_namespaces) const;

    Result<ServiceOutcomes> outcomes() const; // summed over the CPUs
    std::vector<MapInfo> map_infos() const;
    // For the loader's other objects: lets an opened one use the maps that both have; their names.
    Result<std::set<std::string>> share_maps(bpf_object* other) const;
    // Of IPv4's connect(), for the kernel's statistics; not the caller's.
    int connect_program_fd() const;

private:
    struct State;
    explicit ServiceDataplane(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

// Takes off the service programs of any agent whose version folder this is.
Result<> detach_services(const std::filesystem::path& version_folder);

} // namespace weir
