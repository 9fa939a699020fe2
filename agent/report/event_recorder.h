// SPDX-License-Identifier: Apache-2.0
// Writes Events to the Kubernetes API, one request at a time and beside everything else: nobody
// waits for it, and what cannot be written is counted.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <memory>
#include <string>
#include <vector>

#include "agent/kube/api/client.h"
#include "agent/report/event_log.h"
#include "agent/report/write_warning.h"

namespace weir {

class EventRecorder {
public:
    // On the io_context's thread, as everything here. node: this one's name.
    EventRecorder(boost::asio::io_context& context, const AccessProvider& access, std::string node);
    ~EventRecorder();

    // All findings that hold now.
    void observe(const std::vector<Finding>& findings);
    // Something that happened once more.
    void occur(const Finding& finding);

    const EventCounts& counts() const { return log_.counts(); }

private:
    void send();
    void take(const EventCall& call, const Result<ApiClient::Reply>& reply);

    std::string node_;
    EventLog log_;
    std::shared_ptr<ApiClient> client_;
    boost::asio::steady_timer timer_;
    bool is_asking_ = false;
    WriteWarning warning_{"Events", "create, get and patch on events.events.k8s.io"};
};

} // namespace weir
