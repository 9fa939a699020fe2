// SPDX-License-Identifier: Apache-2.0
// Keeps the kernel's load balancing in step with Services, EndpointSlices and routes. Unlike policy
// it fails through: a Service that cannot be translated is left to whoever serves it otherwise.
// Lives on the thread that runs the io_context.
#pragma once

#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "agent/reclaimer.h"
#include "agent/service/ejector.h"
#include "agent/service/health_ports.h"
#include "agent/service/uplinks.h"
#include "loader/result.h"
#include "loader/service_dataplane.h"
#include "policy/service_compiler.h"

namespace boost::asio {
class io_context;
}

namespace weir {

struct Config;

struct ServiceRevision {
    bool is_in_force = false; // false until this agent has written its first one
    std::uint64_t revision = 0;
    std::chrono::system_clock::time_point since;
    double compile_seconds = 0; // of the last one, compile and writes
    std::string write_error;    // empty unless the last write failed
    std::string ejection_error; // why no outlier can be ejected, though a rule asks for it
};

inline constexpr const char* kNoCgroup = "none";

class Services {
public:
    // Paths of the pods' network namespaces.
    using PodNamespaces = std::function<std::vector<std::string>()>;

    // Opens the maps, or adopts an earlier agent's, whose programs go on until the first revision.
    static Result<std::unique_ptr<Services>> open(boost::asio::io_context& context,
                                                  const Config& config, PodNamespaces pods);
    ~Services();

    // Takes off what an earlier agent of this folder attached. Nothing there: no error.
    static Result<> take_off(const std::string& bpffs);

    // Desired state, the whole of it the first time. In force soon, several changes together when
    // they come fast.
    void apply(const Change& change);

    const ServiceCompiler& compiler() const { return compiler_; }
    const ServiceDataplane& dataplane() const { return dataplane_; }
    const ServiceRevision& revision() const { return revision_; }
    std::uint64_t changes() const { return changes_; } // of Services, endpoints and routes
    const Ejector& ejector() const { return ejector_; }
    // Whose processes' connections are balanced; kNoCgroup: nobody's, only packets are.
    const std::string& cgroup() const { return cgroup_; }
    const Uplinks* uplinks() const { return uplinks_.get(); } // null with --uplink none

private:
    Services(boost::asio::io_context& context, const Config& config, std::string cgroup,
             ServiceDataplane dataplane, std::unique_ptr<Uplinks> uplinks, PodNamespaces pods);

    Result<> adopt();
    void enforce_soon();
    void enforce();
    bool enforce_revision();
    Result<> write();
    Result<> attach();
    void watch_health();
    void retry_later();
    bool has_cgroup() const { return cgroup_ != kNoCgroup; }
    void reclaim_after(std::uint64_t number);
    void close_sockets();
    void release_idle();
    void release_later();

    boost::asio::io_context& context_;
    std::string cgroup_;
    ServiceDataplane dataplane_;
    std::unique_ptr<Uplinks> uplinks_;
    PodNamespaces pods_;
    ServiceCompiler compiler_;
    HealthPorts health_ports_;
    Ejector ejector_;
    Reclaimer reclaimer_;
    boost::asio::steady_timer retry_;
    boost::asio::steady_timer release_;
    std::deque<ServiceTransaction> unwritten_; // in order
    ServiceRevision revision_;
    std::uint64_t changes_ = 0;
    bool is_enforcing_soon_ = false;
    bool is_attached_ = false;
    bool is_releasing_ = false;
};

} // namespace weir
