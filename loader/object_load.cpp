// SPDX-License-Identifier: Apache-2.0
#include "loader/object_load.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <sys/resource.h>
#include <unistd.h>

#include <fstream>
#include <numeric>

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

Result<std::set<std::string>> share_maps(const bpf_object* from, bpf_object* to) {
    std::set<std::string> names;
    bpf_map* map = nullptr;
    bpf_object__for_each_map(map, to) {
        const bpf_map* own = bpf_object__find_map_by_name(from, bpf_map__name(map));
        if (own == nullptr || bpf_map__is_internal(map)) continue;
        if (const int error = bpf_map__reuse_fd(map, bpf_map__fd(own)); error != 0)
            return failure_errno("share the map " + std::string(bpf_map__name(map)), -error);
        names.insert(bpf_map__name(map));
    }
    return names;
}

Result<> sum_over_cpus(int fd, std::span<std::uint64_t> sums) {
    const int cpus = libbpf_num_possible_cpus();
    if (cpus <= 0) return failure_errno("count the CPUs", -cpus);
    std::vector<std::uint64_t> per_cpu(static_cast<std::size_t>(cpus));
    for (std::uint32_t i = 0; i < sums.size(); ++i) {
        if (bpf_map_lookup_elem(fd, &i, per_cpu.data()) != 0)
            return failure_errno("read a map of counts");
        sums[i] = std::accumulate(per_cpu.begin(), per_cpu.end(), std::uint64_t{0});
    }
    return {};
}

} // namespace weir
