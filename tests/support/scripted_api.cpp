// SPDX-License-Identifier: Apache-2.0
#include "tests/support/scripted_api.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <utility>

namespace weir::test {
namespace {

std::string header_of(const std::string& head, std::string_view name) {
    const auto at = head.find(fmt::format("\r\n{}: ", name));
    if (at == std::string::npos) return {};
    const auto first = at + 4 + name.size();
    return head.substr(first, head.find("\r\n", first) - first);
}

ScriptedRequest parse(const std::string& head) {
    ScriptedRequest request;
    const auto space = head.find(' ');
    request.method = head.substr(0, space);
    std::string target = head.substr(space + 1, head.find(' ', space + 1) - space - 1);
    const auto mark = std::min(target.find('?'), target.size());
    request.path = target.substr(0, mark);
    request.query = target.substr(mark);
    request.authorization = header_of(head, "Authorization");
    request.content_type = header_of(head, "Content-Type");
    request.proxy_authorization = header_of(head, "Proxy-Authorization");
    return request;
}

} // namespace

void Wire::answer(std::string_view status, std::string_view body, std::string_view headers) {
    send(fmt::format("HTTP/1.1 {}\r\nContent-Length: {}\r\n{}\r\n{}", status, body.size(), headers,
                     body));
}

void Wire::begin_chunks() {
    send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
}

void Wire::chunk(std::string_view bytes) {
    send(fmt::format("{:x}\r\n{}\r\n", bytes.size(), bytes));
}

class ScriptedApi::Connection : public Wire {
public:
    Connection(int socket, const std::atomic<bool>& is_stopping)
        : socket_(socket), is_stopping_(is_stopping) {}
    ~Connection() override { SSL_free(tls_); }
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;

    bool secure(const Certificate& certificate) {
        SSL_CTX* context = SSL_CTX_new(TLS_server_method());
        SSL_CTX_use_certificate(context, certificate.certificate());
        SSL_CTX_use_PrivateKey(context, certificate.key());
        tls_ = SSL_new(context);
        SSL_CTX_free(context);
        SSL_set_fd(tls_, socket_);
        return SSL_accept(tls_) == 1;
    }

    // Up to the empty line; nothing when the client is gone.
    std::string read_head() {
        std::string head;
        while (!head.ends_with("\r\n\r\n")) {
            char byte = 0;
            if (read(&byte, 1) != 1) return {};
            head += byte;
        }
        return head;
    }

    std::string read_body(const std::string& head) {
        const std::string length = header_of(head, "Content-Length");
        std::string body;
        while (!length.empty() && body.size() < std::stoul(length)) {
            char byte = 0;
            if (read(&byte, 1) != 1) return {};
            body += byte;
        }
        return body;
    }

    void send(std::string_view bytes) override {
        while (!bytes.empty()) {
            const auto length = static_cast<int>(bytes.size());
            const auto sent =
                tls_ != nullptr
                    ? SSL_write(tls_, bytes.data(), length)
                    : static_cast<int>(::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL));
            if (sent <= 0) return;
            bytes.remove_prefix(static_cast<std::size_t>(sent));
        }
    }

    void hold() override {
        pollfd event{socket_, POLLIN | POLLRDHUP, 0};
        while (!is_stopping_ && ::poll(&event, 1, 20) == 0) {
        }
        cut();
    }

    void cut() override { ::shutdown(socket_, SHUT_RDWR); }

private:
    int read(char* to, int length) {
        if (tls_ != nullptr) return SSL_read(tls_, to, length);
        return static_cast<int>(::recv(socket_, to, static_cast<std::size_t>(length), 0));
    }

    int socket_;
    const std::atomic<bool>& is_stopping_;
    SSL* tls_ = nullptr;
};

ScriptedApi::ScriptedApi(Options options) : options_(options) {
    std::signal(SIGPIPE, SIG_IGN); // OpenSSL writes to connections that clients have closed
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof(address);
    auto* generic = reinterpret_cast<sockaddr*>(&address);
    const bool is_listening = ::bind(listener_, generic, length) == 0 &&
                              ::listen(listener_, 64) == 0 &&
                              ::getsockname(listener_, generic, &length) == 0;
    if (!is_listening) std::abort();
    port_ = std::to_string(ntohs(address.sin_port));
    acceptor_ = std::thread([this] { accept(); });
}

ScriptedApi::~ScriptedApi() {
    stop();
}

void ScriptedApi::stop() {
    if (is_stopping_.exchange(true)) return;
    ::shutdown(listener_, SHUT_RDWR);
    acceptor_.join();
    {
        const std::lock_guard lock(mutex_);
        for (const int socket : sockets_)
            ::shutdown(socket, SHUT_RDWR);
    }
    for (auto& thread : threads_)
        thread.join();
    ::close(listener_);
}

void ScriptedApi::on(const std::string& path, Script script) {
    const std::lock_guard lock(mutex_);
    scripts_[path] = std::move(script);
}

std::vector<ScriptedRequest> ScriptedApi::requests(const std::string& path) const {
    const std::lock_guard lock(mutex_);
    std::vector<ScriptedRequest> found;
    std::ranges::copy_if(requests_, std::back_inserter(found),
                         [&](const ScriptedRequest& request) { return request.path == path; });
    return found;
}

void ScriptedApi::accept() {
    while (!is_stopping_) {
        const int socket = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
        if (socket < 0) continue;
        const std::lock_guard lock(mutex_);
        sockets_.push_back(socket);
        threads_.emplace_back([this, socket] { serve(socket); });
    }
}

void ScriptedApi::serve(int socket) {
    {
        Connection connection(socket, is_stopping_);
        std::string proxy_authorization;
        bool is_open = true;
        if (options_.is_behind_proxy) {
            const ScriptedRequest tunnel = parse(connection.read_head());
            proxy_authorization = tunnel.proxy_authorization;
            is_open = tunnel.method == "CONNECT";
            connection.send("HTTP/1.1 200 Connection established\r\n\r\n");
        }
        if (is_open && options_.certificate != nullptr) {
            is_open = connection.secure(*options_.certificate);
        }
        for (std::string head; is_open && !(head = connection.read_head()).empty();) {
            ScriptedRequest request = parse(head);
            request.proxy_authorization = proxy_authorization;
            request.body = connection.read_body(head);
            answer(request, connection);
        }
    }
    const std::lock_guard lock(mutex_);
    std::erase(sockets_, socket);
    ::close(socket);
}

void ScriptedApi::answer(const ScriptedRequest& request, Wire& wire) {
    Script script;
    {
        const std::lock_guard lock(mutex_);
        requests_.push_back(request);
        if (const auto found = scripts_.find(request.path); found != scripts_.end()) {
            script = found->second;
        }
    }
    if (script) return script(request, wire);
    if (!request.is_watch()) {
        return wire.answer("200 OK", R"({"metadata":{"resourceVersion":"1"},"items":[]})");
    }
    wire.begin_chunks();
    wire.hold();
}

} // namespace weir::test
