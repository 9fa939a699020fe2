// SPDX-License-Identifier: Apache-2.0
// What loading any BPF object needs: limits, advice when the kernel refuses, figures of its maps.
#pragma once

#include <cstdint>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "loader/maps.h"
#include "loader/result.h"

struct bpf_object;

namespace weir {

// Kernels before 5.11 account maps as locked memory; a refusal does not matter on newer ones.
void raise_memlock();

// The likely cause and remedy of a load that failed with this errno value, to follow its text.
std::string load_advice(int code);

// The object's own maps, without libbpf's.
std::vector<MapInfo> map_infos(const bpf_object* object);

// Lets the opened object `to` use the maps of the loaded one that have the same names; their names.
Result<std::set<std::string>> share_maps(const bpf_object* from, bpf_object* to);

// Reads a PERCPU_ARRAY of counts: sums[i] is its element i.
Result<> sum_over_cpus(int fd, std::span<std::uint64_t> sums);

// target: a Map or an ArrayView. Opens the map into it, or keeps the error. Returns whether it did.
template <typename T>
bool open_into(T& target, int fd, Error& error) {
    auto opened = T::open(fd);
    if (!opened) {
        error = std::move(opened.error());
        return false;
    }
    target = std::move(*opened);
    return true;
}

} // namespace weir
