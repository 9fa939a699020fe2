// SPDX-License-Identifier: Apache-2.0
// Takes outliers out of the kernel's balancing and lets them return, on this node alone: Maglev's
// tables stay what they are. Looks at nothing, and at no time, unless a DestinationRule asks for
// it.
#pragma once

#include <boost/asio/steady_timer.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "agent/service/outlier_detector.h"
#include "loader/result.h"

namespace boost::asio {
class io_context;
}

namespace weir {

class ServiceCompiler;
class ServiceDataplane;
struct WatchedPool;

class Ejector {
public:
    // cgroup: of the processes whose connections tell of failures; empty: nobody's do.
    Ejector(boost::asio::io_context& context, const ServiceCompiler& compiler,
            ServiceDataplane& dataplane, std::string cgroup);

    // Whether the last update() was for what is wanted now. A rule may change that and no map.
    bool is_current() const;
    // Once the programs are attached, while it is not current. After an error it is not.
    Result<> update();

    // Null unless the backend is ejected, or was lately.
    const OutlierDetector::Record* find(std::uint32_t backend) const {
        return detector_.find(backend);
    }
    std::uint64_t ejections() const { return ejections_; } // since the agent started

private:
    std::vector<WatchedPool> wanted() const;
    bool is_watching() const;
    void look_soon();
    void look();
    void look_at(const WatchedPool& pool, OutlierDetector::Clock::time_point now);
    std::vector<std::uint32_t> all_backends() const;
    Result<> return_unwatched(const std::vector<std::uint32_t>& candidates) const;

    boost::asio::steady_timer timer_;
    const ServiceCompiler& compiler_;
    ServiceDataplane& dataplane_;
    std::string cgroup_;
    OutlierDetector detector_;
    std::vector<WatchedPool> pools_;
    std::uint64_t ejections_ = 0;
    bool is_known_ = false;          // what an earlier agent ejected
    std::optional<bool> is_counted_; // by the kernel; nothing: an earlier agent may have begun
};

} // namespace weir
