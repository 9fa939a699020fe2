// SPDX-License-Identifier: Apache-2.0
// The text of a CNI network configuration with weir-cni chained in, and without. Edited as text, so
// that whatever else is in it stays as its author wrote it, and taking out is the exact inverse of
// putting in.
#pragma once

#include <string>

#include "loader/result.h"

namespace weir {

// Whether a runtime can use it: a list with a name and plugins, or one plugin with a type.
bool is_usable_conflist(const std::string& text);
bool is_usable_conf(const std::string& text);

// A list of that one plugin, whose text is in it unchanged. Precondition: is_usable_conf().
std::string conflist_of(const std::string& conf);

// The plugin object of weir-cni for the agent that listens on the socket; one line.
std::string weir_plugin(const std::string& socket);

// Puts the plugin at the end of the list, or in place of an earlier weir-cni. The same text when it
// is there already. Precondition of both: is_usable_conflist().
std::string chain_plugin(const std::string& conflist, const std::string& plugin);
// Without any weir-cni.
std::string unchain_plugin(const std::string& conflist);

} // namespace weir
