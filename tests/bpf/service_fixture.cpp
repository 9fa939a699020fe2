// SPDX-License-Identifier: Apache-2.0
#include "tests/bpf/service_fixture.h"

#include <sys/time.h>

#include <cstdio>
#include <cstdlib>

#include "tests/loader/kernel_fixture.h"
#include "tests/support/test_cgroup.h"

namespace weir::test {
namespace {

// Once for the whole program.
void enter_service_netns() {
    static const bool is_inside = [] {
        enter_host_netns();
        for (const auto& family : kSocketFamilies) {
            if (std::string_view(family.name) == "Mapped") continue; // has the addresses of IPv4
            const bool is_v6 = family.family == AF_INET6;
            for (const char* backend : family.backends)
                ip("addr add " + std::string(backend) + (is_v6 ? "/128" : "/32") + " dev lo");
        }
        ip("route add 10.96.0.0/16 dev lo");
        ip("-6 route add fd00:96::/64 dev lo");
        return true;
    }();
    (void)is_inside;
}

int result_of(long outcome) {
    return outcome < 0 ? errno : 0;
}

} // namespace

const std::vector<SocketFamily> kSocketFamilies = {
    {"IPv4", AF_INET, "10.96.0.1", {"10.0.0.1", "10.0.0.2", "10.0.0.3"}},
    {"IPv6", AF_INET6, "fd00:96::1", {"fd00::1", "fd00::2", "fd00::3"}},
    {"Mapped", AF_INET6, "10.96.0.1", {"10.0.0.1", "10.0.0.2", "10.0.0.3"}},
};

TestSocket::TestSocket(int family, int type)
    : family_(family), fd_(::socket(family, type | SOCK_CLOEXEC, 0)) {
    const timeval second{.tv_sec = 1, .tv_usec = 0};
    const int on = 1;
    EXPECT_TRUE(fd_.is_open());
    ::setsockopt(fd_.value(), SOL_SOCKET, SO_RCVTIMEO, &second, sizeof(second));
    ::setsockopt(fd_.value(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
}

int TestSocket::bind(const SocketEnd& end) {
    const auto raw = end.raw(family_);
    return result_of(::bind(fd_.value(), reinterpret_cast<const sockaddr*>(&raw), sizeof(raw)));
}

int TestSocket::connect(const SocketEnd& end) {
    const auto raw = end.raw(family_);
    return result_of(::connect(fd_.value(), reinterpret_cast<const sockaddr*>(&raw), sizeof(raw)));
}

int TestSocket::send(std::string_view text) {
    return result_of(::send(fd_.value(), text.data(), text.size(), MSG_NOSIGNAL));
}

int TestSocket::send_to(const SocketEnd& end, std::string_view text) {
    const auto raw = end.raw(family_);
    return result_of(::sendto(fd_.value(), text.data(), text.size(), MSG_NOSIGNAL,
                              reinterpret_cast<const sockaddr*>(&raw), sizeof(raw)));
}

std::string TestSocket::receive(SocketEnd* sender) {
    std::string text(100, '\0');
    sockaddr_storage raw{};
    socklen_t length = sizeof(raw);
    const auto size = ::recvfrom(fd_.value(), text.data(), text.size(), 0,
                                 reinterpret_cast<sockaddr*>(&raw), &length);
    if (sender != nullptr) *sender = SocketEnd(raw);
    text.resize(size < 0 ? 0 : static_cast<std::size_t>(size));
    return text;
}

SocketEnd TestSocket::peer() const {
    sockaddr_storage raw{};
    socklen_t length = sizeof(raw);
    EXPECT_EQ(::getpeername(fd_.value(), reinterpret_cast<sockaddr*>(&raw), &length), 0);
    return SocketEnd(raw);
}

void TestSocket::listen() {
    EXPECT_EQ(::listen(fd_.value(), 64), 0);
}

std::optional<SocketEnd> TestSocket::accept() {
    sockaddr_storage raw{};
    socklen_t length = sizeof(raw);
    const Fd connection(::accept(fd_.value(), reinterpret_cast<sockaddr*>(&raw), &length));
    return connection.is_open() ? std::optional(SocketEnd(raw)) : std::nullopt;
}

const std::filesystem::path& ServiceTest::cgroup() {
    static const TestCgroup cgroup;
    return cgroup.path();
}

ServiceDataplane& ServiceTest::dataplane() {
    static ServiceDataplane dataplane = [] {
        enter_service_netns();
        auto opened = ServiceDataplane::open({.bpffs = {},
                                              .sizes = {.frontends = 1024,
                                                        .slots = 16384,
                                                        .backends = 1024,
                                                        .source_ranges = 64,
                                                        .affinities = 1024}});
        const auto attached = opened ? opened->attach(cgroup()) : std::unexpected(opened.error());
        if (!attached) {
            std::fprintf(stderr, "%s\n", attached.error().what.c_str());
            std::abort();
        }
        return std::move(*opened);
    }();
    return dataplane;
}

ServiceTest::ServiceTest() {
    outcomes_before_ = dataplane().outcomes().value();
}

ServiceTest::~ServiceTest() {
    std::vector<weir_affinity_key> clients;
    EXPECT_TRUE(maps().affinities.for_each(
        [&](const weir_affinity_key& client, const weir_affinity&) { clients.push_back(client); }));
    EXPECT_FALSE(maps().affinities.erase(clients).error);
    tables_.clear();
}

std::uint64_t ServiceTest::outcome(weir_service_outcome outcome) const {
    return dataplane().outcomes().value()[outcome] - outcomes_before_[outcome];
}

std::vector<std::uint32_t> ServiceTest::add_backends(const SocketFamily& family) {
    std::vector<std::uint32_t> ids;
    for (const char* text : family.backends)
        ids.push_back(add_backend(text));
    return ids;
}

std::vector<int> ServiceTest::spread(const SocketEnd& frontend,
                                     const std::vector<std::uint32_t>& backends, int connections,
                                     int family) {
    std::vector<std::uint64_t> before;
    for (const std::uint32_t id : backends)
        before.push_back(backend(id).opened);
    for (int i = 0; i < connections; ++i) {
        TestSocket socket(family, SOCK_DGRAM);
        EXPECT_EQ(socket.connect(frontend), 0);
    }
    std::vector<int> counts;
    for (std::size_t i = 0; i < backends.size(); ++i)
        counts.push_back(static_cast<int>(backend(backends[i]).opened - before[i]));
    return counts;
}

} // namespace weir::test
