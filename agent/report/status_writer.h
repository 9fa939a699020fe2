// SPDX-License-Identifier: Apache-2.0
// Writes status conditions to the Kubernetes API, one request at a time and beside everything else.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <memory>
#include <vector>

#include "agent/kube/api/client.h"
#include "agent/report/status_plan.h"
#include "agent/report/write_warning.h"

namespace weir {

class StatusWriter {
public:
    // On the io_context's thread, as everything here.
    StatusWriter(boost::asio::io_context& context, const AccessProvider& access);
    ~StatusWriter();

    // All writes that the objects need as they stand.
    void observe(const std::vector<StatusWrite>& writes);

    const StatusCounts& counts() const { return plan_.counts(); }

private:
    void send();

    StatusPlan plan_;
    std::shared_ptr<ApiClient> client_;
    boost::asio::steady_timer timer_;
    bool is_asking_ = false;
    WriteWarning warning_{"status conditions", "patch on the kinds' status subresources"};
};

} // namespace weir
