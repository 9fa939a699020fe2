// SPDX-License-Identifier: Apache-2.0
// What can fail at run time returns a Result; the error names the object, the operation and, where
// there is one, the remedy.
#pragma once

#include <cerrno>
#include <cstring>
#include <expected>
#include <string>
#include <utility>

namespace weir {

struct Error {
    int code = 0;     // errno value; 0 when none applies
    std::string what; // "update weir_rules: Argument list too long"

    // "what" followed by the text of the errno value.
    static Error from_errno(std::string what, int code = errno) {
        return Error{code, std::move(what) + ": " + std::strerror(code)};
    }
};

template <typename T = void>
using Result = std::expected<T, Error>;

inline std::unexpected<Error> failure(std::string what) {
    return std::unexpected(Error{0, std::move(what)});
}
inline std::unexpected<Error> failure_errno(std::string what, int code = errno) {
    return std::unexpected(Error::from_errno(std::move(what), code));
}

} // namespace weir
