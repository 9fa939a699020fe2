// SPDX-License-Identifier: Apache-2.0
// The admin endpoint, spoken to over a real socket on a free port.
#include "agent/http/admin_server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>
#include <thread>

namespace weir {
namespace {

using boost::asio::ip::tcp;
using testing::HasSubstr;
using testing::StartsWith;

class AdminServerTest : public testing::Test {
protected:
    AdminServerTest() {
        AdminServer::Pages pages;
        pages["/readyz"] = [this] {
            return is_ready_ ? Page{.body = "ok\n"} : Page{.status = 503, .body = "not yet\n"};
        };
        pages["/metrics"] = [] {
            return Page{.content_type = "text/plain; version=0.0.4", .body = "weir_revision 7\n"};
        };
        auto server = AdminServer::start(context_, "127.0.0.1:0", std::move(pages));
        EXPECT_TRUE(server) << server.error().what;
        server_ = std::move(*server);
        thread_ = std::thread([this] { context_.run(); });
    }
    ~AdminServerTest() override {
        context_.stop();
        thread_.join();
    }

    // Sends the text and returns what comes back until the server closes, which it may do before it
    // has read everything.
    std::string exchange(const std::string& request) {
        boost::asio::io_context context;
        tcp::socket socket(context);
        socket.connect({boost::asio::ip::address_v4::loopback(), server_->port()});
        std::string answer;
        boost::system::error_code error;
        boost::asio::write(socket, boost::asio::buffer(request), error);
        boost::asio::read(socket, boost::asio::dynamic_buffer(answer), error);
        return answer;
    }

    std::string get(const std::string& path) {
        return exchange("GET " + path + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    }

    bool is_ready_ = false;
    boost::asio::io_context context_;
    std::unique_ptr<AdminServer> server_;
    std::thread thread_;
};

TEST_F(AdminServerTest, ServesPages) {
    const auto answer = get("/metrics");
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 200 "));
    EXPECT_THAT(answer, HasSubstr("Content-Type: text/plain; version=0.0.4\r\n"));
    EXPECT_THAT(answer, HasSubstr("\r\n\r\nweir_revision 7\n"));
    EXPECT_THAT(get("/metrics?name=x"), StartsWith("HTTP/1.1 200 "));
}

TEST_F(AdminServerTest, SaysWhyItIsNotReady) {
    const auto answer = get("/readyz");
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 503 "));
    EXPECT_THAT(answer, HasSubstr("not yet"));
}

TEST_F(AdminServerTest, RefusesWhatItDoesNotServe) {
    EXPECT_THAT(get("/"), StartsWith("HTTP/1.1 404 "));
    EXPECT_THAT(exchange("POST /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"),
                StartsWith("HTTP/1.1 405 "));
}

TEST_F(AdminServerTest, HeadHasNoBody) {
    const auto answer = exchange("HEAD /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    EXPECT_THAT(answer, HasSubstr("Content-Length: 16\r\n"));
    EXPECT_THAT(answer, testing::EndsWith("\r\n\r\n"));
}

TEST_F(AdminServerTest, SurvivesGarbageAndOversizedRequests) {
    exchange("\x16\x03\x01 nonsense\r\n\r\n");
    exchange("GET /metrics HTTP/1.1\r\nX: " + std::string(100'000, 'a') + "\r\n\r\n");
    EXPECT_THAT(get("/metrics"), StartsWith("HTTP/1.1 200 "));
}

TEST(AdminServer, RefusesABadAddressWithARemedy) {
    boost::asio::io_context context;
    for (const char* address : {"", "9964", "localhost:9964", "127.0.0.1:", "127.0.0.1:99999"}) {
        const auto server = AdminServer::start(context, address, {});
        ASSERT_FALSE(server) << address;
        EXPECT_THAT(server.error().what, HasSubstr("ADDRESS:PORT"));
    }
}

TEST(AdminServer, RefusesATakenPortWithARemedy) {
    boost::asio::io_context context;
    const auto first = AdminServer::start(context, "127.0.0.1:0", {});
    ASSERT_TRUE(first);
    const auto second =
        AdminServer::start(context, "127.0.0.1:" + std::to_string((*first)->port()), {});
    ASSERT_FALSE(second);
    EXPECT_THAT(second.error().what, HasSubstr("--http-address"));
}

} // namespace
} // namespace weir
