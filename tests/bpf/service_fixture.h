// SPDX-License-Identifier: Apache-2.0
// The shipped programs on real sockets: a cgroup and a network namespace of the test's own, whose
// loopback has the backends' addresses; maps written by hand.
#pragma once

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "loader/fd.h"
#include "loader/service_dataplane.h"
#include "tests/bpf/service_tables.h"

namespace weir::test {

inline constexpr std::uint16_t kPort = 80; // of services
inline const SocketEnd kService{"10.96.0.1", kPort};
inline constexpr std::uint16_t kBackendPort = 8080;

// What a socket of this family connects to.
struct SocketFamily {
    const char* name;
    int family; // AF_*
    const char* service;
    std::vector<const char*> backends;
};
extern const std::vector<SocketFamily> kSocketFamilies;

class TestSocket {
public:
    // type: SOCK_STREAM or SOCK_DGRAM. Receiving ends after a second.
    TestSocket(int family, int type);

    // 0 or the errno value.
    int bind(const SocketEnd& end);
    int connect(const SocketEnd& end);
    int send(std::string_view text);
    int send_to(const SocketEnd& end, std::string_view text);
    // A datagram; "" after a second without one.
    std::string receive(SocketEnd* sender);
    SocketEnd peer() const;
    void listen();
    // Who comes next; nobody within a second.
    std::optional<SocketEnd> accept();
    void close() { fd_ = Fd(); }
    int fd() const { return fd_.value(); }

private:
    int family_;
    Fd fd_;
};

// All tests share one dataplane and cgroup: attaching takes longer than any of them.
class ServiceTest : public ::testing::Test {
protected:
    ServiceTest();
    ~ServiceTest() override;

    static const ServiceMaps& maps() { return dataplane().maps(); }
    static ServiceDataplane& dataplane();
    static const std::filesystem::path& cgroup();
    static weir_backend& backend(std::uint32_t id) { return maps().backends[id]; }
    // Counted in this test.
    std::uint64_t outcome(weir_service_outcome outcome) const;

    // As in ServiceTables.
    std::uint32_t add_backend(std::string_view address, std::uint16_t port = kBackendPort) {
        return tables_.add_backend(address, port);
    }
    std::vector<std::uint32_t> add_backends(const SocketFamily& family);
    void add_service(const SocketEnd& frontend, const std::vector<std::uint32_t>& slots,
                     const ServiceManner& manner = {}) {
        tables_.add_service(frontend, slots, manner);
    }
    void add_wildcard(std::string_view address) { tables_.add_wildcard(address); }
    // Connects UDP sockets, which needs nobody to answer. How many each backend got.
    static std::vector<int> spread(const SocketEnd& frontend,
                                   const std::vector<std::uint32_t>& backends, int connections,
                                   int family = AF_INET);

private:
    ServiceTables tables_{maps()};
    ServiceOutcomes outcomes_before_{};
};

} // namespace weir::test
