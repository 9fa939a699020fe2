// SPDX-License-Identifier: Apache-2.0
// weir-cni's end of the socket.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "agent/cni/protocol.h"

namespace weir {

// The agent's reply, or why there is none: nobody listens, it takes longer than the timeout, or it
// hangs up. Then what was asked may have happened or not.
std::expected<CniReply, std::string> call_agent(const std::string& socket,
                                                const CniRequest& request,
                                                std::chrono::milliseconds timeout);

} // namespace weir
