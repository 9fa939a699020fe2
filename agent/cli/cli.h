// SPDX-License-Identifier: Apache-2.0
// The `weir` command line: builds the tree of commands, parses, runs one.
#pragma once

namespace weir::cli {

// Returns the exit status of the process.
int run(int argc, char** argv);

} // namespace weir::cli
