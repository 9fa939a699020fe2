// SPDX-License-Identifier: Apache-2.0
#include "agent/kube/api/api_source.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "agent/kube/api/json_reader.h"
#include "agent/kube/kind.h"

namespace weir {
namespace {

using Time = std::chrono::system_clock;

// For one object: somebody waits for it, and a connection that hangs is to be replaced before that
// is over.
constexpr std::chrono::seconds kSingleAnswer{5};

constexpr ApiResource kDefinitions = {.group = "apiextensions.k8s.io",
                                      .version = "v1",
                                      .plural = "customresourcedefinitions",
                                      .is_optional = true};

} // namespace

ApiSource::ApiSource(boost::asio::io_context& context, AccessProvider access,
                     const std::vector<Kind>& kinds, OnChange on_change, OnProblem on_problem,
                     ApiTimings timings)
    : context_(context),
      access_(std::move(access)),
      on_change_(std::move(on_change)),
      on_problem_(std::move(on_problem)),
      timings_(timings),
      name_("Kubernetes API") {
    for (const Kind kind : kinds)
        kinds_.push_back(std::make_unique<Watched>(kind, on_problem_));
}

ApiSource::~ApiSource() {
    for (const auto& watched : kinds_) {
        if (watched->reflector) watched->reflector->stop();
    }
    if (definitions_) definitions_->stop();
    if (client_) client_->stop();
}

Result<> ApiSource::start() {
    const auto access = access_();
    if (!access) return std::unexpected(access.error());
    name_ = "Kubernetes API " + access->url();
    for (const std::string& warning : access->warnings)
        spdlog::warn("{}", warning);
    ApiTimings single = timings_;
    single.answer = std::min<ApiTimings::Duration>(single.answer, kSingleAnswer);
    client_ = std::make_shared<ApiClient>(context_.get_executor(), access_, single);
    for (const auto& watched : kinds_)
        follow(*watched);
    follow_definitions();
    return {};
}

void ApiSource::follow(Watched& watched) {
    Reflector::Handlers handlers;
    handlers.on_list_begin = [&watched] { watched.objects.begin_list(); };
    handlers.on_item = [&watched](const Value& object) {
        watched.objects.list(object, Time::now());
    };
    handlers.on_list_end = [this, &watched] {
        watched.objects.end_list();
        synced(watched);
    };
    handlers.on_put = [&watched](const Value& object) { watched.objects.put(object, Time::now()); };
    handlers.on_erase = [&watched](const Value& object) { watched.objects.erase(object); };
    handlers.on_batch = [this, &watched] { deliver(watched); };
    handlers.on_absent = [this, &watched] {
        watched.objects.clear();
        synced(watched);
    };
    handlers.on_state = [this] { take_state(); };
    watched.reflector = std::make_shared<Reflector>(
        context_.get_executor(), access_,
        Reflector::Options{.resource = api_resource(watched.kind),
                           .timings = timings_,
                           .wants_conditions = has_enforced_condition(watched.kind)},
        std::move(handlers));
    watched.reflector->start();
}

// Says when a kind that is absent comes. Without the right to read them, the kinds are looked for
// from time to time all the same.
void ApiSource::follow_definitions() {
    Reflector::Handlers handlers;
    handlers.on_list_begin = [] {};
    handlers.on_item = [this](const Value& definition) { defined(definition); };
    handlers.on_list_end = [] {};
    handlers.on_put = [this](const Value& definition) { defined(definition); };
    handlers.on_erase = [](const Value&) {};
    handlers.on_batch = [] {};
    handlers.on_absent = [] {};
    handlers.on_state = [] {}; // status() tells
    definitions_ = std::make_shared<Reflector>(context_.get_executor(), access_,
                                               Reflector::Options{kDefinitions, true, timings_},
                                               std::move(handlers));
    definitions_->start();
}

void ApiSource::defined(const Value& definition) {
    const Value* metadata = definition.find("metadata");
    const Value* name = metadata == nullptr ? nullptr : metadata->find("name");
    if (name == nullptr) return;
    for (const auto& watched : kinds_) {
        if (api_resource(watched->kind).name() == name->text) watched->reflector->look_again();
    }
}

void ApiSource::synced(Watched& watched) {
    watched.has_synced = true;
    if (has_synced_) return deliver(watched);
    has_synced_ = std::ranges::all_of(kinds_, [](const auto& kind) { return kind->has_synced; });
    if (has_synced_) deliver_all();
}

void ApiSource::deliver(Watched& watched) {
    if (!has_synced_) return;
    Change change = watched.objects.take_change();
    if (!change.is_empty()) on_change_(std::move(change));
}

void ApiSource::deliver_all() {
    Change all;
    for (const auto& watched : kinds_) {
        Change change = watched->objects.take_change();
        std::ranges::move(change.upserts, std::back_inserter(all.upserts));
    }
    spdlog::info("{}: all kinds are read, {} objects", name_, all.upserts.size());
    on_change_(std::move(all));
}

// One line when the first connection is lost and one when the last is back, not one for each kind.
void ApiSource::take_state() {
    const auto lost = away();
    const bool is_away = lost.has_value();
    if (is_away == was_away_) return;
    was_away_ = is_away;
    if (is_away) {
        spdlog::warn("{} is away: {}; {}", name_, lost->why,
                     has_synced_ ? "the last state read stays in force"
                                 : "what an earlier agent enforced stays in force");
    } else {
        spdlog::info("{} is back", name_);
    }
}

// The longest absence of all kinds.
std::optional<Absence> ApiSource::away() const {
    std::optional<Absence> longest;
    for (const auto& watched : kinds_) {
        const auto& absence = watched->reflector->away();
        if (absence && (!longest || absence->since < longest->since)) longest = absence;
    }
    return longest;
}

void ApiSource::look_for_pod(const ObjectName& name) {
    const std::string path =
        fmt::format("/api/v1/namespaces/{}/pods/{}", query_escape(name.ns.get()),
                    query_escape(name.name.get()));
    if (!has_synced_ || !looked_for_.insert(path).second) return;
    ApiRequest request;
    request.target = path;
    request.accept = "application/json";
    client_->send(std::move(request), [this, name, path](const Result<ApiClient::Reply>& reply) {
        looked_for_.erase(path);
        take_pod(name, reply);
    });
}

void ApiSource::take_pod(const ObjectName& name, const Result<ApiClient::Reply>& reply) {
    const std::string what = fmt::format("get pod {}/{}", name.ns.get(), name.name.get());
    if (!reply) return warn_once(what + ": " + reply.error().what);
    if (reply->status == 404) return; // not yet, or not any more
    if (reply->status == 403) {
        return warn_once(
            "RBAC does not let this agent get pods (403); grant it the verb get on "
            "pods with a ClusterRole");
    }
    if (reply->status != 200) {
        return warn_once(fmt::format("{}: the API server answers {}", what, reply->status));
    }
    Watched& pods = *kinds_[static_cast<std::size_t>(Kind::kPod)];
    JsonReader reader({.on_item = {}, .on_document = [&](const Value& object) {
                           pods.objects.put_ahead(object, Time::now());
                       }});
    if (const auto read = reader.feed(reply->body); !read) {
        return warn_once(what + ": " + read.error().what);
    }
    deliver(pods);
}

void ApiSource::warn_once(const std::string& text) {
    if (text == last_warning_) return;
    last_warning_ = text;
    spdlog::warn("{}", text);
}

const ApiSource::Watched* ApiSource::find(Kind kind) const {
    const auto found = std::ranges::find(kinds_, kind, [](const auto& one) { return one->kind; });
    return found == kinds_.end() ? nullptr : found->get();
}

void ApiSource::each_reported(const std::function<void(const ReportedObject&)>& visit) const {
    for (const auto& watched : kinds_)
        watched->objects.each_reported(visit);
}

std::uint64_t ApiSource::reported_changes() const {
    if (!has_synced_) return 0;
    std::uint64_t changes = 1;
    for (const auto& watched : kinds_)
        changes += watched->objects.reported_changes();
    return changes;
}

std::string ApiSource::uid_of(const ObjectKey& key) const {
    const Watched* watched = find(key.kind);
    return watched == nullptr ? "" : watched->objects.uid_of(key.name);
}

SourceStatus ApiSource::status() const {
    SourceStatus status;
    status.name = name_;
    status.has_synced = has_synced_;
    status.away = away();
    if (definitions_ && definitions_->away() && !status.away) {
        status.problems.push_back({Severity::kWarning, "", 0, 0, "", "", definitions_->away()->why,
                                   "until it is, kinds whose definition is missing are looked for "
                                   "only from time to time"});
    }
    std::vector<std::string> missing;
    for (const auto& watched : kinds_) {
        watched->objects.add_status(status);
        if (!watched->has_synced) missing.push_back(api_resource(watched->kind).name());
    }
    if (missing.size() == kinds_.size()) {
        status.waiting_for = name_;
    } else if (!missing.empty()) {
        status.waiting_for = fmt::format("{} of {}", fmt::join(missing, ", "), name_);
    }
    const auto object = [](const Problem& problem) -> const std::string& { return problem.object; };
    std::ranges::stable_sort(status.problems, {}, object);
    std::ranges::sort(status.kept, {}, [](const KeptObject& kept) { return to_string(kept.key); });
    return status;
}

} // namespace weir
