// SPDX-License-Identifier: Apache-2.0
// Keeps weir-cni installed while the agent runs: whoever rewrites the network configuration (the
// cluster's own CNI does at its start) would start pods without Weir from then on.
#pragma once

#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstdint>
#include <optional>
#include <string>

#include "agent/cni/install.h"
#include "agent/kube/inotify.h"

namespace weir {

class CniInstaller {
public:
    // No conf_dir: it does nothing. Lives on the io_context's thread.
    CniInstaller(boost::asio::io_context& context, CniPlaces places);

    // Installs, and mends from here on. Fails where mending could not help: no such folder or
    // program. No configuration yet is no failure: it is chained when it comes.
    Result<> start();

    bool is_enabled() const { return !places_.conf_dir.empty(); }
    bool is_chained() const { return is_chained_; }
    std::uint64_t mended() const { return mended_; }
    // For people; empty when all is well.
    const std::string& problem() const { return problem_; }

private:
    void wait();
    void mend();
    void mend_after(std::chrono::milliseconds delay);
    Result<> install();
    Result<> watch();

    CniPlaces places_;
    std::optional<Inotify> inotify_;
    boost::asio::posix::stream_descriptor events_; // a duplicate of inotify's
    boost::asio::steady_timer timer_;
    bool is_chained_ = false;
    std::uint64_t mended_ = 0;
    std::string problem_;
};

} // namespace weir
