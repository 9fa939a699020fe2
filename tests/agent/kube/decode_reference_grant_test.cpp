// SPDX-License-Identifier: Apache-2.0
// ReferenceGrant: what it grants, what is refused, what is only told.
#include "agent/kube/kind.h"
#include "tests/agent/kube/decode_support.h"

namespace weir {
namespace {

DecodedFile grant(std::string_view spec, std::string_view version = "v1beta1") {
    return decode_file("f.yaml", "apiVersion: gateway.networking.k8s.io/" + std::string(version) +
                                     "\nkind: ReferenceGrant\nmetadata: {namespace: x, name: p}\n" +
                                     "spec:\n  " + indented(spec, "  ") + "\n");
}

constexpr const char* kFrom =
    "from: [{group: gateway.networking.k8s.io, kind: TCPRoute, namespace: front}]\n";
constexpr const char* kTo = "to: [{group: '', kind: Service}]\n";

TEST(DecodeReferenceGrant, Whole) {
    for (const auto* version : {"v1beta1", "v1"}) {
        const DecodedFile file = grant(
            "from:\n"
            "- {group: gateway.networking.k8s.io, kind: HTTPRoute, namespace: front}\n"
            "- {group: gateway.networking.k8s.io, kind: GRPCRoute, namespace: back}\n"
            "- {group: gateway.networking.k8s.io, kind: Gateway, namespace: front}\n"
            "to:\n"
            "- {group: '', kind: Secret}\n"
            "- {group: '', kind: Service}\n"
            "- {group: '', kind: Service, name: web}",
            version);
        EXPECT_TRUE(file.problems.empty()) << to_text(file.problems);
        ASSERT_EQ(file.objects.size(), 1U);
        const auto& decoded = std::get<ReferenceGrant>(*file.objects[0].object);
        using Api = TrafficRoute::Api;
        const std::vector<ReferenceGrant::From> from = {{Api::kHttp, Symbol("front")},
                                                        {Api::kGrpc, Symbol("back")}};
        EXPECT_EQ(decoded.from, from);
        EXPECT_EQ(decoded.to, (std::vector{Symbol(""), Symbol("web")}));
    }
}

TEST(DecodeReferenceGrant, OfAGatewayIsNobodysBusiness) {
    for (const std::string& spec :
         {std::string("from: [{group: gateway.networking.k8s.io, kind: Gateway, namespace: a}]\n") +
              kTo,
          std::string(kFrom) + "to: [{group: '', kind: Secret}]"}) {
        const DecodedFile file = grant(spec);
        EXPECT_TRUE(file.objects.empty()) << spec;
        EXPECT_TRUE(file.problems.empty()) << to_text(file.problems);
    }
}

TEST(DecodeReferenceGrant, Refusals) {
    const std::string from = kFrom;
    const std::string to = kTo;
    for (const auto& [spec, field, what] : {
             std::tuple{to, "spec.from", "is required"},
             std::tuple{from, "spec.to", "is required"},
             std::tuple{"from: []\n" + to, "spec.from", ""},
             std::tuple{"from: [{group: gateway.networking.k8s.io, kind: TCPRoute}]\n" + to,
                        "spec.from[0].namespace", "is required"},
             std::tuple{"from: [{kind: TCPRoute, namespace: a}]\n" + to, "spec.from[0].group",
                        "is required"},
             std::tuple{"from: [{group: gateway.networking.k8s.io, kind: TCPRoute, namespace: "
                        "A_b}]\n" +
                            to,
                        "spec.from[0].namespace", "'A_b'"},
             std::tuple{from + "to: [{kind: Service}]", "spec.to[0].group", "is required"},
             std::tuple{from + "to: [{group: ''}]", "spec.to[0].kind", "is required"},
             std::tuple{from + "to: [{group: '', kind: Service, name: ''}]", "spec.to[0].name",
                        "is empty"},
         }) {
        const DecodedFile file = grant(spec);
        EXPECT_TRUE(has_problem(file, Severity::kError, {"", field, what}, "ReferenceGrant x/p"))
            << spec << to_text(file.problems);
        ASSERT_EQ(file.objects.size(), 1U);
        EXPECT_FALSE(file.objects[0].object);
    }
}

// The API server takes it, and it grants nothing.
TEST(DecodeReferenceGrant, AKindOfTheWrongGroupIsTold) {
    const DecodedFile to = grant(std::string(kFrom) + "to: [{group: core, kind: Service}]");
    EXPECT_TRUE(has_problem(to, Severity::kWarning, {"", "spec.to[0].group", "no kind 'Service'"},
                            "ReferenceGrant x/p"))
        << to_text(to.problems);
    EXPECT_THAT(to_text(to.problems), testing::HasSubstr("write group: \"\""));
    EXPECT_TRUE(to.objects.empty());
    const DecodedFile from =
        grant(std::string("from: [{group: '', kind: HTTPRoute, namespace: a}]\n") + kTo);
    EXPECT_TRUE(has_problem(from, Severity::kWarning,
                            {"", "spec.from[0].group", "no kind 'HTTPRoute'"},
                            "ReferenceGrant x/p"))
        << to_text(from.problems);
}

} // namespace
} // namespace weir
