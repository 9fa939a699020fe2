// SPDX-License-Identifier: Apache-2.0
// A small cluster with a compiler and the maps it writes: objects in, verdicts out.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <utility>

#include "policy/compiler.h"
#include "policy/table_image.h"
#include "tests/support/cluster.h"

namespace weir::test {

// shop/web (slot 0) is local; its peers are shop/db, ops/probe and the world.
class CompiledCluster : public testing::Test {
protected:
    void SetUp() override {
        upsert(ns("shop"));
        upsert(ns("ops", {{"team", "ops"}}));
        upsert(pod("shop/web", {{"app", "web"}}, {"10.0.0.1", "fd00::1"},
                   {container_port("http", 8080)}));
        upsert(pod("shop/db", {{"app", "db"}}, {"10.0.0.2"}, {container_port("http", 9090)}));
        upsert(pod("ops/probe", {{"app", "probe"}}, {"10.0.1.1"}));
        compiler_.set_local(local(0, "shop/web", {"10.0.0.1", "fd00::1"}));
    }

    void upsert(Object object) { change_.upserts.push_back(std::move(object)); }
    void erase(Kind kind, ObjectName name) {
        change_.erasures.push_back(ObjectKey{kind, std::move(name)});
    }

    Transaction revise() {
        compiler_.apply(std::exchange(change_, Change{}));
        auto outcome = compiler_.compile();
        if (const auto* excess = std::get_if<DoesNotFit>(&outcome)) {
            ADD_FAILURE() << excess->map;
            return {};
        }
        image_.apply(std::get<Transaction>(outcome));
        image_.erase(compiler_.take_garbage(compiler_.commit()));
        compiler_.reclaim();
        return std::get<Transaction>(outcome);
    }

    // "allow", "deny" or "audit" and the rule: "allow ClusterNetworkPolicy top 0".
    std::string verdict(weir_direction direction, std::string_view peer, std::uint16_t port,
                        std::uint8_t protocol = IPPROTO_TCP) {
        const auto judged = image_.judge(0, direction, address(peer), protocol, port);
        check_walk(judged, compiler_.evaluate(0, direction, address(peer), protocol, port));
        std::string text = judged.is_audited ? "audit" : judged.is_allowed ? "allow" : "deny";
        const auto* info = compiler_.rules().find(judged.rule);
        if (judged.rule < WEIR_RULE_FIRST || info == nullptr) {
            return text;
        }
        text += " " + info->kind.get() + " " + info->policy.name.get();
        return text + (info->index ? " " + std::to_string(*info->index) : " isolates");
    }
    std::string in(std::string_view peer, std::uint16_t port = 80,
                   std::uint8_t protocol = IPPROTO_TCP) {
        return verdict(WEIR_INGRESS, peer, port, protocol);
    }
    std::string out(std::string_view peer, std::uint16_t port = 80,
                    std::uint8_t protocol = IPPROTO_TCP) {
        return verdict(WEIR_EGRESS, peer, port, protocol);
    }

    // The rules walked one by one come to what the row says.
    static void check_walk(const Judgement& judged, const Evaluations& walked) {
        const auto& all = walked.all;
        const bool is_denied =
            !all.is_allowed && !(walked.without_audited && walked.without_audited->is_allowed);
        const bool is_dry_denied = walked.with_dry_runs && !walked.with_dry_runs->is_allowed;
        EXPECT_EQ(judged.is_allowed, !is_denied);
        EXPECT_EQ(judged.is_audited, !is_denied && (!all.is_allowed || is_dry_denied));
        EXPECT_EQ(judged.rule,
                  all.is_allowed && is_dry_denied ? walked.with_dry_runs->rule : all.rule);
    }

    Change change_;
    Compiler compiler_{{}};
    TableImage image_;
};

} // namespace weir::test
