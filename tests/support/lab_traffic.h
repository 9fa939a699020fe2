// SPDX-License-Identifier: Apache-2.0
// Real packets between namespaces: echo servers, single probes by the hundred, long-lived
// connections, and a numbered UDP stream whose losses are counted.
#pragma once

#include <netinet/in.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/netns.h"

namespace weir {

// Echoes what it gets, TCP and UDP, both families, any number of namespaces; one thread.
class EchoServers {
public:
    EchoServers();
    ~EchoServers();
    EchoServers(const EchoServers&) = delete;
    EchoServers& operator=(const EchoServers&) = delete;

    void listen(const Netns& netns, std::uint16_t port, int protocol);
    // Datagrams that arrived anywhere with exactly this payload.
    int received(const std::string& payload);

private:
    struct Socket {
        int fd;
        enum { kListener, kConnection, kDatagram } role;
    };

    void loop();
    void serve(std::size_t index);

    std::mutex mutex_;
    std::vector<Socket> sockets_;
    std::map<std::string, int> datagrams_;
    int wake_[2];
    std::atomic<bool> is_stopping_ = false;
    std::thread thread_;
};

struct Probe {
    const Netns* from = nullptr;
    std::string address;
    std::uint16_t port = 0;
    int protocol = IPPROTO_TCP; // or IPPROTO_UDP, answered by an echo
};

constexpr std::chrono::milliseconds kProbeTimeout{400};

// Whether each got an answer in time; all at once.
std::vector<bool> probe_all(const std::vector<Probe>& probes,
                            std::chrono::milliseconds timeout = kProbeTimeout);
bool can_reach(const Netns& from, const std::string& address, std::uint16_t port,
               int protocol = IPPROTO_TCP);

// A TCP connection that stays open.
class TcpConnection {
public:
    TcpConnection(const Netns& from, const std::string& address, std::uint16_t port,
                  std::chrono::milliseconds timeout = kProbeTimeout);
    ~TcpConnection();
    TcpConnection(const TcpConnection&) = delete;
    TcpConnection& operator=(const TcpConnection&) = delete;

    bool is_open() const { return fd_ >= 0; }
    std::string peer() const; // the address that the process sees; IPv4 or IPv6
    // Sends a line (of at least `size` bytes) and waits for its echo. After a false the connection
    // may be stuck until TCP tries again, so give it seconds.
    bool exchange(std::chrono::milliseconds timeout = kProbeTimeout, std::size_t size = 0);

private:
    bool send_all(const std::string& bytes, std::chrono::steady_clock::time_point deadline);

    int fd_ = -1;
    int lines_ = 0;
    std::string tail_; // the last bytes that came back
};

// Numbered datagrams at a steady rate to an echo server.
class UdpStream {
public:
    UdpStream(const Netns& from, const std::string& address, std::uint16_t port,
              std::chrono::microseconds interval = std::chrono::microseconds(500));
    ~UdpStream();
    UdpStream(const UdpStream&) = delete;
    UdpStream& operator=(const UdpStream&) = delete;

    struct Count {
        std::uint64_t sent = 0;
        std::uint64_t answered = 0;
    };
    Count count() const { return {sent_, answered_}; }
    // Stops sending, waits for answers under way.
    Count finish();

private:
    void loop(std::chrono::microseconds interval);
    void take_answers();

    int fd_ = -1;
    std::atomic<std::uint64_t> sent_ = 0;
    std::atomic<std::uint64_t> answered_ = 0;
    std::atomic<bool> is_stopping_ = false;
    std::thread thread_;
};

// One datagram from an address that need not be the sender's own.
void send_datagram_as(const Netns& from, const std::string& source, const std::string& address,
                      std::uint16_t port, const std::string& payload);

// Puts a whole Ethernet frame on the interface.
void send_frame(const Netns& from, const std::string& interface, const std::string& frame);
std::string mac_of(const Netns& netns, const std::string& interface); // six bytes

// GET of a path from 127.0.0.1; the body, empty when nobody answers.
std::string http_get(const Netns& netns, const std::string& address, std::uint16_t port,
                     const std::string& path);

} // namespace weir
