// SPDX-License-Identifier: Apache-2.0
#include "loader/map_pins.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <algorithm>
#include <iterator>
#include <string>
#include <string_view>

#include "loader/bpffs.h"
#include "loader/fd.h"

namespace weir {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kCounters[] = {"weir_counters", "weir_outcomes", "weir_forwards"};

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

// Maps of libbpf's own (.rodata, .bss) belong to one load of the programs. Some are left out.
bool is_ours(const bpf_map* map) {
    return !bpf_map__is_internal(map) && bpf_map__autocreate(map);
}

// What an earlier agent's hooks end in stays theirs: it is pinned because it is emptied with the
// last reference to it, and the hooks do without.
bool belongs_to_programs(const bpf_map* map) {
    return bpf_map__type(map) == BPF_MAP_TYPE_PROG_ARRAY;
}

// Tables, rows and what leads to them. Arrays only grow: which of their elements are in use, others
// tell.
constexpr std::string_view kPolicyMaps[] = {"weir_peers", "weir_prefixes", "weir_tables",
                                            "weir_rules", "weir_rows"};

bool may_resize(const bpf_map* map, const bpf_map_info& pinned) {
    if (std::ranges::find(kPolicyMaps, std::string_view(bpf_map__name(map))) ==
        std::end(kPolicyMaps))
        return false;
    return pinned.type != BPF_MAP_TYPE_ARRAY || bpf_map__max_entries(map) > pinned.max_entries;
}

bool has_room(const bpf_map* map, const bpf_map_info& pinned, const MapContent& content) {
    const std::uint32_t size = bpf_map__max_entries(map);
    return size > pinned.max_entries || content.elements() <= size / 2;
}

// A map whose pinned namesake has another size. Returns whether it takes its own.
Result<bool> resize(const bpf_map* map, int fd, const bpf_map_info& pinned, PinnedMaps& found) {
    if (std::ranges::find(kCounters, std::string_view(bpf_map__name(map))) != std::end(kCounters))
        return true;
    if (may_resize(map, pinned)) {
        auto content = MapContent::read(fd);
        if (!content) return std::unexpected(std::move(content.error()));
        if (has_room(map, pinned, *content)) {
            found.moving.emplace_back(map, std::move(*content));
            return true;
        }
    }
    found.kept.emplace_back(bpf_map__name(map));
    return false;
}

Result<> reuse(bpf_map* map, const fs::path& pin, PinnedMaps& found) {
    auto fd = open_pin(pin);
    if (!fd) return std::unexpected(std::move(fd.error()));
    if (!fd->is_open()) return {};
    auto pinned = info_of(fd->value(), pin);
    if (!pinned) return std::unexpected(std::move(pinned.error()));
    if (const char* what = difference(map, *pinned))
        return failure("the map pinned at " + pin.string() + " has another " + what +
                       " than this version of Weir uses: run the version that made it, or "
                       "`weir cleanup` and start anew");
    found.is_any_found = true;
    if (pinned->max_entries != bpf_map__max_entries(map)) {
        auto resized = resize(map, fd->value(), *pinned, found);
        if (!resized) return std::unexpected(std::move(resized.error()));
        if (*resized) return {};
    }
    if (const int error = bpf_map__reuse_fd(map, fd->value()); error != 0)
        return failure_errno("reuse the map pinned at " + pin.string(), -error);
    return {};
}

// Whether the map is what the pin holds already.
Result<bool> is_pinned(const bpf_map* map, const fs::path& pin) {
    auto there = open_pin(pin);
    if (!there) return std::unexpected(std::move(there.error()));
    if (!there->is_open()) return false;
    auto pinned = info_of(there->value(), pin);
    auto own = info_of(bpf_map__fd(map), pin);
    if (!pinned) return std::unexpected(std::move(pinned.error()));
    if (!own) return std::unexpected(std::move(own.error()));
    return pinned->id == own->id;
}

} // namespace

Result<PinnedMaps> reuse_pinned_maps(bpf_object* object, const fs::path& folder) {
    PinnedMaps found;
    bpf_map* map = nullptr;
    bpf_object__for_each_map(map, object) {
        if (!is_ours(map) || belongs_to_programs(map)) continue;
        if (auto reused = reuse(map, folder / bpf_map__name(map), found); !reused)
            return std::unexpected(std::move(reused.error()));
    }
    return found;
}

Result<> pin_maps(bpf_object* object, const PinnedMaps& found, const fs::path& folder) {
    for (const auto& [map, content] : found.moving)
        if (auto written = content.write(bpf_map__fd(map)); !written) return written;
    bpf_map* map = nullptr;
    bpf_object__for_each_map(map, object) {
        if (!is_ours(map)) continue;
        const fs::path pin = folder / bpf_map__name(map);
        auto is_there = is_pinned(map, pin);
        if (!is_there) return std::unexpected(std::move(is_there.error()));
        if (*is_there) continue;
        if (auto pinned = replace_pin(bpf_map__fd(map), pin); !pinned) return pinned;
    }
    return {};
}

} // namespace weir
