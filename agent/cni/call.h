// SPDX-License-Identifier: Apache-2.0
// weir-cni's end of the socket.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "agent/cni/protocol.h"

namespace weir {

// An agent may be taking over from another: for so long nobody answers at most.
inline constexpr std::chrono::seconds kHandOver{10};

// The agent's reply, or why there is none: nobody listens, it takes longer than the timeout, or it
// hangs up. Then what was asked may have happened or not. An ADD, which may be repeated, is asked
// again within kHandOver where nobody listens or somebody hangs up.
std::expected<CniReply, std::string> call_agent(const std::string& socket,
                                                const CniRequest& request,
                                                std::chrono::milliseconds timeout);

} // namespace weir
