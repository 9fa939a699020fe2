// SPDX-License-Identifier: Apache-2.0
// The `weir` program: one binary, the daemon and its command line.
#include <exception>
#include <iostream>

#include "agent/cli/cli.h"

int main(int argc, char** argv) {
    try {
        return weir::cli::run(argc, argv);
    } catch (const std::exception& error) { // a library's: ours are Results
        std::cerr << "weir: " << error.what() << '\n';
        return 2;
    }
}
