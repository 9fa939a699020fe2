// SPDX-License-Identifier: Apache-2.0
// The one way in which a command shows an answer of the agent or the lack of one, and that it
// failed.
#pragma once

#include "agent/cli/client.h"
#include "agent/cli/command.h"
#include "agent/cli/output.h"

namespace weir::cli {

// JSON as it is, else by the given function; an error goes to standard error and the exit status.
template <typename T, typename Print>
void show(const Answer<T>& answer, Options& options, Print&& print) {
    if (!answer) {
        print_error(answer.error().message);
        options.exit_status = answer.error().exit_status;
    } else if (options.is_json()) {
        print_json(*answer);
    } else {
        print(*answer);
    }
}

// To standard error and the exit status.
inline void fail(const std::string& what, Options& options) {
    print_error(what);
    options.exit_status = kNegative;
}

} // namespace weir::cli
