// SPDX-License-Identifier: Apache-2.0
// As many packets as the machine can make, from one namespace.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <thread>

#include "tests/support/netns.h"
#include "tests/support/packet.h"

namespace weir {

// Puts so many copies of the frame on eth0, each with its number (from the first one on, four
// bytes, network order) at the offset; as they are where the offset is 0. Returns how many came out
// at the other end of the veth: its queue may be full.
std::uint64_t flood(const Netns& from, const test::Bytes& frame, std::uint32_t count,
                    std::size_t number_offset = 0, std::uint32_t first = 0);

// Offsets for flood(), of plain IPv6 frames.
constexpr std::size_t kPortsOffset = 14 + 40;          // source and destination port
constexpr std::size_t kFragmentIdOffset = 14 + 40 + 4; // behind a fragment header's first half

// Answers every UDP packet over IPv6 that comes to eth0, whatever its checksum, by a copy with both
// ends exchanged.
class Reflector {
public:
    explicit Reflector(const Netns& netns);
    ~Reflector();
    Reflector(const Reflector&) = delete;
    Reflector& operator=(const Reflector&) = delete;

    std::uint64_t answered() const { return answered_; }

private:
    void loop();

    int fd_ = -1;
    std::atomic<std::uint64_t> answered_ = 0;
    std::atomic<bool> is_stopping_ = false;
    std::thread thread_;
};

} // namespace weir
