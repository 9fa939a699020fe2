// SPDX-License-Identifier: Apache-2.0
#include "agent/kube/api/connection.h"

#include <fmt/format.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/ssl.hpp>
#include <charconv>
#include <utility>
#include <vector>

#include "agent/kube/api/tls.h"

namespace weir {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using asio::ip::tcp;
using beast::error_code;

constexpr auto kAwait = asio::as_tuple(asio::use_awaitable);
constexpr std::size_t kPiece = std::size_t{32} << 10;
constexpr std::uint32_t kMaxHeader = 64 << 10;
// A peer that vanished without a word is noticed after this many seconds of silence.
constexpr int kKeepAliveIdle = 20;
constexpr int kKeepAliveInterval = 10;
constexpr unsigned kUserTimeoutMs = 40'000;

using ResponseParser = http::response_parser<http::buffer_body>;
using TlsStream = beast::ssl_stream<beast::tcp_stream>;

template <typename Value>
void set_option(int fd, int level, int name, Value value) {
    // Without it a dead peer is noticed by the time-outs alone.
    static_cast<void>(::setsockopt(fd, level, name, &value, sizeof(value)));
}

void watch_over(tcp::socket& socket) {
    const int fd = socket.native_handle();
    set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, kKeepAliveIdle);
    set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, kKeepAliveInterval);
    set_option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, kUserTimeoutMs);
    set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
}

std::optional<std::chrono::seconds> retry_after(const ResponseParser& parser) {
    const auto text = parser.get()[http::field::retry_after];
    unsigned seconds = 0;
    const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
    if (error != std::errc() || rest != text.data() + text.size()) return std::nullopt;
    return std::chrono::seconds(seconds);
}

std::string content_type(const ResponseParser& parser) {
    const auto text = parser.get()[http::field::content_type];
    return std::string(text.substr(0, text.find(';')));
}

std::unexpected<Error> failed(const std::string& what, const error_code& error) {
    const std::string place = what.empty() ? "" : what + ": ";
    if (error == beast::error::timeout) return failure(place + "no answer in time");
    if (error == http::error::end_of_stream || error == http::error::partial_message ||
        error == asio::error::eof || error == asio::ssl::error::stream_truncated) {
        return failure(place + "the connection was cut");
    }
    return failure(place + error.message());
}

} // namespace

class ApiConnection::Transport {
public:
    explicit Transport(const asio::any_io_executor& executor)
        : resolver_(executor), tcp_(executor) {}

    asio::awaitable<Result<>> connect(const ApiAccess& access, Duration timeout) {
        const Url& first = access.proxy ? *access.proxy : access.server;
        const std::string what = "connect to " + first.authority();
        auto [unresolved, endpoints] =
            co_await resolver_.async_resolve(first.host, first.port, kAwait);
        if (unresolved) co_return failed(what, unresolved);
        lowest().expires_after(timeout);
        auto [refused, endpoint] = co_await lowest().async_connect(endpoints, kAwait);
        if (refused) co_return failed(what, refused);
        watch_over(lowest().socket());
        if (!access.proxy) co_return Result<>{};
        co_return co_await pass_proxy(*access.proxy, access.server);
    }

    asio::awaitable<Result<>> secure(const ApiAccess& access, const Secrets& secrets,
                                     Duration timeout) {
        auto context = tls_context(access, secrets);
        if (!context) co_return std::unexpected(std::move(context.error()));
        tls_context_ = std::move(*context);
        tls_.emplace(std::move(tcp_), *tls_context_);
        const std::string& name =
            access.server_name.empty() ? access.server.host : access.server_name;
        if (auto named = expect_server_name(tls_->native_handle(), name); !named) co_return named;
        lowest().expires_after(timeout);
        auto [error] = co_await tls_->async_handshake(asio::ssl::stream_base::client, kAwait);
        if (!error) co_return Result<>{};
        const std::string what = "TLS with " + access.url();
        const std::string why = verification_error(tls_->native_handle(), name);
        if (!why.empty()) co_return failure(what + ": " + why);
        co_return failed(what, error);
    }

    asio::awaitable<Result<ApiResponse>> send(const std::string& host, const std::string& target,
                                              const ApiRequest& request, Duration timeout) {
        http::request<http::string_body> message;
        message.method_string(request.method);
        message.target(target);
        message.set(http::field::host, host);
        message.set(http::field::user_agent, "weir/" WEIR_VERSION);
        message.set(http::field::accept, request.accept);
        if (!request.authorization.empty()) {
            message.set(http::field::authorization, request.authorization);
        }
        if (!request.content_type.empty()) {
            message.set(http::field::content_type, request.content_type);
            message.body() = request.body;
            message.prepare_payload();
        }
        parser_.emplace();
        parser_->header_limit(kMaxHeader);
        parser_->body_limit(boost::none);
        buffer_.reserve(kPiece); // Beast reads as much at once as there is room for
        lowest().expires_after(timeout);
        error_code error;
        if (tls_) {
            std::tie(error, std::ignore) = co_await http::async_write(*tls_, message, kAwait);
            if (!error) {
                std::tie(error, std::ignore) =
                    co_await http::async_read_header(*tls_, buffer_, *parser_, kAwait);
            }
        } else {
            std::tie(error, std::ignore) = co_await http::async_write(tcp_, message, kAwait);
            if (!error) {
                std::tie(error, std::ignore) =
                    co_await http::async_read_header(tcp_, buffer_, *parser_, kAwait);
            }
        }
        if (error) co_return failed("", error);
        co_return ApiResponse{parser_->get().result_int(), content_type(*parser_),
                              retry_after(*parser_)};
    }

