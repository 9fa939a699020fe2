// SPDX-License-Identifier: Apache-2.0
// Reads weir_events. The programs rarely wake the reader up: poll by a timer as well as by fd().
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "bpf/abi.h"
#include "loader/result.h"

namespace weir {

class EventReader {
public:
    using Callback = std::function<void(const weir_event&)>;

    // ring_fd: Dataplane::events_fd(). The reader is to go before the Dataplane.
    static Result<EventReader> open(int ring_fd, Callback callback);
    EventReader(EventReader&&) noexcept;
    EventReader& operator=(EventReader&&) noexcept;
    ~EventReader();

    // An epoll fd, readable when there is something; not the caller's.
    int fd() const;
    // Calls back for each event that waits and returns how many there were. Not from the callback.
    Result<std::uint32_t> consume();
    // Records of another size than weir_event, which were skipped.
    std::uint64_t malformed() const;

private:
    struct State;
    explicit EventReader(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

} // namespace weir
