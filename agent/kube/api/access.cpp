// SPDX-License-Identifier: Apache-2.0
#include "agent/kube/api/access.h"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <memory>
#include <utility>

#include "agent/kube/api/proxy.h"

namespace weir {
namespace {

constexpr std::size_t kMaxFile = 1 << 20;

Result<std::string> read_file(const std::string& path, const char* what) {
    errno = 0;
    std::ifstream file(path, std::ios::binary);
    if (!file) return failure_errno(fmt::format("read the {} {}", what, path));
    std::string text(std::istreambuf_iterator<char>(file), {});
    if (text.empty() || text.size() > kMaxFile) {
        return failure(fmt::format("the {} {} is {}", what, path,
                                   text.empty() ? "empty" : "larger than a megabyte"));
    }
    return text;
}

Result<std::string> read_pem(const PemSource& source, const char* what) {
    if (source.file.empty()) return source.text;
    return read_file(source.file, what);
}

Result<std::string> read_authorization(const ApiAccess& access) {
    if (!access.token_file.empty()) {
        auto token = read_file(access.token_file, "token");
        if (!token) return token;
        const auto end = token->find_last_not_of(" \t\r\n");
        token->resize(end == std::string::npos ? 0 : end + 1);
        return "Bearer " + *token;
    }
    if (!access.token.empty()) return "Bearer " + access.token;
    if (!access.basic.empty()) return "Basic " + base64_encode(access.basic);
    return std::string();
}

constexpr const char* kServiceName = "kubernetes.default.svc"; // in every server's certificate

// By the service's address.
Result<> take_service(ApiAccess& access) {
    const std::string host = process_environment("KUBERNETES_SERVICE_HOST");
    const std::string port = process_environment("KUBERNETES_SERVICE_PORT");
    if (host.empty() || port.empty()) {
        return failure(
            "KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not set, so this is no pod: "
            "name a source with --kubeconfig or --manifests");
    }
    access.server = {.scheme = "https", .user = "", .host = host, .port = port, .path = ""};
    return {};
}

Result<> take_servers(const std::vector<std::string>& servers, ApiAccess& access) {
    for (const std::string& text : servers) {
        auto url = parse_url("https://" + text);
        if (!url || !url->path.empty() || !url->user.empty()) {
            return failure("--api-server '" + text +
                           "': must be HOST:PORT of an API server, as in 192.0.2.10:6443");
        }
        access.others.push_back(std::move(*url));
    }
    access.server = access.others.front();
    access.others.erase(access.others.begin());
    access.server_name = kServiceName;
    return {};
}

} // namespace

Result<ApiAccess> in_cluster_access(const std::vector<std::string>& servers,
                                    const std::string& folder) {
    ApiAccess access;
    auto taken = servers.empty() ? take_service(access) : take_servers(servers, access);
    if (!taken) return std::unexpected(std::move(taken.error()));
    auto proxy = proxy_from_environment(access.server);
    if (!proxy) return std::unexpected(std::move(proxy.error()));
    access.proxy = std::move(*proxy);
    access.token_file = folder + "/token";
    access.authorities.file = folder + "/ca.crt";
    if (auto secrets = read_secrets(access); !secrets) {
        return failure(secrets.error().what + "; the pod needs automountServiceAccountToken: true");
    }
    return access;
}

Result<Secrets> read_secrets(const ApiAccess& access) {
    auto authorities = read_pem(access.authorities, "certificate authority");
    if (!authorities) return std::unexpected(authorities.error());
    auto certificate = read_pem(access.certificate, "client certificate");
    if (!certificate) return std::unexpected(certificate.error());
    auto key = read_pem(access.key, "client key");
    if (!key) return std::unexpected(key.error());
    auto authorization = read_authorization(access);
    if (!authorization) return std::unexpected(authorization.error());
    return Secrets{std::move(*authorities), std::move(*certificate), std::move(*key),
                   std::move(*authorization)};
}

std::string base64_encode(const std::string& bytes) {
    std::string text((bytes.size() + 2) / 3 * 4 + 1, '\0');
    const int length = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()),
                                       reinterpret_cast<const unsigned char*>(bytes.data()),
                                       static_cast<int>(bytes.size()));
    text.resize(static_cast<std::size_t>(length));
    return text;
}

std::optional<std::string> base64_decode(std::string_view text) {
    if (text.size() > kMaxFile * 2) return std::nullopt;
    const std::unique_ptr<EVP_ENCODE_CTX, decltype(&EVP_ENCODE_CTX_free)> decoder(
        EVP_ENCODE_CTX_new(), EVP_ENCODE_CTX_free);
    EVP_DecodeInit(decoder.get());
    std::string bytes(text.size() / 4 * 3 + 3, '\0');
    auto* out = reinterpret_cast<unsigned char*>(bytes.data());
    int taken = 0;
    int last = 0;
    const int state = EVP_DecodeUpdate(decoder.get(), out, &taken,
                                       reinterpret_cast<const unsigned char*>(text.data()),
                                       static_cast<int>(text.size()));
    if (state < 0 || EVP_DecodeFinal(decoder.get(), out + taken, &last) < 0) return std::nullopt;
    bytes.resize(static_cast<std::size_t>(taken) + static_cast<std::size_t>(last));
    return bytes;
}

} // namespace weir
