// SPDX-License-Identifier: Apache-2.0
// kubeconfig files, as kubectl reads them: clusters, users, contexts.
#pragma once

#include <string>
#include <string_view>

#include "agent/kube/api/access.h"
#include "loader/result.h"

namespace weir {

// context: the name of one of the file's; empty: its current-context. folder: that relative file
// names in it are relative to. Errors name path, the field and the remedy; fields that would need
// another program or an identity provider are refused.
Result<ApiAccess> parse_kubeconfig(const std::string& path, std::string_view text,
                                   const std::string& context);

Result<ApiAccess> read_kubeconfig(const std::string& path, const std::string& context);

} // namespace weir
