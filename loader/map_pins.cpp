// SPDX-License-Identifier: Apache-2.0
#include "loader/map_pins.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <string>
#include <string_view>

#include "loader/bpffs.h"
#include "loader/fd.h"

namespace weir {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kCounters = "weir_counters";

Result<bpf_map_info> info_of(int fd, const fs::path& pin) {
    bpf_map_info info{};
    std::uint32_t length = sizeof(info);
    if (bpf_map_get_info_by_fd(fd, &info, &length) != 0)
        return failure_errno("read the map pinned at " + pin.string());
    return info;
}

// The first property that differs, or nothing.
const char* difference(const bpf_map* map, const bpf_map_info& pinned) {
    if (pinned.type != static_cast<std::uint32_t>(bpf_map__type(map))) return "type";
    if (pinned.key_size != bpf_map__key_size(map)) return "key size";
    if (pinned.value_size != bpf_map__value_size(map)) return "value size";
    if (pinned.map_flags != bpf_map__map_flags(map)) return "flags";
    return nullptr;
}

// Maps of libbpf's own (.rodata, .bss) belong to one load of the programs.
bool is_ours(const bpf_map* map) {
    return !bpf_map__is_internal(map);
}

Result<bool> reuse(bpf_map* map, const fs::path& pin) {
    auto fd = open_pin(pin);
    if (!fd) return std::unexpected(std::move(fd.error()));
    if (!fd->is_open()) return false;
    auto pinned = info_of(fd->value(), pin);
    if (!pinned) return std::unexpected(std::move(pinned.error()));
    if (const char* what = difference(map, *pinned))
        return failure("the map pinned at " + pin.string() + " has another " + what +
                       " than this version of Weir uses: run the version that made it, or "
                       "`weir cleanup` and start anew");
    if (pinned->max_entries != bpf_map__max_entries(map) && bpf_map__name(map) == kCounters)
        return true;
    if (const int error = bpf_map__reuse_fd(map, fd->value()); error != 0)
        return failure_errno("reuse the map pinned at " + pin.string(), -error);
    return true;
}

} // namespace

Result<bool> reuse_pinned_maps(bpf_object* object, const fs::path& folder) {
    bool is_any_found = false;
    bpf_map* map = nullptr;
    bpf_object__for_each_map(map, object) {
        if (!is_ours(map)) continue;
        auto found = reuse(map, folder / bpf_map__name(map));
        if (!found) return found;
        is_any_found |= *found;
    }
    return is_any_found;
}

Result<> pin_maps(bpf_object* object, const fs::path& folder) {
    bpf_map* map = nullptr;
    bpf_object__for_each_map(map, object) {
        if (!is_ours(map)) continue;
        const fs::path pin = folder / bpf_map__name(map);
        auto there = open_pin(pin);
        if (!there) return std::unexpected(std::move(there.error()));
        if (there->is_open() && bpf_map__name(map) != kCounters) continue;
        if (auto pinned = replace_pin(bpf_map__fd(map), pin); !pinned) return pinned;
    }
    return {};
}

} // namespace weir
