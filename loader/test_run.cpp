// SPDX-License-Identifier: Apache-2.0
#include "loader/test_run.h"

#include <bpf/bpf.h>
#include <linux/bpf.h>

namespace weir {

namespace {

Result<PacketVerdict> run(int program_fd, std::span<const std::byte> packet, void* context,
                          std::size_t context_size, std::uint32_t repeat,
                          std::span<std::byte> output) {
    LIBBPF_OPTS(bpf_test_run_opts, options);
    options.data_in = packet.data();
    options.data_size_in = static_cast<std::uint32_t>(packet.size());
    options.data_out = output.empty() ? nullptr : output.data();
    options.data_size_out = static_cast<std::uint32_t>(output.size());
    options.ctx_in = context;
    options.ctx_size_in = static_cast<std::uint32_t>(context_size);
    options.repeat = static_cast<int>(repeat);

    const int error = bpf_prog_test_run_opts(program_fd, &options);
    // ENOSPC: it ran, and more came out than there is room for.
    if (error != 0 && !(errno == ENOSPC && !output.empty()))
        return failure_errno("run a program on a packet");
    return PacketVerdict{static_cast<std::int32_t>(options.retval), options.duration,
                         options.data_size_out};
}

} // namespace

Result<PacketVerdict> run_packet(int program_fd, std::span<const std::byte> packet,
                                 const PacketContext& context, std::uint32_t repeat,
                                 std::span<std::byte> output) {
    __sk_buff skb{};
    skb.ifindex = context.ifindex;
    skb.ingress_ifindex = context.ingress_ifindex;
    skb.mark = context.mark;
    skb.gso_segs = context.gso_segments;
    skb.gso_size = context.gso_size;
    skb.wire_len = context.wire_length;
    return run(program_fd, packet, &skb, sizeof(skb), repeat, output);
}

Result<PacketVerdict> run_frame(int program_fd, std::span<const std::byte> packet,
                                std::uint32_t ifindex, std::uint32_t repeat,
                                std::span<std::byte> output) {
    xdp_md frame{};
    frame.data_end = static_cast<std::uint32_t>(packet.size());
    frame.ingress_ifindex = ifindex;
    return run(program_fd, packet, &frame, sizeof(frame), repeat, output);
}

} // namespace weir
