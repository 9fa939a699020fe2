// SPDX-License-Identifier: Apache-2.0
// What the control API and the admin endpoint look at. Everything referred to belongs to the thread
// that runs the io_context and outlives both servers.
#pragma once

#include <chrono>
#include <functional>

namespace weir {

class Attachments;
class CniInstaller;
class Enforcer;
class FlowStore;
class Inventory;
class Services;
class Source;
struct Config;

struct ControlContext {
    const Config& config;
    Enforcer& enforcer;
    const Inventory& inventory;
    FlowStore& flows;
    const Source& source;
    const Attachments& attachments;
    const CniInstaller& installer;
    const Services* services = nullptr; // without --services on
    std::function<void()> yield; // leaves the node to another agent, after this turn of the loop
    std::chrono::system_clock::time_point started;
};

} // namespace weir
