// SPDX-License-Identifier: Apache-2.0
// An API server that answers as a test says, byte by byte: HTTP or TLS on a loopback port, behind
// its own proxy if wanted. What no script is given for is an empty list, or a watch without events.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "tests/support/certificates.h"

namespace weir::test {

// The server's end of one connection.
class Wire {
public:
    virtual ~Wire() = default;
    virtual void send(std::string_view bytes) = 0;
    // Returns when the client hangs up or the server stops.
    virtual void hold() = 0;
    virtual void cut() = 0;

    // A complete answer.
    void answer(std::string_view status, std::string_view body, std::string_view headers = "");
    // The header of an answer in chunks, and one chunk of it.
    void begin_chunks();
    void chunk(std::string_view bytes);
};

struct ScriptedRequest {
    std::string method;
    std::string path;
    std::string query;
    std::string authorization;
    std::string proxy_authorization; // of the tunnel that it came through
    std::string content_type;
    std::string body;
    bool is_watch() const { return query.find("watch=1") != std::string::npos; }
};

class ScriptedApi {
public:
    using Script = std::function<void(const ScriptedRequest&, Wire&)>;
    struct Options {
        const Certificate* certificate = nullptr; // of the server; null: plain HTTP
        bool is_behind_proxy = false;             // a CONNECT comes first
    };

    explicit ScriptedApi(Options options);
    ScriptedApi() : ScriptedApi(Options{}) {}
    ~ScriptedApi();
    ScriptedApi(const ScriptedApi&) = delete;
    ScriptedApi& operator=(const ScriptedApi&) = delete;

    void on(const std::string& path, Script script);
    // Cuts all connections and waits until no script runs any more. Again: does nothing.
    void stop();
    std::string port() const { return port_; }
    // All requests for a path so far, in order.
    std::vector<ScriptedRequest> requests(const std::string& path) const;

private:
    class Connection;
    void accept();
    void serve(int socket);
    void answer(const ScriptedRequest& request, Wire& wire);

    Options options_;
    int listener_ = -1;
    std::string port_;
    std::atomic<bool> is_stopping_ = false;
    mutable std::mutex mutex_;
    std::map<std::string, Script> scripts_;
    std::vector<ScriptedRequest> requests_;
    std::vector<int> sockets_; // open ones, to be cut at the end
    std::vector<std::thread> threads_;
    std::thread acceptor_;
};

// Stops the server at the end of a test whose scripts refer to the test's own variables: to be
// declared after them.
class StopAtEnd {
public:
    explicit StopAtEnd(ScriptedApi& api) : api_(api) {}
    ~StopAtEnd() { api_.stop(); }
    StopAtEnd(const StopAtEnd&) = delete;
    StopAtEnd& operator=(const StopAtEnd&) = delete;

private:
    ScriptedApi& api_;
};

} // namespace weir::test