    asio::awaitable<Result<std::string_view>> read(Duration timeout) {
        lowest().expires_after(timeout);
        while (!parser_->is_done()) {
            auto& body = parser_->get().body();
            body.data = piece_.data();
            body.size = piece_.size();
            body.more = true;
            error_code error;
            if (tls_) {
                std::tie(error, std::ignore) =
                    co_await http::async_read_some(*tls_, buffer_, *parser_, kAwait);
            } else {
                std::tie(error, std::ignore) =
                    co_await http::async_read_some(tcp_, buffer_, *parser_, kAwait);
            }
            if (error && error != http::error::need_buffer) {
                co_return failed("", error);
            }
            const std::size_t taken = piece_.size() - body.size;
            if (taken != 0) co_return std::string_view(piece_.data(), taken);
        }
        co_return std::string_view{};
    }

    bool is_reusable() {
        return lowest().socket().is_open() && parser_ && parser_->is_done() &&
               parser_->get().keep_alive();
    }

    void close() {
        resolver_.cancel();
        lowest().close();
    }

private:
    beast::tcp_stream& lowest() { return tls_ ? tls_->next_layer() : tcp_; }

    asio::awaitable<Result<>> pass_proxy(const Url& proxy, const Url& server) {
        http::request<http::empty_body> message(http::verb::connect, server.authority(), 11);
        message.set(http::field::host, server.authority());
        if (!proxy.user.empty()) {
            message.set(http::field::proxy_authorization, "Basic " + base64_encode(proxy.user));
        }
        const std::string what = "reach " + server.authority() + " through " + proxy.authority();
        auto [unsent, sent] = co_await http::async_write(tcp_, message, kAwait);
        if (unsent) co_return failed(what, unsent);
        http::response_parser<http::empty_body> parser;
        parser.skip(true); // what follows is the tunnel's
        auto [unread, read] = co_await http::async_read_header(tcp_, buffer_, parser, kAwait);
        if (unread) co_return failed(what, unread);
        if (http::to_status_class(parser.get().result()) == http::status_class::successful) {
            co_return Result<>{};
        }
        co_return failure(fmt::format("{}: the proxy answers {} {}", what,
                                      parser.get().result_int(),
                                      std::string_view(parser.get().reason())));
    }

    tcp::resolver resolver_;
    beast::tcp_stream tcp_;
    std::unique_ptr<asio::ssl::context> tls_context_;
    std::optional<TlsStream> tls_; // has taken over tcp_
    beast::flat_buffer buffer_;
    std::optional<ResponseParser> parser_;
    std::vector<char> piece_ = std::vector<char>(kPiece);
};

ApiConnection::ApiConnection(const asio::any_io_executor& executor, ApiAccess access,
                             Secrets secrets)
    : executor_(executor),
      access_(std::move(access)),
      server_(access_.server),
      secrets_(std::move(secrets)),
      transport_(std::make_unique<Transport>(executor)) {}

ApiConnection::~ApiConnection() = default;

asio::awaitable<Result<>> ApiConnection::open(Duration timeout) {
    const auto share = timeout / static_cast<int>(access_.others.size() + 1);
    auto opened = co_await open(access_, share);
    for (const Url& other : access_.others) {
        if (opened || is_closed_) break;
        transport_ = std::make_unique<Transport>(executor_);
        ApiAccess access = access_;
        access.server = server_ = other;
        auto again = co_await open(access, share);
        if (!again) again.error().what = opened.error().what + "; " + again.error().what;
        opened = std::move(again);
    }
    co_return opened;
}

asio::awaitable<Result<>> ApiConnection::open(const ApiAccess& access, Duration timeout) {
    auto connected = co_await transport_->connect(access, timeout);
    if (!connected || access.server.scheme != "https") co_return connected;
    co_return co_await transport_->secure(access, secrets_, timeout);
}

asio::awaitable<Result<ApiResponse>> ApiConnection::send(const ApiRequest& request,
                                                         Duration timeout) {
    const std::string host = server_.authority();
    const std::string target = server_.path + request.target;
    auto response = co_await transport_->send(host, target, request, timeout);
    if (!response) close();
    co_return response;
}

asio::awaitable<Result<std::string_view>> ApiConnection::read(Duration timeout) {
    auto piece = co_await transport_->read(timeout);
    if (!piece) close();
    co_return piece;
}

bool ApiConnection::can_serve(const ApiAccess& access, const Secrets& secrets) const {
    return transport_->is_reusable() && access == access_ && secrets.is_same_identity(secrets_);
}

void ApiConnection::close() {
    is_closed_ = true;
    transport_->close();
}

} // namespace weir
