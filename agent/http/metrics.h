// SPDX-License-Identifier: Apache-2.0
// The agent's Prometheus metrics, read from its state when they are asked for. README lists them.
#pragma once

#include <memory>
#include <string>

#include "agent/control/context.h"

namespace weir {

class Metrics {
public:
    explicit Metrics(const ControlContext& context);
    ~Metrics();

    // A revision came into force after so long.
    void observe_compile(double seconds);
    // In Prometheus' text format.
    std::string text();

private:
    class Registry;
    std::unique_ptr<Registry> registry_;
};

} // namespace weir
