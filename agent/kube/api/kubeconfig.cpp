// SPDX-License-Identifier: Apache-2.0
#include "agent/kube/api/kubeconfig.h"

#include <fmt/format.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <utility>

#include "agent/kube/api/proxy.h"
#include "agent/kube/document.h"

namespace weir {
namespace {

// Reads members of one mapping; the first thing wrong is remembered, with its line and field.
class Section {
public:
    Section(const std::string& path, std::string name, const Value& value)
        : path_(path), name_(std::move(name)), value_(value) {}

    const Value* find(std::string_view field) const {
        const Value* member = value_.find(field);
        return member == nullptr || member->kind == Value::Kind::kNull ? nullptr : member;
    }
    std::string text(std::string_view field) const {
        const Value* member = find(field);
        return member == nullptr ? "" : std::string(member->text);
    }
    // Relative file names are relative to the kubeconfig's folder.
    std::string file(std::string_view field) const {
        const std::string name = text(field);
        if (name.empty()) return {};
        return (std::filesystem::path(path_).parent_path() / name).lexically_normal().string();
    }
    Result<PemSource> pem(const std::string& field) const {
        PemSource source;
        const std::string data = text(field + "-data");
        if (data.empty()) {
            source.file = file(field);
            return source;
        }
        auto decoded = base64_decode(data); // "-data" wins, as for kubectl
        if (!decoded || decoded->empty()) return wrong(field + "-data", "is no base64");
        source.text = std::move(*decoded);
        return source;
    }
    std::unexpected<Error> wrong(std::string_view field, std::string_view what) const {
        const Value* at = value_.find(field);
        return failure(fmt::format("{}:{}: {}.{} {}", path_, (at == nullptr ? value_ : *at).line,
                                   name_, field, what));
    }

private:
    const std::string& path_;
    std::string name_; // "users[admin].user"
    const Value& value_;
};

// The entry of that name in one of the three lists: {name: NAME, KIND: {...}}.
Result<Section> entry(const std::string& path, const Value& root, const std::string& list,
                      const std::string& kind, const std::string& name) {
    const Value* entries = root.find(list);
    const Value* item = entries == nullptr ? nullptr : entries->first;
    while (item != nullptr) {
        const Value* item_name = item->find("name");
        if (item_name != nullptr && item_name->text == name) break;
        item = item->next;
    }
    if (item == nullptr) {
        return failure(
            fmt::format("{}: {} has no entry named '{}': add it, or choose another context with "
                        "--context",
                        path, list, name));
    }
    const Value* body = item->find(kind);
    if (body == nullptr || body->kind != Value::Kind::kMapping) {
        return failure(fmt::format("{}:{}: {}[{}].{} is missing or no mapping", path, item->line,
                                   list, name, kind));
    }
    return Section(path, fmt::format("{}[{}].{}", list, name, kind), *body);
}

Result<> take_cluster(const Section& cluster, ApiAccess& access) {
    if (cluster.find("server") == nullptr) return cluster.wrong("server", "is missing");
    auto server = parse_url(cluster.text("server"));
    if (!server) return cluster.wrong("server", server.error().what);
    if (server->scheme != "https" && server->scheme != "http") {
        return cluster.wrong("server", "must begin with https:// or http://");
    }
    access.server = std::move(*server);
    auto authorities = cluster.pem("certificate-authority");
    if (!authorities) return std::unexpected(authorities.error());
    access.authorities = std::move(*authorities);
    access.server_name = cluster.text("tls-server-name");
    if (const Value* skips = cluster.find("insecure-skip-tls-verify")) {
        access.skips_verification = to_boolean(*skips).value_or(false);
    }
    if (access.skips_verification && access.authorities.is_given()) {
        return cluster.wrong("insecure-skip-tls-verify",
                             "contradicts certificate-authority: remove one of the two");
    }
    if (access.skips_verification) {
        access.warnings.push_back(
            "the kubeconfig says insecure-skip-tls-verify: whoever answers in the API server's "
            "place decides this node's policy; give certificate-authority instead");
    }
    if (cluster.find("proxy-url") == nullptr) return {};
    auto proxy = parse_url(cluster.text("proxy-url"));
    if (!proxy) return cluster.wrong("proxy-url", proxy.error().what);
    if (proxy->scheme != "http") {
        return cluster.wrong("proxy-url",
                             "must begin with http://: no other proxies are spoken to");
    }
    access.proxy = std::move(*proxy);
    return {};
}

// What needs a program that the node does not have, or an identity that Weir does not take.
Result<> refuse_plugins(const Section& user) {
    static constexpr auto kRemedy =
        "is not supported: an agent without a person beside it needs a credential of its own; give "
        "a service account's token or tokenFile, or client-certificate and client-key";
    for (const char* field : {"exec", "auth-provider", "as", "as-groups", "as-uid"}) {
        if (user.find(field) != nullptr) return user.wrong(field, kRemedy);
    }
    return {};
}

Result<> take_user(const Section& user, ApiAccess& access) {
    if (auto refused = refuse_plugins(user); !refused) return refused;
    auto certificate = user.pem("client-certificate");
    if (!certificate) return std::unexpected(certificate.error());
    auto key = user.pem("client-key");
    if (!key) return std::unexpected(key.error());
    if (certificate->is_given() != key->is_given()) {
        return user.wrong(certificate->is_given() ? "client-certificate" : "client-key",
                          "needs client-certificate and client-key together");
    }
    access.certificate = std::move(*certificate);
    access.key = std::move(*key);
    access.token = user.text("token");
    access.token_file = user.file("tokenFile");
    if (user.find("username") != nullptr) {
        access.basic = user.text("username") + ":" + user.text("password");
    }
    return {};
}

} // namespace

Result<ApiAccess> parse_kubeconfig(const std::string& path, std::string_view text,
                                   const std::string& context) {
    const auto document = Document::parse({text, 1});
    if (!document) {
        return failure(fmt::format("{}:{}:{}: syntax error: {}", path, document.error().line,
                                   document.error().column, document.error().what));
    }
    const Value& root = document->root();
    if (root.kind != Value::Kind::kMapping) {
        return failure(path + ": no kubeconfig: must be a mapping with clusters, users, contexts");
    }
    const Value* current = root.find("current-context");
    const std::string chosen = !context.empty()     ? context
                               : current == nullptr ? ""
                                                    : std::string(current->text);
    if (chosen.empty()) {
        return failure(path + ": current-context is not set: set it, or give --context");
    }
    const auto names = entry(path, root, "contexts", "context", chosen);
    if (!names) return std::unexpected(names.error());
    const auto cluster = entry(path, root, "clusters", "cluster", names->text("cluster"));
    if (!cluster) return std::unexpected(cluster.error());
    ApiAccess access;
    if (auto taken = take_cluster(*cluster, access); !taken) return std::unexpected(taken.error());
    if (names->text("user").empty()) return access;
    const auto user = entry(path, root, "users", "user", names->text("user"));
    if (!user) return std::unexpected(user.error());
    if (auto taken = take_user(*user, access); !taken) return std::unexpected(taken.error());
    return access;
}

Result<ApiAccess> read_kubeconfig(const std::string& path, const std::string& context) {
    errno = 0;
    std::ifstream file(path, std::ios::binary);
    if (!file) return failure_errno("read the kubeconfig " + path);
    const std::string text(std::istreambuf_iterator<char>(file), {});
    auto access = parse_kubeconfig(path, text, context);
    if (!access) return access;
    if (!access->proxy) {
        auto proxy = proxy_from_environment(access->server);
        if (!proxy) return std::unexpected(std::move(proxy.error()));
        access->proxy = std::move(*proxy);
    }
    // A file that is named and missing is a mistake now and not news later.
    if (auto secrets = read_secrets(*access); !secrets) {
        return failure(path + ": " + secrets.error().what);
    }
    return access;
}

} // namespace weir
