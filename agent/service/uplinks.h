// SPDX-License-Identifier: Apache-2.0
// The node's interfaces to the outside, and the programs on them that balance what comes in there.
// Lives on the thread that runs the io_context.
#pragma once

#include <boost/asio/steady_timer.hpp>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "agent/service/source_ports.h"
#include "loader/result.h"
#include "loader/uplink_dataplane.h"
#include "policy/address.h"

namespace boost::asio {
class io_context;
}

namespace weir {

struct Config;

struct Uplink {
    std::string name;
    UplinkState state;
    std::string error; // why it has no programs; empty: it has
};

class Uplinks {
public:
    // Null with --uplink none: what an earlier agent attached is taken off.
    static Result<std::unique_ptr<Uplinks>> open(boost::asio::io_context& context,
                                                 const Config& config,
                                                 const ServiceDataplane& services);

    // Puts the programs onto the uplinks, and from then on every few seconds wherever they are
    // missing: interfaces and default routes come and go. node: the Node object's addresses, of
    // which those that an uplink has are preferred.
    void start(const std::vector<Address>& node);

    const std::vector<Uplink>& all() const { return uplinks_; }
    const UplinkDataplane& dataplane() const { return dataplane_; }
    const SourcePorts& source_ports() const { return ports_; }

private:
    Uplinks(boost::asio::io_context& context, const Config& config, UplinkDataplane dataplane,
            SourcePorts ports);

    void update();
    Result<> write_node();
    void attach(Uplink& uplink);
    void wait();

    std::set<std::string> names_; // "auto": those of the default routes
    UplinkWish wish_;
    UplinkDataplane dataplane_;
    SourcePorts ports_;
    std::vector<Address> node_;
    std::vector<Uplink> uplinks_;
    weir_uplink written_{};
    boost::asio::steady_timer timer_;
};

} // namespace weir
