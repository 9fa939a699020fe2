// SPDX-License-Identifier: Apache-2.0
#include "agent/cni/server.h"

#include <sys/stat.h>
#include <sys/un.h>

#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <chrono>
#include <filesystem>
#include <utility>

namespace weir {
namespace {

namespace asio = boost::asio;
using Protocol = asio::local::stream_protocol;

constexpr std::size_t kMaxRequest = 4u << 20; // GC names every container
constexpr std::chrono::seconds kIdle{5};

// One request: read to the end, handled, answered.
class Session : public std::enable_shared_from_this<Session> {
public:
    Session(Protocol::socket socket, std::shared_ptr<const CniServer::Handler> handler)
        : socket_(std::move(socket)), idle_(socket_.get_executor()), handler_(std::move(handler)) {}

    void read() {
        idle_.expires_after(kIdle);
        idle_.async_wait([weak = weak_from_this()](const boost::system::error_code& error) {
            const auto self = weak.lock();
            if (!error && self) self->close();
        });
        asio::async_read(
            socket_, asio::dynamic_buffer(text_, kMaxRequest),
            [self = shared_from_this()](const boost::system::error_code& error, std::size_t) {
                self->idle_.cancel();
                if (error == asio::error::eof) self->handle();
            });
    }

private:
    void handle() {
        const auto request = decode_request(text_);
        if (!request) {
            return write(
                std::unexpected(CniError{kCniDecode, "the agent does not understand the request",
                                         "install the weir-cni that belongs to it: weir install"}));
        }
        (*handler_)(*request,
                    [self = shared_from_this()](const CniReply& reply) { self->write(reply); });
    }

    void write(const CniReply& reply) {
        text_ = encode(reply);
        asio::async_write(
            socket_, asio::buffer(text_),
            [self = shared_from_this()](const boost::system::error_code&, std::size_t) {
                self->close(); // a plugin that is gone is followed by a DEL
            });
    }

    void close() {
        boost::system::error_code ignored;
        socket_.close(ignored);
    }

    Protocol::socket socket_;
    asio::steady_timer idle_;
    std::shared_ptr<const CniServer::Handler> handler_;
    std::string text_;
};

} // namespace

class CniServer::Acceptor : public std::enable_shared_from_this<Acceptor> {
public:
    Acceptor(asio::io_context& context, Handler handler)
        : acceptor_(context), handler_(std::make_shared<const Handler>(std::move(handler))) {}

    boost::system::error_code listen(const std::string& path) {
        boost::system::error_code error;
        acceptor_.open(Protocol(), error);
        // Nobody else may connect, not even between bind and chmod.
        const mode_t previous = ::umask(0177);
        if (!error) acceptor_.bind(Protocol::endpoint(path), error);
        ::umask(previous);
        if (!error) acceptor_.listen(asio::socket_base::max_listen_connections, error);
        return error;
    }

    void accept() {
        acceptor_.async_accept([self = shared_from_this()](const boost::system::error_code& error,
                                                           Protocol::socket socket) {
            if (!self->acceptor_.is_open()) return;
            if (!error) std::make_shared<Session>(std::move(socket), self->handler_)->read();
            self->accept();
        });
    }

    void close() {
        boost::system::error_code ignored;
        acceptor_.close(ignored);
    }

private:
    Protocol::acceptor acceptor_;
    std::shared_ptr<const Handler> handler_;
};

CniServer::CniServer(std::shared_ptr<Acceptor> acceptor) : acceptor_(std::move(acceptor)) {}

CniServer::~CniServer() {
    acceptor_->close();
}

Result<std::unique_ptr<CniServer>> CniServer::start(asio::io_context& context,
                                                    const std::string& run_dir, Handler handler) {
    const std::string path = run_dir + "/cni.sock";
    if (path.size() >= sizeof(sockaddr_un::sun_path)) {
        return failure("socket " + path + ": the path is too long; choose a shorter --run-dir");
    }
    std::error_code ignored; // an earlier agent's; the lock says that it is gone
    std::filesystem::remove(path, ignored);
    auto acceptor = std::make_shared<Acceptor>(context, std::move(handler));
    if (const auto error = acceptor->listen(path)) {
        return failure("listen on " + path + ": " + error.message());
    }
    acceptor->accept();
    return std::unique_ptr<CniServer>(new CniServer(std::move(acceptor)));
}

} // namespace weir
