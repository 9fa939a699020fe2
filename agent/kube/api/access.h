// SPDX-License-Identifier: Apache-2.0
// How to reach a Kubernetes API server and who to be there: what a kubeconfig or a pod's service
// account says. Files are named, not read: what is in them is read for each request, so that a
// rotated token or certificate is followed.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "agent/kube/api/url.h"
#include "loader/result.h"

namespace weir {

// PEM text, or the file that it is in. Both empty: not given.
struct PemSource {
    std::string file;
    std::string text;

    bool is_given() const { return !file.empty() || !text.empty(); }
    bool operator==(const PemSource&) const = default;
};

struct ApiAccess {
    Url server;              // http or https
    std::vector<Url> others; // servers that will do as well, asked when it cannot be reached
    PemSource authorities;   // that sign the server's certificate; not given: the system's
    std::string server_name; // that the certificate has to bear; empty: the server's host
    bool skips_verification = false;
    std::optional<Url> proxy; // http, by CONNECT; for all servers

    PemSource certificate; // of the client, with its key
    PemSource key;
    std::string token;
    std::string token_file; // wins over token
    std::string basic;      // "user:password"

    std::vector<std::string> warnings; // to log once

    std::string url() const { return server.scheme + "://" + server.authority() + server.path; }
    bool operator==(const ApiAccess&) const = default;
};

// Asked for each request, so that a kubeconfig that changes is followed.
using AccessProvider = std::function<Result<ApiAccess>()>;

// The access that a pod has: environment and the files of its service account. servers: HOST:PORT
// of API servers, instead of the cluster's service address, which somebody has to translate.
// Fails when this is no pod.
Result<ApiAccess> in_cluster_access(
    const std::vector<std::string>& servers = {},
    const std::string& folder = "/var/run/secrets/kubernetes.io/serviceaccount");

// What the files say now.
struct Secrets {
    std::string authorities;
    std::string certificate;
    std::string key;
    std::string authorization; // of the HTTP header; empty: none

    // Whether a connection made with these is as good as one made with those.
    bool is_same_identity(const Secrets& other) const {
        return authorities == other.authorities && certificate == other.certificate &&
               key == other.key;
    }
};
// Fails when a file cannot be read or is empty.
Result<Secrets> read_secrets(const ApiAccess& access);

std::string base64_encode(const std::string& bytes);
// Nothing when it is no base64. White space between is allowed.
std::optional<std::string> base64_decode(std::string_view text);

} // namespace weir
