// SPDX-License-Identifier: Apache-2.0
// Whether a state could be brought into force, before the agent that enforces is asked to yield.
#pragma once

#include "loader/result.h"

namespace weir {

class Inventory;
struct Config;

// Compiles it for the endpoints that the running agent has, and writes nothing. Fails when it does
// not fit the maps of the configuration, or the endpoints cannot be read.
Result<> rehearse(const Config& config, const Inventory& inventory);

} // namespace weir
