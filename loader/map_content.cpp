// SPDX-License-Identifier: Apache-2.0
#include "loader/map_content.h"

#include <bpf/bpf.h>

#include "loader/map.h"

namespace weir {

Result<MapContent> MapContent::read(int fd) {
    bpf_map_info info{};
    std::uint32_t length = sizeof(info);
    if (bpf_map_get_info_by_fd(fd, &info, &length) != 0) return failure_errno("read a map's info");
    auto map = RawMap::open(fd, info.key_size, info.value_size);
    if (!map) return std::unexpected(std::move(map.error()));
    MapContent content;
    content.key_size_ = info.key_size;
    content.value_size_ = info.value_size;
    auto visited = map->visit([&](const std::byte* key, const std::byte* value) {
        content.keys_.insert(content.keys_.end(), key, key + info.key_size);
        content.values_.insert(content.values_.end(), value, value + info.value_size);
        ++content.elements_;
    });
    if (!visited) return std::unexpected(std::move(visited.error()));
    return content;
}

Result<> MapContent::write(int fd) const {
    auto map = RawMap::open(fd, key_size_, value_size_);
    if (!map) return std::unexpected(std::move(map.error()));
    auto outcome = map->update_batch(keys_.data(), values_.data(), elements_, 0);
    if (outcome.error) return std::unexpected(std::move(*outcome.error));
    return {};
}

} // namespace weir
