// SPDX-License-Identifier: Apache-2.0
#include "agent/kube/api/proxy.h"

#include <gmock/gmock.h>

#include <map>

namespace weir {
namespace {

using testing::HasSubstr;
using Variables = std::map<std::string, std::string>;

// The proxy's authority; "none", or the error.
std::string proxy_of(const std::string& server, Variables variables) {
    const auto proxy = proxy_from_environment(*parse_url(server),
                                              [&](const char* name) { return variables[name]; });
    if (!proxy) return proxy.error().what;
    return *proxy ? (*proxy)->authority() : "none";
}

TEST(Proxy, OfTheScheme) {
    EXPECT_EQ(proxy_of("https://api.example:6443", {}), "none");
    EXPECT_EQ(proxy_of("https://api.example:6443", {{"HTTPS_PROXY", "http://proxy:3128"}}),
              "proxy:3128");
    EXPECT_EQ(proxy_of("https://api.example:6443", {{"https_proxy", "proxy:3128"}}), "proxy:3128");
    EXPECT_EQ(proxy_of("https://api.example:6443", {{"HTTP_PROXY", "http://proxy:3128"}}), "none");
    EXPECT_EQ(proxy_of("http://api.example:8080", {{"HTTP_PROXY", "http://[fd00::1]:80"}}),
              "[fd00::1]:80");
}

TEST(Proxy, NoneForLoopback) {
    for (const char* server : {"https://127.0.0.1:6443", "https://localhost:6443",
                               "https://[::1]:6443", "https://127.8.8.8:1"}) {
        EXPECT_EQ(proxy_of(server, {{"HTTPS_PROXY", "http://proxy:3128"}}), "none") << server;
    }
}

TEST(Proxy, ExceptionsAreKubectls) {
    struct Case {
        const char* server;
        const char* exceptions;
        bool is_excepted;
    };
    for (const auto& [server, exceptions, is_excepted] : {
             Case{"https://10.96.0.1:443", "10.96.0.0/12", true},
             Case{"https://10.96.0.1:443", "192.0.2.1, 10.96.0.1", true},
             Case{"https://10.96.0.1:443", "10.96.0.1:443", true},
             Case{"https://10.96.0.1:443", "10.96.0.1:6443", false},
             Case{"https://10.96.0.1:443", "10.97.0.0/16", false},
             Case{"https://10.96.0.1:443", "*", true},
             Case{"https://[fd00:96::1]:443", "fd00:96::/112", true},
             Case{"https://[fd00:96::1]:443", "fd00:96::1", true},
             Case{"https://[fd00:96::1]:443", "[fd00:96::1]:443", true},
             Case{"https://[fd00:96::1]:443", "[fd00:96::1]:6443", false},
             Case{"https://api.example.com:443", "example.com", true},
             Case{"https://example.com:443", "example.com", true},
             Case{"https://notexample.com:443", "example.com", false},
             Case{"https://api.Example.com:443", ".example.COM", true},
             Case{"https://example.com:443", ".example.com", false},
             Case{"https://api.example.com:443", "*.example.com", true},
             Case{"https://api.example.com:6443", "example.com:443", false},
             Case{"https://api.example.com:443", "", false},
             Case{"https://api.example.com:443", " , ,", false},
         }) {
        EXPECT_EQ(
            proxy_of(server, {{"HTTPS_PROXY", "http://proxy:3128"}, {"NO_PROXY", exceptions}}),
            is_excepted ? "none" : "proxy:3128")
            << server << " with " << exceptions;
    }
}

TEST(Proxy, OthersThanHttpAreRefusedWithTheVariable) {
    const auto refused =
        proxy_of("https://api.example:6443", {{"HTTPS_PROXY", "socks5://proxy:1080"}});
    EXPECT_THAT(refused, HasSubstr("HTTPS_PROXY"));
    EXPECT_THAT(refused, HasSubstr("NO_PROXY=api.example"));
    EXPECT_THAT(proxy_of("https://api.example:6443", {{"https_proxy", "http://:x"}}),
                HasSubstr("https_proxy"));
}

} // namespace
} // namespace weir
