// SPDX-License-Identifier: Apache-2.0
// A hundred thousand connections to a service: how they are spread, and that none is refused while
// every backend is replaced.
#include <arpa/inet.h>
#include <sys/socket.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <map>
#include <memory>
#include <thread>
#include <vector>

#include "loader/fd.h"
#include "tests/net/services_fixture.h"

namespace weir {
namespace {

constexpr int kConnections = 100'000;

// Accepts at TCP port 80, both families, and closes at once. Until it is stopped: then the port
// refuses.
class Acceptor {
public:
    explicit Acceptor(const Netns& netns)
        : listener_(netns.inside([] { return listen(); })), thread_([this] { loop(); }) {}
    ~Acceptor() {
        ::shutdown(listener_.value(), SHUT_RDWR);
        thread_.join();
    }
    Acceptor(const Acceptor&) = delete;
    Acceptor& operator=(const Acceptor&) = delete;

    int accepted() const { return accepted_; }

private:
    static int listen() {
        const int fd = ::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
        const int no = 0;
        sockaddr_in6 any{};
        any.sin6_family = AF_INET6;
        any.sin6_port = htons(80);
        ::setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &no, sizeof(no));
        EXPECT_EQ(::bind(fd, reinterpret_cast<const sockaddr*>(&any), sizeof(any)), 0);
        EXPECT_EQ(::listen(fd, 4096), 0);
        return fd;
    }
    void loop() {
        while (true) {
            const Fd connection(::accept(listener_.value(), nullptr, nullptr));
            if (connection.is_open())
                ++accepted_;
            else if (errno != ECONNABORTED)
                return;
        }
    }

    Fd listener_;
    std::atomic<int> accepted_ = 0;
    std::thread thread_;
};

template <typename Address>
int connect_once(const Address& address, int family) {
    const Fd socket(::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const linger at_once{.l_onoff = 1, .l_linger = 0}; // its port is free again
    ::setsockopt(socket.value(), SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
    const auto* raw = reinterpret_cast<const sockaddr*>(&address);
    return ::connect(socket.value(), raw, sizeof(address)) == 0 ? 0 : errno;
}

// One after the other, IPv4 and IPv6 in turn, counted in `made`: so many, and until it is over.
// Returns the errors, by errno.
std::map<int, int> connect_all(const Netns& from, std::atomic<int>& made,
                               const std::atomic<bool>& is_over) {
    return from.inside([&] {
        std::map<int, int> errors;
        sockaddr_in v4{};
        v4.sin_family = AF_INET;
        v4.sin_port = htons(80);
        ::inet_pton(AF_INET, "10.96.0.1", &v4.sin_addr);
        sockaddr_in6 v6{};
        v6.sin6_family = AF_INET6;
        v6.sin6_port = htons(80);
        ::inet_pton(AF_INET6, "fd00:96::1", &v6.sin6_addr);
        for (; made < kConnections || !is_over; ++made) {
            const int error =
                made % 2 == 0 ? connect_once(v4, AF_INET) : connect_once(v6, AF_INET6);
            if (error != 0) ++errors[error];
        }
        return errors;
    });
}

class ServiceLoadNetTest : public ServicesNetTest {
protected:
    ServiceLoadNetTest() {
        for (const auto& [node, name] : {std::pair(&far_, "three"), std::pair(&near_, "four"),
                                         std::pair(&far_, "five"), std::pair(&near_, "six")})
            pods_.push_back(&add(*node, name));
        lab_.write_objects();
        EXPECT_TRUE(lab_.settle());
        for (const LabPod* pod : pods_)
            EXPECT_TRUE(lab_.add_endpoint(*pod).ok());
    }

    std::vector<LabPod*> pods_;
};

TEST_P(ServiceLoadNetTest, NoneIsRefusedWhileEveryBackendIsReplaced) {
    std::map<const LabPod*, std::unique_ptr<Acceptor>> running;
    const auto run = [&](const LabPod* pod) {
        running[pod] = std::make_unique<Acceptor>(*pod->netns);
    };
    std::vector<const LabPod*> backends{pods_[0], pods_[1]};
    for (const LabPod* pod : backends)
        run(pod);
    lab_.apply("slices.yaml", slices_yaml("web", backends));

    std::atomic<int> made = 0;
    std::atomic<bool> is_over = false;
    std::map<int, int> errors;
    std::thread client([&] { errors = connect_all(*client_.netns, made, is_over); });
    std::size_t replaced = 0;
    // As a rolling update does: the next pod is ready before an old one goes, which listens for a
    // moment longer.
    for (const int at : {15'000, 30'000, 45'000, 60'000, 75'000, 90'000}) {
        while (made < at)
            std::this_thread::sleep_for(std::chrono::milliseconds(1));
        const LabPod* next = pods_[(replaced + 2) % pods_.size()];
        const LabPod* old = std::exchange(backends[replaced % 2], next);
        run(next);
        lab_.apply("slices.yaml", slices_yaml("web", backends));
        std::this_thread::sleep_for(std::chrono::milliseconds(50));
        running.erase(old);
        ++replaced;
    }
    is_over = true;
    client.join();
    EXPECT_EQ(errors, (std::map<int, int>{})) << "by errno, of " << made;
}

TEST_P(ServiceLoadNetTest, WeightsHoldToAPercent) {
    const Acceptor old_one(*pods_[0]->netns), new_one(*pods_[1]->netns);
    lab_.write_manifest("more.yaml", service_yaml("old", "10.96.0.2", "fd00:96::2") +
                                         service_yaml("new", "10.96.0.3", "fd00:96::3") +
                                         slices_yaml("old", {pods_[0]}) +
                                         slices_yaml("new", {pods_[1]}));
    lab_.apply("split.yaml", split_yaml(25, 75));
    std::atomic<int> made = 0;
    EXPECT_EQ(connect_all(*client_.netns, made, true), (std::map<int, int>{})) << "by errno";
    EXPECT_TRUE(eventually([&] { return old_one.accepted() + new_one.accepted() == made; }));
    EXPECT_NEAR(new_one.accepted(), 0.75 * kConnections, 0.01 * kConnections);
}

INSTANTIATE_TEST_SUITE_P(Ways, ServiceLoadNetTest, testing::Values("Connections"), kWayName);

} // namespace
} // namespace weir
