// SPDX-License-Identifier: Apache-2.0
// Answers of the API server that mean something to whoever writes (RFC 9110, RFC 6585).
#pragma once

namespace weir::http_status {

inline constexpr unsigned kOk = 200;
inline constexpr unsigned kForbidden = 403;
inline constexpr unsigned kNotFound = 404;
inline constexpr unsigned kConflict = 409; // AlreadyExists, or another version
inline constexpr unsigned kTooManyRequests = 429;

inline bool is_success(unsigned status) {
    return status / 100 == 2;
}
// No answer (0), or one that says "not now".
inline bool is_away(unsigned status) {
    return status == 0 || status == kTooManyRequests || status >= 500;
}

} // namespace weir::http_status
