// SPDX-License-Identifier: Apache-2.0
// Keeps the kernel in step with the desired state: endpoints and objects in, revisions out. A
// revision is compiled, written and in force, or the one before stays in force.
// Lives on the thread that runs the io_context.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "agent/endpoint/endpoint_table.h"
#include "loader/dataplane.h"
#include "loader/result.h"
#include "policy/compiler.h"

namespace boost::asio {
class io_context;
}

namespace weir {

struct Config;
class InterfaceWatch;
class Reclaimer;

// The newest revision, and what came between it and a newer one.
struct RevisionStatus {
    std::uint32_t revision = 0;
    bool is_in_force = false; // false until this agent has written its first one
    std::chrono::system_clock::time_point since;
    double compile_seconds = 0; // of the last one, compile and writes
    std::optional<DoesNotFit> does_not_fit;
    std::string write_error; // empty unless the last write failed
};

// What the compiler is told beside the state.
CompilerOptions compiler_options(const Config& config, const Limits& limits);
LocalPod local_pod(const Endpoint& endpoint);

class Enforcer {
public:
    // Opens the maps, or adopts an earlier agent's, and restores the endpoints. Policy is that of
    // the earlier agent until the first enforce().
    static Result<std::unique_ptr<Enforcer>> open(boost::asio::io_context& context,
                                                  const Config& config);
    ~Enforcer();

    // Called after each revision that came into force.
    void on_revision(std::function<void(const RevisionStatus&)> callback);

    // Called when something went wrong with the programs of a pod of this node: reason in one word,
    // and what happened.
    using OnPodTrouble = std::function<void(const ObjectName&, const char*, const std::string&)>;
    void on_pod_trouble(OnPodTrouble callback);

    // Desired state, the whole of it the first time. Compiled soon, several changes together when
    // they come fast.
    void apply(const Change& change);
    // Compiles and writes now, and attaches the restored endpoints. Fails when the state does not
    // fit or cannot be written: the old revision is in force then. EAGAIN before the first apply():
    // an earlier agent's revision stays, if there is one.
    Result<> enforce();

    // Returns when the pod's policy is in force. EAGAIN before the first apply().
    Result<EndpointChange> add_endpoint(const EndpointSpec& spec);
    // Attaches the programs again where somebody took them off, and counts it.
    Result<> mend_hooks();
    std::uint64_t hooks_mended() const { return hooks_mended_; } // endpoints, since the start
    // False when there is no such endpoint.
    Result<bool> remove_endpoint(const std::string& ns, const std::string& name);

    const EndpointTable& endpoints() const { return endpoints_; }
    const Compiler& compiler() const { return compiler_; }
    const Dataplane& dataplane() const { return dataplane_; }
    Dataplane& dataplane() { return dataplane_; }
    const RevisionStatus& revision() const { return status_; }
    // Whether everything that was applied is in force.
    bool is_up_to_date() const {
        return status_.is_in_force && !is_enforcing_soon_ && !status_.does_not_fit &&
               status_.write_error.empty();
    }

private:
    Enforcer(boost::asio::io_context& context, const Config& config, Dataplane dataplane);

    Result<> restore();
    Result<> adopt();
    Result<> write(const Transaction& transaction);
    Result<> connect(const Endpoint& endpoint); // bind and attach
    void pod_trouble(const Endpoint& endpoint, const char* reason, const std::string& what);
    void disconnect(const Endpoint& endpoint); // the other way round, and free the slot
    void forget(const Endpoint& endpoint);     // the same, but the programs stay and drop all
    void set_local(const Endpoint& endpoint);
    void withdraw(const Endpoint& endpoint);
    void refresh_endpoints(const Change& change);
    void interface_gone(std::uint32_t ifindex);
    void interfaces_left(const std::set<std::uint32_t>& existing);
    void enforce_soon();
    void reclaim_after(std::uint64_t commit);
    void retry_later();

    boost::asio::io_context& context_;
    Dataplane dataplane_;
    EndpointTable endpoints_;
    Compiler compiler_;
    RevisionStatus status_;
    std::function<void(const RevisionStatus&)> on_revision_;
    OnPodTrouble on_pod_trouble_;
    std::vector<std::uint32_t>
        unconnected_; // slots of restored endpoints, until the first revision
    bool is_enforcing_soon_ = false;
    bool has_desired_state_ = false;
    std::uint64_t hooks_mended_ = 0;
    std::unique_ptr<Reclaimer> reclaimer_;
    std::unique_ptr<InterfaceWatch> watch_;
};

} // namespace weir
