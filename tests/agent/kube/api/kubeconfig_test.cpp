// SPDX-License-Identifier: Apache-2.0
#include "agent/kube/api/kubeconfig.h"

#include <gmock/gmock.h>

#include <cstdlib>

#include "tests/agent/kube/manifest_support.h"

namespace weir {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

// A kubeconfig with this cluster and user, both flow mappings.
std::string kubeconfig(const std::string& cluster, const std::string& user) {
    return "apiVersion: v1\nkind: Config\ncurrent-context: here\npreferences: {}\n"
           "contexts:\n- {name: here, context: {cluster: c, user: u, namespace: x}}\n"
           "- {name: nobody, context: {cluster: c}}\n"
           "- {name: broken, context: {cluster: gone, user: u}}\n"
           "clusters:\n- name: c\n  cluster: {" +
           cluster + "}\nusers:\n- name: u\n  user: {" + user + "}\n";
}

Result<ApiAccess> parse(const std::string& cluster, const std::string& user,
                        const std::string& context = "") {
    return parse_kubeconfig("/etc/weir/config", kubeconfig(cluster, user), context);
}

// The error of a kubeconfig that is refused.
std::string refusal(const std::string& cluster, const std::string& user) {
    const auto access = parse(cluster, user);
    return access ? "accepted" : access.error().what;
}

const std::string kServer = "server: 'https://10.0.0.1:6443'";

TEST(Kubeconfig, ServerTokenAndFilesRelativeToIt) {
    const auto access = parse(kServer + ", certificate-authority: pki/ca.crt, tls-server-name: api",
                              "tokenFile: ../token, token: inline");
    ASSERT_TRUE(access) << access.error().what;
    EXPECT_EQ(access->url(), "https://10.0.0.1:6443");
    EXPECT_EQ(access->authorities.file, "/etc/weir/pki/ca.crt");
    EXPECT_EQ(access->server_name, "api");
    EXPECT_EQ(access->token_file, "/etc/token");
    EXPECT_EQ(access->token, "inline");
    EXPECT_THAT(access->warnings, IsEmpty());
}

TEST(Kubeconfig, InlineDataWinsOverFiles) {
    const auto access =
        parse(kServer + ", certificate-authority: x, certificate-authority-data: 'Q0E='",
              "client-certificate-data: Q0VSVA==, client-key-data: S0VZ");
    ASSERT_TRUE(access) << access.error().what;
    EXPECT_EQ(access->authorities.text, "CA");
    EXPECT_THAT(access->authorities.file, IsEmpty());
    EXPECT_EQ(access->certificate.text, "CERT");
    EXPECT_EQ(access->key.text, "KEY");
}

TEST(Kubeconfig, AnyContextCanBeChosen) {
    const auto anonymous = parse(kServer, "token: x", "nobody");
    ASSERT_TRUE(anonymous);
    EXPECT_THAT(anonymous->token, IsEmpty());
    EXPECT_THAT(parse(kServer, "", "broken").error().what,
                HasSubstr("clusters has no entry named 'gone'"));
    EXPECT_THAT(parse(kServer, "", "other").error().what, HasSubstr("choose another context"));
    EXPECT_THAT(parse_kubeconfig("f", "clusters: []", "").error().what,
                HasSubstr("f: current-context is not set"));
}

TEST(Kubeconfig, AddressesWithPathPortAndIpv6) {
    EXPECT_EQ(parse("server: 'https://[fd00::1]:6443/k8s/clusters/c1/'", "")->url(),
              "https://[fd00::1]:6443/k8s/clusters/c1");
    EXPECT_EQ(parse("server: 'HTTPS://api.example'", "")->server.port, "443");
    EXPECT_EQ(parse("server: 'http://localhost:8001'", "")->url(), "http://localhost:8001");
    for (const char* bad : {"10.0.0.1", "ftp://x", "https://", "https://x:0", "https://[::1",
                            "https://x:99999", "https://x/?a=b"}) {
        EXPECT_THAT(refusal(std::string("server: '") + bad + "'", ""),
                    HasSubstr("/etc/weir/config:11: clusters[c].cluster.server"))
            << bad;
    }
    EXPECT_THAT(refusal("", ""), HasSubstr("clusters[c].cluster.server is missing"));
}

TEST(Kubeconfig, ProxiesOfHttp) {
    const auto access = parse(kServer + ", proxy-url: 'http://me:p%40ss@proxy:3128'", "");
    ASSERT_TRUE(access);
    EXPECT_EQ(access->proxy->authority(), "proxy:3128");
    EXPECT_EQ(access->proxy->user, "me:p@ss");
    EXPECT_THAT(refusal(kServer + ", proxy-url: 'socks5://proxy'", ""), HasSubstr("proxy-url"));
}

TEST(Kubeconfig, NoVerificationOnlyWithAWarning) {
    const auto access = parse(kServer + ", insecure-skip-tls-verify: true", "");
    ASSERT_TRUE(access);
    EXPECT_TRUE(access->skips_verification);
    EXPECT_THAT(access->warnings, SizeIs(1));
    EXPECT_THAT(refusal(kServer + ", insecure-skip-tls-verify: true, certificate-authority: x", ""),
                HasSubstr("contradicts certificate-authority"));
}

TEST(Kubeconfig, PluginsAreRefusedByFieldAndWithARemedy) {
    for (const char* field : {"exec: {command: aws}", "auth-provider: {name: oidc}", "as: admin"}) {
        const std::string why = refusal(kServer, field);
        EXPECT_THAT(why, HasSubstr("/etc/weir/config:14: users[u].user."));
        EXPECT_THAT(why, HasSubstr(std::string(field).substr(0, std::string(field).find(':'))));
        EXPECT_THAT(why, HasSubstr("give a service account's token"));
    }
}

TEST(Kubeconfig, MistakesAreNamed) {
    EXPECT_THAT(refusal(kServer, "client-key: a"), HasSubstr("client-key needs"));
    EXPECT_THAT(refusal(kServer + ", certificate-authority-data: '%%'", ""),
                HasSubstr("certificate-authority-data is no base64"));
    EXPECT_THAT(parse_kubeconfig("f", "a: [", "").error().what, HasSubstr("f:1:"));
    EXPECT_THAT(parse_kubeconfig("f", "- a", "").error().what, HasSubstr("no kubeconfig"));
    EXPECT_THAT(read_kubeconfig("/nonexistent", "").error().what,
                HasSubstr("/nonexistent: No such file"));
}

TEST(Kubeconfig, FilesThatItNamesHaveToBeThere) {
    const TemporaryFolder folder;
    const std::string path = folder.write("config", kubeconfig(kServer, "tokenFile: token"));
    EXPECT_THAT(read_kubeconfig(path, "").error().what, HasSubstr("read the token"));
    folder.write("token", "secret\n");
    const auto access = read_kubeconfig(path, "");
    ASSERT_TRUE(access) << access.error().what;
    EXPECT_EQ(read_secrets(*access)->authorization, "Bearer secret");
    folder.write("token", "rotated");
    EXPECT_EQ(read_secrets(*access)->authorization, "Bearer rotated");
}

TEST(InCluster, ServiceAccountAndIpv6Host) {
    const TemporaryFolder folder;
    ::unsetenv("KUBERNETES_SERVICE_HOST");
    EXPECT_THAT(in_cluster_access({}, folder.path()).error().what, HasSubstr("--kubeconfig"));
    ::setenv("KUBERNETES_SERVICE_HOST", "fd00:10:96::1", 1);
    ::setenv("KUBERNETES_SERVICE_PORT", "443", 1);
    EXPECT_THAT(in_cluster_access({}, folder.path()).error().what,
                HasSubstr("automountServiceAccountToken"));
    folder.write("token", "t");
    folder.write("ca.crt", "pem");
    const auto access = in_cluster_access({}, folder.path());
    ASSERT_TRUE(access) << access.error().what;
    EXPECT_EQ(access->url(), "https://[fd00:10:96::1]:443");
    EXPECT_EQ(read_secrets(*access)->authorities, "pem");
    ::unsetenv("KUBERNETES_SERVICE_HOST");
}

TEST(InCluster, NamedServersInsteadOfTheService) {
    const TemporaryFolder folder;
    folder.write("token", "t");
    folder.write("ca.crt", "pem");
    ::unsetenv("KUBERNETES_SERVICE_HOST");
    const auto access = in_cluster_access({"192.0.2.1:6443", "[2001:db8::2]:6443"}, folder.path());
    ASSERT_TRUE(access) << access.error().what;
    EXPECT_EQ(access->url(), "https://192.0.2.1:6443");
    ASSERT_EQ(access->others.size(), 1U);
    EXPECT_EQ(access->others[0].authority(), "[2001:db8::2]:6443");
    EXPECT_EQ(access->server_name, "kubernetes.default.svc") << "in every server's certificate";
    for (const char* wrong : {"192.0.2.1:x", "https://192.0.2.1:6443", "a:6443/path"}) {
        EXPECT_THAT(in_cluster_access({wrong}, folder.path()).error().what,
                    HasSubstr("--api-server"))
            << wrong;
    }
}

TEST(Base64, BothWays) {
    for (const char* text : {"", "a", "ab", "abc", "user:p\xc3\xa4ss"}) {
        EXPECT_EQ(base64_decode(base64_encode(text)), text);
    }
    EXPECT_EQ(base64_decode("YW\nJj"), "abc");
    EXPECT_EQ(base64_decode("!"), std::nullopt);
}

} // namespace
} // namespace weir
