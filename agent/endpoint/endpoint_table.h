// SPDX-License-Identifier: Apache-2.0
// The endpoints of this node: which pod is behind which interface, and which slot of weir_pods it
// has. Kept in a file, so that a new agent knows them before anybody tells it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "agent/endpoint/interface.h"
#include "loader/dataplane.h"
#include "loader/result.h"

namespace weir {

// What whoever adds an endpoint says of it.
struct EndpointSpec {
    std::string ns = {};
    std::string name = {};
    std::string netns = {};     // path
    std::string interface = {}; // name inside the pod
    // From the CNI plugin only: the sandbox's id, the network configuration's name, and the
    // addresses of its result, which are the pod's whether its interface has them or not.
    std::string container = {};
    std::string network = {};
    std::vector<Address> assigned = {};

    std::string pod() const { return ns + "/" + name; }
};

struct Endpoint : EndpointSpec {
    std::uint32_t slot = 0;
    PodInterface link; // addresses: at most WEIR_POD_ADDRESSES

    PodFacts facts() const;
};

// What adding an endpoint changes. The caller does it in this order: unbind `replaced` and free its
// slot, write the facts of `endpoint`, let policy know it, bind, attach, save.
struct EndpointChange {
    Endpoint endpoint;
    // False: its interface has the slot already, perhaps as another pod's. Whatever is attached
    // there stays, so that the interface is never without policy.
    bool is_new = false;
    std::optional<Endpoint> replaced; // the same pod's endpoint at another interface
    std::vector<std::string> notices; // for the log and the reply
};

class EndpointTable {
public:
    // file: <run-dir>/endpoints.json
    explicit EndpointTable(std::filesystem::path file);

    // Enters the pod's interface and gives it a slot. Nothing changes on an error.
    Result<EndpointChange> add(EndpointSpec spec);
    // Reads the addresses again. Fails if the interface is not what it was.
    Result<EndpointChange> refresh(std::uint32_t slot);
    // Takes it out. Its slot stays taken until release_slot().
    std::optional<Endpoint> remove(const std::string& ns, const std::string& name);
    std::optional<Endpoint> remove_interface(std::uint32_t host_ifindex);
    // After a grace period: the slot may be given out again.
    void release_slot(std::uint32_t slot);
    // A slot that the kernel uses for something this table does not know.
    void reserve_slot(std::uint32_t slot);

    const Endpoint* find(const std::string& ns, const std::string& name) const;
    const Endpoint* find_container(const std::string& container) const; // not for an empty id
    const Endpoint* find_slot(std::uint32_t slot) const;
    const std::map<std::uint32_t, Endpoint>& all() const { return endpoints_; } // by slot

    // Writes the file anew and renames it into place, mode 0600.
    Result<> save() const;
    // Reads the file and keeps what is still there: a host interface of the same index, MAC and
    // peer. Returns one notice for each endpoint that was dropped. No file: nothing, no error. A
    // file that cannot be understood is an error: to go on would take the policy off its endpoints.
    Result<std::vector<std::string>> restore();

private:
    Result<EndpointChange> enter(Endpoint endpoint);
    std::optional<Endpoint> take_out(std::uint32_t slot);
    // The interface's home slot, or the next one that is free.
    std::optional<std::uint32_t> find_free_slot(std::uint32_t host_ifindex) const;

    std::filesystem::path file_;
    std::map<std::uint32_t, Endpoint> endpoints_;
    std::set<std::uint32_t> held_slots_; // freed or foreign: not to be given out
};

} // namespace weir
