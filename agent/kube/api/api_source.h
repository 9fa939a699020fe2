// SPDX-License-Identifier: Apache-2.0
// Desired state from the Kubernetes API: every kind that Weir uses, listed and watched. The first
// change holds all kinds at once; a kind that is defined by no CustomResourceDefinition yet is
// empty until it is.
#pragma once

#include <boost/asio/io_context.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "agent/kube/api/access.h"
#include "agent/kube/api/client.h"
#include "agent/kube/api/object_set.h"
#include "agent/kube/api/reflector.h"
#include "agent/kube/api/timings.h"
#include "agent/kube/source.h"

namespace weir {

class ApiSource : public Source {
public:
    // kinds: what is listed and watched, and what the agent needs rights for (watched_kinds()).
    ApiSource(boost::asio::io_context& context, AccessProvider access,
              const std::vector<Kind>& kinds, OnChange on_change, OnProblem on_problem = {},
              ApiTimings timings = {});
    ~ApiSource() override;

    // Fails when the access cannot be read. Returns before anything was read from the server: the
    // first change comes when all of it was.
    Result<> start() override;
    SourceStatus status() const override;
    void look_for_pod(const ObjectName& name) override;

    // For events and conditions: objects that there is something to say of, by kind.
    void each_reported(const std::function<void(const ReportedObject&)>& visit) const;
    // Grows whenever that would tell something else; 0 until all was read once.
    std::uint64_t reported_changes() const;
    // metadata.uid in text; empty when there is no such object.
    std::string uid_of(const ObjectKey& key) const;

private:
    struct Watched {
        Watched(Kind watched, const OnProblem& on_problem)
            : kind(watched), objects(watched, on_problem) {}

        Kind kind;
        ObjectSet objects;
        std::shared_ptr<Reflector> reflector;
        bool has_synced = false;
    };

    const Watched* find(Kind kind) const;
    void follow(Watched& watched);
    void follow_definitions();
    void defined(const Value& definition);
    void synced(Watched& watched);
    void deliver(Watched& watched);
    void deliver_all();
    void take_state();
    void take_pod(const ObjectName& name, const Result<ApiClient::Reply>& reply);
    void warn_once(const std::string& text);
    std::optional<Absence> away() const;

    boost::asio::io_context& context_;
    AccessProvider access_;
    OnChange on_change_;
    OnProblem on_problem_;
    ApiTimings timings_;
    std::string name_;
    std::vector<std::unique_ptr<Watched>> kinds_;
    std::shared_ptr<Reflector> definitions_;
    std::shared_ptr<ApiClient> client_;
    std::set<std::string> looked_for_; // pods, until there is an answer
    std::string last_warning_;
    bool has_synced_ = false;
    bool was_away_ = false;
};

} // namespace weir
