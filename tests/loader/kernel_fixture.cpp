// SPDX-License-Identifier: Apache-2.0
#include "tests/loader/kernel_fixture.h"

#include <bpf/bpf.h>
#include <net/if.h>
#include <sched.h>
#include <sys/mount.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <sstream>

namespace weir::test {
namespace {

[[noreturn]] void give_up(const std::string& what) {
    std::fprintf(stderr, "%s\n", what.c_str());
    std::abort();
}

std::string run(const std::string& program, const std::string& line) {
    Arguments arguments{program};
    std::istringstream words(line);
    for (std::string word; words >> word;)
        arguments.push_back(word);
    const auto result = run_command(arguments);
    if (!result.ok()) give_up(program + " " + line + ": " + result.err);
    return result.out;
}

} // namespace

void enter_host_netns() {
    static const bool is_inside = [] {
        if (unshare(CLONE_NEWNET) != 0) give_up("unshare: run as root");
        run("ip", "link set lo up");
        return true;
    }();
    (void)is_inside;
}

void ip(const std::string& line) {
    run("ip", line);
}
std::string tc(const std::string& line) {
    return run("tc", line);
}

BpffsFolder::BpffsFolder() {
    std::filesystem::create_directory(mount_point());
    if (mount("bpf", mount_point().c_str(), "bpf", 0, nullptr) != 0) give_up("mount bpffs");
}

BpffsFolder::~BpffsFolder() {
    umount2(mount_point().c_str(), MNT_DETACH);
}

VethPod::VethPod(const std::string& name) : netns(name), host_name(name) {
    ip("link add " + name + " type veth peer name eth0 netns " + netns.name());
    ip("link set " + name + " up");
    netns.ip("link set eth0 up");
    ifindex = if_nametoindex(name.c_str());
}

VethPod::~VethPod() {
    run_command({"ip", "link", "del", host_name}); // at once; the namespace takes its time
}

MapSizes small_sizes() {
    return {.peers = 1024,
            .prefixes = 256,
            .tables = 64,
            .rules = 1024,
            .intervals = 1024,
            .flows = 1024,
            .new_flows = 1024,
            .fragments = 64,
            .event_bytes = 1 << 16};
}

Dataplane open_dataplane(const std::string& bpffs, HookKind hook) {
    auto dataplane = Dataplane::open({.bpffs = bpffs, .sizes = small_sizes(), .hook = hook});
    if (!dataplane) give_up(dataplane.error().what);
    return std::move(*dataplane);
}

Fd load_foreign_program() {
    const bpf_insn program[] = {
        {.code = BPF_ALU64 | BPF_MOV | BPF_K,
         .dst_reg = BPF_REG_0,
         .src_reg = 0,
         .off = 0,
         .imm = -1},
        {.code = BPF_JMP | BPF_EXIT, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = 0},
    };
    Fd fd(bpf_prog_load(BPF_PROG_TYPE_SCHED_CLS, "foreign", "GPL", program, 2, nullptr));
    if (!fd.is_open()) give_up("load a program");
    return fd;
}

std::vector<__u32> tcx_programs(std::uint32_t ifindex, weir_direction direction) {
    std::array<__u32, 16> ids{};
    LIBBPF_OPTS(bpf_prog_query_opts, options);
    options.prog_ids = ids.data();
    options.count = ids.size();
    const auto hook = direction == WEIR_EGRESS ? BPF_TCX_INGRESS : BPF_TCX_EGRESS;
    if (bpf_prog_query_opts(static_cast<int>(ifindex), hook, &options) != 0) return {};
    return {ids.begin(), ids.begin() + options.count};
}

std::uint32_t program_id(int fd) {
    bpf_prog_info info{};
    std::uint32_t length = sizeof(info);
    if (bpf_prog_get_info_by_fd(fd, &info, &length) != 0) give_up("read a program's info");
    return info.id;
}

} // namespace weir::test
