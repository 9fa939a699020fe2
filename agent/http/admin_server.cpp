// SPDX-License-Identifier: Apache-2.0
#include "agent/http/admin_server.h"

#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <charconv>
#include <chrono>
#include <optional>
#include <utility>

namespace weir {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using asio::ip::tcp;
using Local = asio::local::stream_protocol;
using Any = asio::generic::stream_protocol;

constexpr std::chrono::seconds kIdle{30};
constexpr std::size_t kMaxRequest = 8192;
constexpr std::size_t kMaxConnections = 64;

std::optional<tcp::endpoint> parse(const std::string& text) {
    const auto colon = text.rfind(':');
    if (colon == std::string::npos) return {};
    std::string host = text.substr(0, colon);
    if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
        host = host.substr(1, host.size() - 2);
    }
    std::uint16_t port = 0;
    const char* const end = text.data() + text.size();
    const auto [rest, error] = std::from_chars(text.data() + colon + 1, end, port);
    if (error != std::errc() || rest != end) return {};
    boost::system::error_code bad_address;
    const auto address = asio::ip::make_address(host, bad_address);
    if (bad_address) return {};
    return tcp::endpoint(address, port);
}

using Response = http::response<http::string_body>;

Response respond(const http::request<http::empty_body>& request, const AdminServer::Pages& pages) {
    Response response;
    response.version(request.version());
    response.keep_alive(request.keep_alive());
    response.set(http::field::server, "weir");
    const std::string path(request.target().substr(0, request.target().find('?')));
    const auto page = pages.find(path);
    if (request.method() != http::verb::get && request.method() != http::verb::head) {
        response.result(http::status::method_not_allowed);
        response.set(http::field::allow, "GET, HEAD");
    } else if (page == pages.end()) {
        response.result(http::status::not_found);
        response.body() = "not found\n";
    } else {
        Page content = page->second();
        response.result(static_cast<unsigned>(content.status));
        response.set(http::field::content_type, content.content_type);
        response.body() = std::move(content.body);
    }
    response.prepare_payload(); // before HEAD loses its body: the length is GET's
    if (request.method() == http::verb::head) response.body().clear();
    return response;
}

// One connection: read, answer, again, until it idles or ends.
class Connection : public std::enable_shared_from_this<Connection> {
public:
    Connection(Any::socket socket, std::shared_ptr<const AdminServer::Pages> pages,
               std::shared_ptr<std::size_t> count)
        : stream_(std::move(socket)), pages_(std::move(pages)), count_(std::move(count)) {
        ++*count_;
    }
    ~Connection() { --*count_; }
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;

    void read() {
        parser_.emplace();
        parser_->header_limit(kMaxRequest);
        parser_->body_limit(0);
        stream_.expires_after(kIdle);
        http::async_read(stream_, buffer_, *parser_,
                         [self = shared_from_this()](beast::error_code error, std::size_t) {
                             if (!error) self->write();
                         });
    }

private:
    void write() {
        response_ = respond(parser_->get(), *pages_);
        serializer_.emplace(response_);
        http::async_write(stream_, *serializer_,
                          [self = shared_from_this()](beast::error_code error, std::size_t) {
                              if (!error && self->response_.keep_alive()) self->read();
                          });
    }

    beast::basic_stream<Any> stream_;
    beast::flat_buffer buffer_{kMaxRequest * 2};
    std::optional<http::request_parser<http::empty_body>> parser_;
    Response response_;
    std::optional<http::response_serializer<http::string_body>> serializer_;
    std::shared_ptr<const AdminServer::Pages> pages_;
    std::shared_ptr<std::size_t> count_;
};

} // namespace

// Either kind of socket; what is spoken on it is the same.
class AdminServer::Acceptor {
public:
    virtual ~Acceptor() = default;
    virtual void close() = 0;
    virtual std::uint16_t port() const = 0;
};

