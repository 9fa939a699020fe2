// SPDX-License-Identifier: Apache-2.0
// Follows one resource of the Kubernetes API: a list, then a watch from the list's version on,
// resumed where it was cut, and a list again when the server no longer has that version. Nothing
// but the server's answers is reported: while it is away, nothing changes.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "agent/kube/api/access.h"
#include "agent/kube/api/backoff.h"
#include "agent/kube/api/object_reader.h"
#include "agent/kube/api/protobuf_schema.h"
#include "agent/kube/api/session.h"
#include "agent/kube/api/timings.h"
#include "agent/kube/kind.h"
#include "agent/kube/source.h"
#include "agent/kube/value.h"

namespace weir {

class Reflector : public std::enable_shared_from_this<Reflector> {
public:
    struct Handlers {
        std::function<void()> on_list_begin; // a list that has begun and not ended is void
        std::function<void(const Value&)> on_item;
        std::function<void()> on_list_end; // it was complete
        std::function<void(const Value&)> on_put;
        std::function<void(const Value&)> on_erase;
        std::function<void()> on_batch;  // after all events that came together
        std::function<void()> on_absent; // the server does not know the resource (any more)
        std::function<void()> on_state;  // away() is another
    };
    struct Options {
        ApiResource resource;
        bool wants_metadata_only = false;
        ApiTimings timings;
        std::string ns{}; // only the object of that name in that namespace; empty: all
        std::string name{};
        bool wants_conditions = false; // status.conditions, which JsonReader passes over otherwise
    };

    Reflector(const boost::asio::any_io_executor& executor, AccessProvider access,
              const Options& options, Handlers handlers);

    // Runs until stop(); the caller keeps nothing alive.
    void start();
    // No handler is called from now on.
    void stop();
    // Something says that an absent resource is served now: look.
    void look_again();

    const std::optional<Absence>& away() const { return away_; }

private:
    // How a list or a watch ended.
    struct Outcome {
        enum class Kind {
            kDone,
            kExpired, // the server no longer has that version
            kAbsent,  // it does not serve the resource
            kFailed
        };
        Kind kind = Kind::kDone;
        std::string why;
        ApiTimings::Duration wait{}; // that the server asks for
        std::string content_type{};  // of the answer, which can be read
    };

    static Outcome failed(std::string why);
    Outcome failed(const char* verb, const Error& error) const;

    boost::asio::awaitable<void> run();
    boost::asio::awaitable<void> after(const Outcome& outcome);
    boost::asio::awaitable<void> pause(ApiTimings::Duration wait);
    boost::asio::awaitable<Outcome> list();
    boost::asio::awaitable<Outcome> list_page(std::string& next, std::string& version);
    std::unique_ptr<ObjectReader> list_reader(std::string_view content_type,
                                              std::function<void(const Value&)> on_document) const;
    boost::asio::awaitable<Outcome> watch();
    boost::asio::awaitable<Outcome> ask(const char* verb, const std::string& query);
    boost::asio::awaitable<std::string> error_text();
    boost::asio::awaitable<Outcome> refused(const char* verb, const ApiResponse& response);
    Outcome take_frame(const Value& frame);
    void absent();
    void lose(const std::string& why);
    void recover();
    std::string accept(bool is_list) const;
    std::string target(const std::string& query) const;
    std::string advice() const;

    boost::asio::any_io_executor executor_;
    Options options_;
    const ProtobufMessage* schema_; // of the objects, when they are listed in protobuf
    Handlers handlers_;
    ApiSession session_;
    Backoff backoff_;
    boost::asio::steady_timer timer_;
    std::string version_; // to watch from; empty: list first
    std::optional<Absence> away_;
    bool is_stopped_ = false;
    bool is_waiting_absent_ = false;
    bool was_served_ = false;
    unsigned missed_ = 0;      // times in a row that the resource was not served
    unsigned quick_looks_ = 0; // left, after a sign that it comes
};

} // namespace weir
