// SPDX-License-Identifier: Apache-2.0
// Folders that clean up after themselves, and manifests in few words.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "agent/kube/decode.h"
#include "policy/model.h"

namespace weir {

class TemporaryFolder {
public:
    TemporaryFolder();
    ~TemporaryFolder();
    TemporaryFolder(const TemporaryFolder&) = delete;
    TemporaryFolder& operator=(const TemporaryFolder&) = delete;

    std::string path(std::string_view below = {}) const;
    // Writes in place (not atomically), creating folders as needed.
    std::string write(std::string_view below, std::string_view content) const;

private:
    std::filesystem::path path_;
};

// A NetworkPolicy ns/name that allows ingress to pods app=label from anywhere.
std::string policy_yaml(std::string_view ns, std::string_view name, std::string_view label = "web");
// The same with an unknown protocol, which the API server refuses.
std::string bad_policy_yaml(std::string_view ns, std::string_view name);

ObjectKey policy_key(std::string_view ns, std::string_view name);
// The label value that the policy of policy_yaml() selects.
std::string selected_label(const Object& policy);

std::string read_testdata(const std::string& name);
std::string testdata_folder();

} // namespace weir
