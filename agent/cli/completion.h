// SPDX-License-Identifier: Apache-2.0
// Completion scripts for shells, written from the tree of commands itself.
#pragma once

#include <string>

namespace CLI {
class App;
}

namespace weir::cli {

std::string bash_completion(const CLI::App& root);
std::string zsh_completion(const CLI::App& root);
std::string fish_completion(const CLI::App& root);

} // namespace weir::cli
