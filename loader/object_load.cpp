// SPDX-License-Identifier: Apache-2.0
#include "loader/object_load.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <sys/resource.h>
#include <unistd.h>

#include <fstream>

namespace weir {
namespace {

// bytes the kernel charges, from "memlock:" of fdinfo
std::uint64_t memory_of(int fd) {
    std::ifstream info("/proc/self/fdinfo/" + std::to_string(fd));
    std::string word;
    while (info >> word) {
        std::uint64_t bytes = 0;
        if (word == "memlock:" && info >> bytes) return bytes;
    }
    return 0;
}

} // namespace

void raise_memlock() {
    const rlimit unlimited{RLIM_INFINITY, RLIM_INFINITY};
    setrlimit(RLIMIT_MEMLOCK, &unlimited);
}

std::string load_advice(int code) {
    if (access("/sys/kernel/btf/vmlinux", R_OK) != 0)
        return "; this kernel has no BTF (/sys/kernel/btf/vmlinux): it must be built with "
               "CONFIG_DEBUG_INFO_BTF";
    if (code == EPERM || code == EACCES)
        return "; loading needs root, or CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON";
    if (code == ENOMEM) return "; not enough memory for the maps: give them less (--map-memory)";
    return "; Weir needs Linux 6.1 or newer";
}

std::vector<MapInfo> map_infos(const bpf_object* object) {
    std::vector<MapInfo> infos;
    bpf_map* map = nullptr;
    bpf_object__for_each_map(map, object) {
        if (bpf_map__is_internal(map) || !bpf_map__autocreate(map)) continue;
        bpf_map_info info{};
        std::uint32_t length = sizeof(info);
        const int fd = bpf_map__fd(map);
        if (bpf_map_get_info_by_fd(fd, &info, &length) != 0) continue;
        infos.push_back({bpf_map__name(map), info.id, info.max_entries, memory_of(fd)});
    }
    return infos;
}

} // namespace weir
