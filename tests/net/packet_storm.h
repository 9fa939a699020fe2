// SPDX-License-Identifier: Apache-2.0
// Packets from one namespace, one every interval, round robin over several kinds: each opens a flow
// of its own or goes on with the one it began. Counts what left, exactly.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/netns.h"

namespace weir {

struct StormFlow {
    std::string address;
    std::uint16_t port = 0;
    int protocol = 0;        // IPPROTO_UDP, or IPPROTO_TCP: a SYN, and nothing more when denied
    bool is_allowed = false; // by both sides; others are denied by one of them
    bool is_fresh = false;   // a source port of its own for each packet
};

class PacketStorm {
public:
    PacketStorm(const Netns& from, std::vector<StormFlow> flows,
                std::chrono::microseconds interval);
    ~PacketStorm();
    PacketStorm(const PacketStorm&) = delete;
    PacketStorm& operator=(const PacketStorm&) = delete;

    // Ends the sending; waits for answers under way.
    void finish();
    std::uint64_t sent(std::size_t flow) const { return counts_[flow].sent; }
    // Datagrams that came back, or connections that came about.
    std::uint64_t answered(std::size_t flow) const { return counts_[flow].answered; }

private:
    struct Count {
        std::uint64_t sent = 0;
        std::uint64_t answered = 0;
    };
    struct Socket {
        int fd = -1;
        std::size_t flow = 0;
        bool is_connecting = false;
    };

    void loop();
    void send_packet(std::size_t flow);
    void send_datagram(std::size_t flow);
    void send_syn(std::size_t flow);
    int open(std::size_t flow) const;
    void take_answers(Socket& socket);
    void keep(const Socket& socket);
    void close_oldest();

    std::vector<StormFlow> flows_;
    std::chrono::microseconds interval_;
    std::vector<Count> counts_;
    std::vector<Socket> steady_;
    std::deque<Socket> recent_; // fresh ones whose answers may still come
    std::atomic<bool> is_stopping_ = false;
    std::thread thread_;
};

} // namespace weir
