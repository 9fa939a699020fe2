// SPDX-License-Identifier: Apache-2.0
// An API server that is away, lies, is slow or refuses: what is in force stays, and the status says
// since when and why.
#include <gmock/gmock.h>

#include <atomic>

#include "tests/agent/kube/api/api_support.h"

namespace weir {
namespace {

using test::Certificate;
using test::ScriptedRequest;
using test::Wire;
using testing::HasSubstr;
using namespace std::chrono_literals;

// Lists x/a and x/b the first time; the script has all the rest.
class FailingApi : public FollowedApi {
protected:
    using FollowedApi::FollowedApi;

    void on_rest(test::ScriptedApi::Script rest) {
        api_.on(kPolicies,
                [this, rest = std::move(rest)](const ScriptedRequest& request, Wire& wire) {
                    if (asked_++ != 0) return rest(request, wire);
                    wire.answer("200 OK", list_json("5", {policy_json("x", "a", "web", "3"),
                                                          policy_json("x", "b", "web", "4")}));
                });
    }

    std::atomic<int> asked_ = 0;
};

TEST_F(FailingApi, AVersionThatIsGoneBringsANewList) {
    on_rest([](const ScriptedRequest& request, Wire& wire) {
        if (!request.is_watch()) {
            return wire.answer("200 OK", list_json("90", {policy_json("x", "b", "new", "80")}));
        }
        if (request.query.find("resourceVersion=90&") != std::string::npos) return wire.hold();
        wire.begin_chunks();
        wire.chunk(event_json("ERROR", status_json(410, "too old resource version")));
        wire.hold();
    });
    start();
    EXPECT_TRUE(becomes("x/b", "new"));
    EXPECT_TRUE(becomes("x/a", ""));
    EXPECT_TRUE(comes_back());
}

TEST_F(FailingApi, AnotherServerIsAskedWhenOneIsAway) {
    on_rest([](const ScriptedRequest&, Wire& wire) { wire.hold(); });
    access_.others = {access_.server};
    access_.server.port = "1"; // nobody listens
    start();
    EXPECT_TRUE(becomes("x/a", "web"));
    EXPECT_FALSE(source_->status().away);
}

TEST_F(FailingApi, APodThatIsWaitedForIsAskedFor) {
    on_rest([](const ScriptedRequest&, Wire& wire) { wire.hold(); });
    const std::string path = "/api/v1/namespaces/shop/pods/late";
    std::atomic<int> asked = 0;
    const test::StopAtEnd stop(api_);
    api_.on(path, [&](const ScriptedRequest&, Wire& wire) {
        if (asked++ == 0) return wire.answer("404 Not Found", status_json(404, "no such pod"));
        wire.answer("200 OK",
                    R"({"kind":"Pod","metadata":{"namespace":"shop","name":"late",)"
                    R"("resourceVersion":"90","uid":"00000000-0000-4000-8000-000000000001"}})");
    });
    start();
    ASSERT_TRUE(becomes("x/a", "web"));
    const auto before = changes_;
    const ObjectName late{Symbol("shop"), Symbol("late")};
    source_->look_for_pod(late);
    source_->look_for_pod(late); // asked already
    EXPECT_TRUE(becomes([&] { return api_.requests(path).size() == 1; }));
    run_for(100ms);
    EXPECT_EQ(changes_, before) << "it is not there";
    source_->look_for_pod(late);
    EXPECT_TRUE(becomes([&] { return changes_ == before + 1; }));
    EXPECT_EQ(api_.requests(path).size(), 2U);
}

TEST_F(FailingApi, AListThatIsCutTakesNothingAway) {
    std::atomic<bool> is_well = false;
    const test::StopAtEnd stop(api_);
    on_rest([&](const ScriptedRequest& request, Wire& wire) {
        if (request.is_watch()) {
            if (is_well) return wire.hold();
            return wire.answer("410 Gone", status_json(410, "gone"));
        }
        const std::string list = list_json("90", {policy_json("x", "b", "new", "80")});
        if (is_well) return wire.answer("200 OK", list);
        wire.begin_chunks();
        wire.chunk(list.substr(0, list.size() - 10));
        wire.cut();
    });
    start();
    EXPECT_TRUE(becomes_away("list networkpolicies.networking.k8s.io: the connection was cut"));
    EXPECT_EQ(policies_.size(), 2U);
    EXPECT_EQ(policies_.at("x/b"), "web");
    is_well = true;
    EXPECT_TRUE(becomes("x/a", ""));
    EXPECT_TRUE(becomes("x/b", "new"));
    EXPECT_TRUE(comes_back());
}

TEST_F(FailingApi, BadChunksAndBadJsonTakeNothingAway) {
    std::atomic<int> tries = 0;
    const test::StopAtEnd stop(api_);
    on_rest([&](const ScriptedRequest& request, Wire& wire) {
        if (!request.is_watch()) return wire.answer("500 Internal Server Error", "no");
        wire.begin_chunks();
        switch (tries++ % 3) {
            case 0:
                wire.send("xyz\r\n");
                return wire.cut();
            case 1:
                wire.chunk("{\"type\": oops");
                return wire.hold();
            default:
                if (tries > 6) return wire.hold();
                wire.chunk(R"({"type":"ADD)"); // ends in the middle of a frame
                return wire.send("0\r\n\r\n");
        }
    });
    start();
    EXPECT_TRUE(becomes_away("no JSON"));
    EXPECT_TRUE(becomes_away("ends in the middle"));
    EXPECT_TRUE(becomes([&] { return tries > 6; }));
    EXPECT_TRUE(comes_back());
    EXPECT_EQ(policies_.size(), 2U);
    EXPECT_EQ(changes_, 1U);
}

TEST_F(FailingApi, AWatchWithoutALifeSignIsResumed) {
    on_rest([&](const ScriptedRequest&, Wire& wire) {
        wire.begin_chunks();
        if (asked_ > 3) wire.chunk(event_json("ADDED", policy_json("x", "late", "w", "9")));
        wire.hold();
    });
    ApiTimings timings = quick();
    timings.idle = 100ms;
    start(timings);
    EXPECT_TRUE(becomes_away("watch networkpolicies.networking.k8s.io: no answer in time"));
    EXPECT_TRUE(becomes("x/late", "w"));
}

TEST_F(FailingApi, ATokenThatIsRefusedIsReadAgain) {
    access_.token_file = folder_.write("token", "old\n");
    api_.on(kPolicies, [](const ScriptedRequest& request, Wire& wire) {
        if (request.authorization != "Bearer new") {
            return wire.answer("401 Unauthorized", status_json(401, "Unauthorized"));
        }
        if (request.is_watch()) return wire.hold();
        wire.answer("200 OK", list_json("5", {policy_json("x", "a", "web", "4")}));
    });
    start();
    EXPECT_TRUE(becomes_away("list networkpolicies.networking.k8s.io: the API server does not"));
    folder_.write("token", "new\n");
    EXPECT_TRUE(becomes("x/a", "web"));
    EXPECT_TRUE(comes_back());
}

TEST_F(FailingApi, AMissingRightIsNamed) {
    api_.on(kPods, [](const ScriptedRequest&, Wire& wire) {
        wire.answer("403 Forbidden", status_json(403, "pods is forbidden"));
    });
    start();
    EXPECT_TRUE(
        becomes_away("RBAC does not let this agent list pods in all namespaces (403: pods "
                     "is forbidden); grant it the verbs list and watch on pods"));
    EXPECT_EQ(changes_, 0U) << "nothing is enforced from a part of the cluster";
}

TEST_F(FailingApi, ForbiddenIsNotAbsent) {
    api_.on("/apis/security.istio.io/v1/authorizationpolicies",
            [](const ScriptedRequest&, Wire& wire) {
                wire.answer("403 Forbidden", status_json(403, "no"));
            });
    start();
    EXPECT_TRUE(becomes_away("list authorizationpolicies.security.istio.io"));
    EXPECT_FALSE(source_->status().has_synced);
}

TEST_F(FailingApi, ABuiltInKindThatIsNotServedIsNotEmpty) {
    api_.on(kPolicies, [](const ScriptedRequest&, Wire& wire) { answer_not_found(wire); });
    start();
    EXPECT_TRUE(becomes_away("list networkpolicies.networking.k8s.io: the API server answers 404"));
    EXPECT_FALSE(source_->status().has_synced);
}

TEST_F(FailingApi, AKindThatIsGoneIsBelievedToBeGoneAfterAWhile) {
    const std::string kind = "/apis/security.istio.io/v1/authorizationpolicies";
    const std::string policy = R"({"metadata":{"namespace":"x","name":"p"},"spec":{}})";
    std::atomic<int> asked = 0;
    std::atomic<int> missed = 0;
    const test::StopAtEnd stop(api_);
    api_.on(kind, [&](const ScriptedRequest& request, Wire& wire) {
        if (asked++ == 0) return wire.answer("200 OK", list_json("5", {policy}));
        if (request.is_watch()) return wire.answer("410 Gone", status_json(410, "gone"));
        ++missed;
        answer_not_found(wire);
    });
    start();
    EXPECT_TRUE(becomes([&] { return changes_ == 2; })) << "the policy comes and goes";
    EXPECT_GE(missed, 4);
    EXPECT_TRUE(comes_back());
}

TEST_F(FailingApi, RetryAfterIsHonoured) {
    std::atomic<int> asked = 0;
    const test::StopAtEnd stop(api_);
    api_.on(kPolicies, [&](const ScriptedRequest& request, Wire& wire) {
        if (asked++ == 0) return wire.answer("429 Too Many Requests", "slow", "Retry-After: 1\r\n");
        if (request.is_watch()) return wire.hold();
        wire.answer("200 OK", list_json("5", {policy_json("x", "a", "web", "4")}));
    });
    const auto began = std::chrono::steady_clock::now();
    start();
    EXPECT_TRUE(becomes("x/a", "web"));
    EXPECT_GE(std::chrono::steady_clock::now() - began, 1s);
    EXPECT_LT(std::chrono::steady_clock::now() - began, 5s);
}

TEST_F(FailingApi, TheStatusSaysSinceWhenTheServerIsAway) {
    access_.server.port = "1"; // nobody listens
    start();
    EXPECT_TRUE(becomes_away("connect to 127.0.0.1:1: Connection refused"));
    const auto since = source_->status().away->since;
    run_for(200ms);
    EXPECT_EQ(source_->status().away->since, since);
    access_.server.port = api_.port(); // as a kubeconfig that is rewritten
    EXPECT_TRUE(comes_back());
    EXPECT_TRUE(source_->status().has_synced);
}

// ---- TLS ----

const Certificate& authority() {
    static const Certificate authority("");
    return authority;
}
const Certificate& server() {
    static const Certificate server("IP:127.0.0.1,DNS:kubernetes", &authority());
    return server;
}

class TlsApi : public FollowedApi {
protected:
    explicit TlsApi(const Certificate& certificate = server(), bool is_behind_proxy = false)
        : FollowedApi({.certificate = &certificate, .is_behind_proxy = is_behind_proxy}) {
        access_.authorities.file = folder_.write("ca.crt", authority().pem());
    }
};

TEST_F(TlsApi, AServerThatProvesItselfIsFollowed) {
    access_.token = "secret";
    start();
    EXPECT_TRUE(becomes([&] { return source_->status().has_synced; }));
    EXPECT_EQ(api_.requests(kPods).at(0).authorization, "Bearer secret");
}

TEST_F(TlsApi, AnAuthorityThatIsRotatedOnDiskIsFollowed) {
    folder_.write("ca.crt", Certificate("").pem());
    start();
    EXPECT_TRUE(becomes_away("certificate is not trusted"));
    EXPECT_TRUE(api_.requests(kPods).empty()) << "no token is sent to a stranger";
    folder_.write("ca.crt", authority().pem());
    EXPECT_TRUE(becomes([&] { return source_->status().has_synced; }));
}

TEST_F(TlsApi, ACertificateForAnotherNameIsRefused) {
    access_.server_name = "other";
    start();
    EXPECT_TRUE(becomes_away("the server's certificate is not for other"));
    access_.server_name = "kubernetes";
    EXPECT_TRUE(becomes([&] { return source_->status().has_synced; }));
}

TEST_F(TlsApi, ACertificateFileThatIsNoneIsNamed) {
    folder_.write("ca.crt", "garbage");
    start();
    EXPECT_TRUE(becomes_away("ca.crt: no valid PEM"));
}

class ElsewhereApi : public TlsApi {
protected:
    ElsewhereApi() : TlsApi(elsewhere()) {}
    static const Certificate& elsewhere() {
        static const Certificate elsewhere("IP:127.0.0.2,DNS:127.0.0.1", &authority());
        return elsewhere;
    }
};

TEST_F(ElsewhereApi, AnAddressIsComparedWithAddresses) {
    start();
    EXPECT_TRUE(becomes_away("not for 127.0.0.1 (IP address mismatch)"));
}

class ProxiedApi : public TlsApi {
protected:
    ProxiedApi() : TlsApi(server(), true) {}
};

TEST_F(ProxiedApi, IsReachedThroughItsProxy) {
    access_.proxy = Url{.scheme = "http",
                        .user = "me:secret",
                        .host = "127.0.0.1",
                        .port = api_.port(),
                        .path = ""};
    access_.server.host = "kubernetes"; // which only the proxy can find
    start();
    EXPECT_TRUE(becomes([&] { return source_->status().has_synced; }));
    EXPECT_EQ(api_.requests(kPods).at(0).proxy_authorization, "Basic bWU6c2VjcmV0");
}

} // namespace
} // namespace weir
