// SPDX-License-Identifier: Apache-2.0
#include "policy/key_range.h"

#include <algorithm>

namespace weir {

KeyRanges merged(KeyRanges ranges) {
    std::sort(ranges.begin(), ranges.end(),
              [](const KeyRange& a, const KeyRange& b) { return a.first < b.first; });
    KeyRanges result;
    for (const auto& range : ranges) {
        if (!result.empty() && (range.first == 0 || range.first - 1 <= result.back().last)) {
            result.back().last = std::max(result.back().last, range.last);
        } else {
            result.push_back(range);
        }
    }
    return result;
}

KeyRanges intersection(const KeyRanges& a, const KeyRanges& b) {
    KeyRanges result;
    for (const auto& one : a) {
        for (const auto& other : b) {
            const KeyRange both{std::max(one.first, other.first), std::min(one.last, other.last)};
            if (both.first <= both.last) {
                result.push_back(both);
            }
        }
    }
    return merged(std::move(result));
}

KeyRanges difference(const KeyRanges& a, const KeyRanges& b) {
    KeyRanges left = a;
    for (const auto& hole : b) {
        KeyRanges next;
        for (const auto& range : left) {
            if (hole.last < range.first || range.last < hole.first) {
                next.push_back(range);
                continue;
            }
            if (range.first < hole.first) {
                next.push_back(KeyRange{range.first, hole.first - 1});
            }
            if (hole.last < range.last) {
                next.push_back(KeyRange{hole.last + 1, range.last});
            }
        }
        left = std::move(next);
    }
    return left;
}

KeyRange ports_of(std::uint8_t protocol, std::uint16_t first, std::uint16_t last) {
    return KeyRange{WEIR_PORT_KEY(protocol, first), WEIR_PORT_KEY(protocol, last)};
}

} // namespace weir
