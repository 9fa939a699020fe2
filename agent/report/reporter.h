// SPDX-License-Identifier: Apache-2.0
// Tells the users of the Kubernetes API what Weir cannot do for their objects: as Events, and as
// conditions where the API has them. Looks, once a second, whether there is something new to tell;
// that costs the API server nothing, and nobody who enforces has to think of it.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <optional>
#include <string>
#include <tuple>

#include "agent/kube/api/access.h"
#include "agent/report/event_recorder.h"
#include "agent/report/status_writer.h"
#include "agent/report/turns.h"

namespace weir {

class ApiSource;
class Enforcer;
class Inventory;
class Services;
struct Config;

class Reporter {
public:
    // What it looks at; outlives it.
    struct Sources {
        const ApiSource& api;
        const Inventory& inventory;
        const Enforcer& enforcer;
        const Services* services = nullptr; // null without load balancing
    };

    // Until destruction, on the io_context's thread. Config::has_events and has_status say what is
    // written.
    Reporter(boost::asio::io_context& context, const AccessProvider& access, const Config& config,
             const Sources& sources);

    // Something that happened to a pod of this node. A pod whose object is not known is none of the
    // API's.
    void pod_event(const ObjectName& pod, const std::string& reason, const std::string& note);

    // Null: they are not written.
    const EventCounts* events() const { return events_ ? &events_->counts() : nullptr; }
    const StatusCounts* statuses() const { return statuses_ ? &statuses_->counts() : nullptr; }

private:
    // What cannot change without one of these.
    using Signature =
        std::tuple<std::uint64_t, std::string, std::uint64_t, std::uint64_t, std::size_t>;

    void wait();
    void look();
    Signature signature() const;
    Turns turns() const;
    void look_for_events(const Turns& turns);
    void look_for_status(const Turns& turns);
    void add_misfit(std::vector<Finding>& findings, const Turns& turns) const;

    std::string node_;
    Sources sources_;
    boost::asio::steady_timer timer_;
    std::optional<EventRecorder> events_;
    std::optional<StatusWriter> statuses_;
    Signature last_{};
};

} // namespace weir
