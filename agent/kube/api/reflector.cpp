// SPDX-License-Identifier: Apache-2.0
#include "agent/kube/api/reflector.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <utility>

#include "agent/kube/api/json_reader.h"
#include "agent/kube/api/protobuf_reader.h"

namespace weir {
namespace {

namespace asio = boost::asio;

constexpr const char* kList = "list"; // the verbs, as RBAC calls them
constexpr const char* kWatch = "watch";
constexpr std::string_view kJson = "application/json";
constexpr std::string_view kProtobuf = "application/vnd.kubernetes.protobuf";
constexpr std::size_t kMaxErrorText = 64 << 10;
// A resource that was served and is not any more is looked for as often before its objects go: an
// API server that has just started may not know all of them yet.
constexpr unsigned kMissesToBelieve = 4;
// A definition is announced before its resource is served.
constexpr unsigned kQuickLooks = 8;

std::string member_text(const Value* value, std::string_view name) {
    const Value* member = value == nullptr ? nullptr : value->find(name);
    return member == nullptr ? "" : std::string(member->text);
}

} // namespace

Reflector::Reflector(const asio::any_io_executor& executor, AccessProvider access,
                     const Options& options, Handlers handlers)
    : executor_(executor),
      options_(options),
      schema_(options.wants_metadata_only ? nullptr : protobuf_schema(options.resource)),
      handlers_(std::move(handlers)),
      session_(executor, std::move(access), options_.timings),
      backoff_(options_.timings.first_retry, options_.timings.longest_retry),
      timer_(executor) {}

void Reflector::start() {
    asio::co_spawn(executor_, [self = shared_from_this()] { return self->run(); }, asio::detached);
}

void Reflector::stop() {
    is_stopped_ = true;
    timer_.cancel();
    session_.stop();
}

void Reflector::look_again() {
    quick_looks_ = kQuickLooks;
    backoff_.reset();
    if (is_waiting_absent_) timer_.cancel();
}

asio::awaitable<void> Reflector::run() {
    const auto self = shared_from_this();
    while (!is_stopped_) {
        // Two statements: g++ 12 destroys what co_await yields twice inside a conditional.
        Outcome outcome;
        if (version_.empty()) {
            outcome = co_await list();
        } else {
            outcome = co_await watch();
        }
        if (!is_stopped_) co_await after(outcome);
    }
}

asio::awaitable<void> Reflector::after(const Outcome& outcome) {
    const ApiTimings& timings = options_.timings;
    if (outcome.kind != Outcome::Kind::kAbsent) missed_ = 0;
    switch (outcome.kind) {
        case Outcome::Kind::kDone:
            co_return;
        case Outcome::Kind::kExpired:
            if (version_.empty()) lose(outcome.why); // no watch but a list, which began just now
            version_.clear();
            co_await pause(backoff_.next());
            co_return;
        case Outcome::Kind::kFailed:
            session_.close();
            lose(outcome.why);
            co_await pause(std::max(backoff_.next(), outcome.wait));
            co_return;
        case Outcome::Kind::kAbsent:
            break;
    }
    version_.clear();
    if (was_served_ && ++missed_ < kMissesToBelieve) {
        lose(outcome.why);
        co_await pause(backoff_.next() + timings.doubt);
        co_return;
    }
    absent();
    is_waiting_absent_ = true;
    const bool is_quick = quick_looks_ != 0;
    if (is_quick) --quick_looks_;
    co_await pause(is_quick ? backoff_.next() : backoff_.jittered(timings.absent));
    is_waiting_absent_ = false;
}

asio::awaitable<void> Reflector::pause(ApiTimings::Duration wait) {
    if (is_stopped_) co_return;
    timer_.expires_after(wait);
    co_await timer_.async_wait(asio::as_tuple(asio::use_awaitable));
}

// Page after page, one object at a time. What was listed counts once the last page is complete.
asio::awaitable<Reflector::Outcome> Reflector::list() {
    handlers_.on_list_begin();
    std::string next;
    std::string version;
    do {
        Outcome page = co_await list_page(next, version);
        if (page.kind != Outcome::Kind::kDone) co_return page;
    } while (!next.empty());
    if (version.empty()) {
        co_return failed(kList, Error{0, "the list has no resourceVersion"});
    }
    version_ = version;
    was_served_ = true;
    quick_looks_ = 0;
    backoff_.reset();
    handlers_.on_list_end();
    recover();
    co_return Outcome{};
}

asio::awaitable<Reflector::Outcome> Reflector::list_page(std::string& next, std::string& version) {
    std::string query = fmt::format("?limit={}", options_.timings.page);
    if (!next.empty()) query += "&continue=" + query_escape(next);
    Outcome asked = co_await ask(kList, query);
    if (asked.kind != Outcome::Kind::kDone) co_return asked;
    bool is_complete = false;
    const auto reader = list_reader(asked.content_type, [&](const Value& document) {
        const Value* metadata = document.find("metadata");
        next = member_text(metadata, "continue");
        version = member_text(metadata, "resourceVersion");
        is_complete = true;
    });
    while (true) {
        const auto piece = co_await session_.read(options_.timings.answer);
        if (is_stopped_) co_return failed("stopped");
        if (!piece) co_return failed(kList, piece.error());
        if (piece->empty()) break;
        if (const auto fed = reader->feed(*piece); !fed) {
            co_return failed(kList, fed.error());
        }
    }
    if (is_complete && reader->is_complete()) co_return Outcome{};
    co_return failed(kList, Error{0, "the answer ends in the middle"});
}

std::unique_ptr<ObjectReader> Reflector::list_reader(
    std::string_view content_type, std::function<void(const Value&)> on_document) const {
    ObjectReader::Handlers handlers{handlers_.on_item, std::move(on_document)};
    if (content_type == kProtobuf && schema_ != nullptr)
        return std::make_unique<ProtobufReader>(std::move(handlers), *schema_);
    return std::make_unique<JsonReader>(std::move(handlers), options_.wants_conditions);
}

asio::awaitable<Reflector::Outcome> Reflector::watch() {
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(
        backoff_.jittered(options_.timings.watch * 3 / 2));
    const std::string query =
        fmt::format("?watch=1&allowWatchBookmarks=true&resourceVersion={}&timeoutSeconds={}",
                    query_escape(version_), std::max<long>(seconds.count(), 1));
    Outcome asked = co_await ask(kWatch, query);
    if (asked.kind != Outcome::Kind::kDone) co_return asked;
    recover();
    const auto began = std::chrono::steady_clock::now();
    Outcome outcome;
    JsonReader reader({.on_item = {},
                       .on_document =
                           [&](const Value& frame) {
                               if (outcome.kind != Outcome::Kind::kDone) return;
                               outcome = take_frame(frame);
                           }},
                      options_.wants_conditions);
    while (outcome.kind == Outcome::Kind::kDone) {
        const auto piece = co_await session_.read(options_.timings.idle);
        if (is_stopped_) co_return outcome;
        if (!piece) {
            outcome = failed(kWatch, piece.error());
            break;
        }
        if (piece->empty()) break;
        const auto fed = reader.feed(*piece);
        handlers_.on_batch();
        if (!fed) outcome = failed(kWatch, fed.error());
    }
    const bool is_settled = std::chrono::steady_clock::now() - began >= options_.timings.settled;
    if (is_settled) backoff_.reset();
    if (outcome.kind == Outcome::Kind::kDone && !reader.is_complete()) {
        outcome = failed(kWatch, Error{0, "the answer ends in the middle"});
    }
    if (outcome.kind != Outcome::Kind::kDone) session_.close(); // unread frames may follow
    // A server that ends every watch at once is not asked without pause.
    if (outcome.kind == Outcome::Kind::kDone && !is_settled) co_await pause(backoff_.next());
    co_return outcome;
}

Reflector::Outcome Reflector::take_frame(const Value& frame) {
    const std::string type = member_text(&frame, "type");
    const Value* object = frame.find("object");
    if (type == "ERROR") {
        const bool is_gone = member_text(object, "code") == "410";
        return {
            is_gone ? Outcome::Kind::kExpired : Outcome::Kind::kFailed,
            fmt::format("watch {}: {}", options_.resource.name(), member_text(object, "message")),
            {}};
    }
    if (object == nullptr) return failed(kWatch, Error{0, "an event has no object"});
    const std::string version = member_text(object->find("metadata"), "resourceVersion");
    if (type == "ADDED" || type == "MODIFIED") {
        handlers_.on_put(*object);
    } else if (type == "DELETED") {
        handlers_.on_erase(*object);
    } else if (type != "BOOKMARK") {
        return failed(kWatch, Error{0, "an event of the unknown type " + type});
    }
    if (!version.empty()) version_ = version;
    return {};
}

// Sends the request; done when the answer is 200 and its body can be read.
asio::awaitable<Reflector::Outcome> Reflector::ask(const char* verb, const std::string& query) {
    ApiRequest request;
    request.target = target(query);
    request.accept = accept(verb == kList);
    auto response = co_await session_.send(std::move(request));
    if (!response) {
        co_return session_.was_connected() ? failed(verb, response.error())
                                           : failed(std::move(response.error().what));
    }
    Outcome outcome;
    if (response->status == 200) {
        outcome.content_type = std::move(response->content_type);
        co_return outcome;
    }
    outcome = co_await refused(verb, *response);
    co_return outcome;
}

// What the server says beside the status code.
asio::awaitable<std::string> Reflector::error_text() {
    std::string message;
    JsonReader reader({.on_item = {}, .on_document = [&](const Value& document) {
                           message = member_text(&document, "message");
                       }});
    std::string text;
    while (text.size() < kMaxErrorText) {
        const auto piece = co_await session_.read(options_.timings.answer);
        if (!piece || piece->empty()) break;
        text += *piece;
    }
    if (text.size() >= kMaxErrorText) session_.close();
    const bool is_status = text.starts_with('{') && reader.feed(text);
    if (!is_status) message = text.substr(0, 200);
    std::erase_if(message, [](char c) { return c == '\n' || c == '\r'; });
    co_return message;
}

asio::awaitable<Reflector::Outcome> Reflector::refused(const char* verb,
                                                       const ApiResponse& response) {
    const ApiTimings& timings = options_.timings;
    const std::string name = options_.resource.name();
    const std::string text = co_await error_text();
    const std::string what =
        fmt::format("{} {}: the API server answers {}: {}", verb, name, response.status, text);
    Outcome outcome = failed(what);
    if (response.retry_after) {
        outcome.wait =
            std::min<ApiTimings::Duration>(*response.retry_after, timings.longest_retry_after);
    }
    if (response.status == 410) outcome.kind = Outcome::Kind::kExpired;
    if (response.status == 404 && options_.resource.is_optional) {
        outcome.kind = Outcome::Kind::kAbsent;
    }
    if (response.status == 401) {
        outcome.why = fmt::format(
            "{} {}: the API server does not accept the token or client certificate (401); they are "
            "read again for each try: renew them",
            verb, name);
    }
    if (response.status == 403) {
        outcome.why =
            fmt::format("RBAC does not let this agent {} {} {} (403: {}); grant it {}", verb, name,
                        options_.name.empty() ? "in all namespaces" : "by name", text, advice());
    }
    co_return outcome;
}

Reflector::Outcome Reflector::failed(std::string why) {
    return {Outcome::Kind::kFailed, std::move(why), {}};
}

Reflector::Outcome Reflector::failed(const char* verb, const Error& error) const {
    return failed(fmt::format("{} {}: {}", verb, options_.resource.name(), error.what));
}

void Reflector::absent() {
    was_served_ = false;
    handlers_.on_absent();
    recover();
}

void Reflector::lose(const std::string& why) {
    if (is_stopped_) return;
    if (away_ && away_->why == why) return;
    const auto since = away_ ? away_->since : std::chrono::system_clock::now();
    away_ = Absence{since, why};
    handlers_.on_state();
}

void Reflector::recover() {
    if (is_stopped_ || !away_) return;
    away_.reset();
    handlers_.on_state();
}

std::string Reflector::target(const std::string& query) const {
    if (options_.name.empty()) return options_.resource.path() + query;
    return options_.resource.path(options_.ns) + query +
           "&fieldSelector=" + query_escape("metadata.name=" + options_.name);
}

// What to grant when the API server forbids it.
std::string Reflector::advice() const {
    const std::string kind = options_.resource.name();
    if (options_.name.empty()) {
        return fmt::format("the verbs list and watch on {} with a ClusterRole", kind);
    }
    return fmt::format("the verbs list and watch on {}, resourceNames: [{}], with a Role in {}",
                       kind, options_.name, options_.ns);
}

std::string Reflector::accept(bool is_list) const {
    // What may be small and has to arrive at once, a watch's frame, stays JSON.
    if (is_list && schema_ != nullptr) return fmt::format("{},{}", kProtobuf, kJson);
    if (!options_.wants_metadata_only) return std::string(kJson);
    return fmt::format(
        "application/json;as=PartialObjectMetadata{};v=v1;g=meta.k8s.io,application/json",
        is_list ? "List" : "");
}

} // namespace weir
