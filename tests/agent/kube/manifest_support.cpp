// SPDX-License-Identifier: Apache-2.0
#include "tests/agent/kube/manifest_support.h"

#include <cstdlib>
#include <fstream>
#include <sstream>

namespace weir {

TemporaryFolder::TemporaryFolder() {
    std::string path = (std::filesystem::temp_directory_path() / "weir-manifests-XXXXXX").string();
    path_ = ::mkdtemp(path.data());
}

TemporaryFolder::~TemporaryFolder() {
    std::error_code error;
    std::filesystem::remove_all(path_, error);
}

std::string TemporaryFolder::path(std::string_view below) const {
    return below.empty() ? path_.string() : (path_ / below).string();
}

std::string TemporaryFolder::write(std::string_view below, std::string_view content) const {
    const std::filesystem::path file = path_ / below;
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file, std::ios::binary) << content;
    return file.string();
}

std::string policy_yaml(std::string_view ns, std::string_view name, std::string_view label) {
    std::ostringstream yaml;
    yaml << "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: " << name
         << ", namespace: " << ns << "}\nspec:\n  podSelector: {matchLabels: {app: " << label
         << "}}\n  ingress:\n  - {}\n";
    return yaml.str();
}

std::string bad_policy_yaml(std::string_view ns, std::string_view name) {
    return policy_yaml(ns, name) + "  - ports: [{protocol: ICMP}]\n";
}

ObjectKey policy_key(std::string_view ns, std::string_view name) {
    return {Kind::kNetworkPolicy, {Symbol(std::string(ns)), Symbol(std::string(name))}};
}

std::string selected_label(const Object& policy) {
    return std::get<NetworkPolicy>(policy).subjects.requirements.at(0).values.at(0).get();
}

std::string testdata_folder() {
    const char* source = std::getenv("WEIR_SOURCE_DIR");
    return std::string(source == nullptr ? "." : source) + "/tests/agent/kube/testdata";
}

std::string read_testdata(const std::string& name) {
    std::ifstream in(testdata_folder() + "/" + name, std::ios::binary);
    std::ostringstream content;
    content << in.rdbuf();
    return content.str();
}

} // namespace weir