namespace {

template <typename Protocol>
class Listener : public AdminServer::Acceptor,
                 public std::enable_shared_from_this<Listener<Protocol>> {
public:
    Listener(asio::io_context& context, AdminServer::Pages pages)
        : acceptor_(context),
          pages_(std::make_shared<const AdminServer::Pages>(std::move(pages))),
          connections_(std::make_shared<std::size_t>(0)) {}

    boost::system::error_code listen(const typename Protocol::endpoint& endpoint) {
        boost::system::error_code error;
        acceptor_.open(endpoint.protocol(), error);
        if (!error) acceptor_.set_option(asio::socket_base::reuse_address(true), error);
        if (!error) acceptor_.bind(endpoint, error);
        if (!error) acceptor_.listen(asio::socket_base::max_listen_connections, error);
        return error;
    }

    void accept() {
        acceptor_.async_accept([self = this->shared_from_this()](boost::system::error_code error,
                                                                 typename Protocol::socket socket) {
            if (!self->acceptor_.is_open()) return;
            if (!error && *self->connections_ < kMaxConnections) {
                std::make_shared<Connection>(std::move(socket), self->pages_, self->connections_)
                    ->read();
            }
            self->accept();
        });
    }

    void close() override {
        boost::system::error_code ignored;
        acceptor_.close(ignored);
    }

    std::uint16_t port() const override {
        if constexpr (std::same_as<Protocol, tcp>) {
            boost::system::error_code ignored;
            return acceptor_.local_endpoint(ignored).port();
        }
        return 0;
    }

private:
    typename Protocol::acceptor acceptor_;
    std::shared_ptr<const AdminServer::Pages> pages_;
    std::shared_ptr<std::size_t> connections_;
};

bool is_served(const Local::endpoint& endpoint) {
    asio::io_context context;
    Local::socket socket(context);
    boost::system::error_code error;
    socket.connect(endpoint, error);
    return !error;
}

} // namespace

AdminServer::AdminServer(std::shared_ptr<Acceptor> acceptor) : acceptor_(std::move(acceptor)) {}

AdminServer::~AdminServer() {
    acceptor_->close();
}

std::uint16_t AdminServer::port() const {
    return acceptor_->port();
}

Result<std::unique_ptr<AdminServer>> AdminServer::start(asio::io_context& context,
                                                        const std::string& address, Pages pages) {
    const auto endpoint = parse(address);
    if (!endpoint) {
        return failure("HTTP address '" + address +
                       "': must be ADDRESS:PORT, as in 127.0.0.1:9964 or [::1]:9964, or none");
    }
    auto listener = std::make_shared<Listener<tcp>>(context, std::move(pages));
    if (const auto error = listener->listen(*endpoint)) {
        return std::unexpected(
            Error{error.value(), "listen on " + address + ": " + error.message() +
                                     "; choose another --http-address, or none"});
    }
    listener->accept();
    return std::unique_ptr<AdminServer>(new AdminServer(std::move(listener)));
}

Result<std::unique_ptr<AdminServer>> AdminServer::start_unix(asio::io_context& context,
                                                             const std::string& path, Pages pages) {
    if (path.size() >= sizeof(sockaddr_un::sun_path)) {
        return failure("socket " + path +
                       ": the path is too long; choose a shorter --admin-socket");
    }
    const Local::endpoint endpoint(path);
    if (is_served(endpoint)) {
        return failure("socket " + path +
                       ": another agent answers there; give each one its own --admin-socket");
    }
    ::unlink(path.c_str());
    auto listener = std::make_shared<Listener<Local>>(context, std::move(pages));
    const mode_t previous = ::umask(0177);
    const auto error = listener->listen(endpoint);
    ::umask(previous);
    if (error) {
        return failure("listen on " + path + ": " + error.message() +
                       "; the folder of --admin-socket has to exist");
    }
    listener->accept();
    return std::unique_ptr<AdminServer>(new AdminServer(std::move(listener)));
}

} // namespace weir
