// SPDX-License-Identifier: Apache-2.0
// Runs a loaded tc program on one packet (BPF_PROG_TEST_RUN): one system call, no interface needed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "loader/result.h"

namespace weir {

// The fields of struct __sk_buff that the kernel lets a test run set.
struct PacketContext {
    std::uint32_t ifindex = 0;         // of an interface of this netns; 0: the kernel's own default
    std::uint32_t ingress_ifindex = 0; // 0: the packet comes from the node itself
    std::uint32_t mark = 0;
    std::uint32_t gso_segments = 0;
    std::uint32_t gso_size = 0;
    std::uint32_t wire_length = 0; // 0: the packet's
};

struct PacketVerdict {
    std::int32_t verdict = 0;    // TCX_NEXT, TCX_DROP, ...
    std::uint32_t duration = 0;  // ns for one run, the mean over the repetitions
    std::size_t output_size = 0; // bytes of the packet afterwards
};

// packet: from the Ethernet header on, at least 14 bytes. output: receives the packet as the
// program left it, cut to its size; may be empty.
Result<PacketVerdict> run_packet(int program_fd, std::span<const std::byte> packet,
                                 const PacketContext& context = {}, std::uint32_t repeat = 1,
                                 std::span<std::byte> output = {});

// The same for an XDP program, which sees the packet come in at the interface; 0: the kernel's own
// default. The packet is linear, with room before it. The verdict is XDP_PASS or the like.
Result<PacketVerdict> run_frame(int program_fd, std::span<const std::byte> packet,
                                std::uint32_t ifindex = 0, std::uint32_t repeat = 1,
                                std::span<std::byte> output = {});

} // namespace weir
