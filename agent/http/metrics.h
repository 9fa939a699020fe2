// SPDX-License-Identifier: Apache-2.0
// The agent's Prometheus metrics, read from its state when they are asked for. README lists them.
#pragma once

#include <memory>
#include <string>

#include "agent/control/context.h"

namespace weir {

class Reporter;

class Metrics {
public:
    // reporter: null without the API. Both outlive it.
    Metrics(const ControlContext& context, const Reporter* reporter);
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
