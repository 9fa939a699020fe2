// SPDX-License-Identifier: Apache-2.0
#include "loader/events.h"

#include <bpf/libbpf.h>

#include <cstring>
#include <utility>

namespace weir {

struct EventReader::State {
    Callback callback;
    std::uint64_t malformed = 0;
    ring_buffer* ring = nullptr;

    ~State() { ring_buffer__free(ring); }

    static int on_record(void* context, void* data, std::size_t size) {
        auto& state = *static_cast<State*>(context);
        if (size != sizeof(weir_event)) {
            ++state.malformed;
            return 0;
        }
        weir_event event;
        std::memcpy(&event, data, sizeof(event));
        state.callback(event);
        return 0;
    }
};

EventReader::EventReader(std::unique_ptr<State> state) : state_(std::move(state)) {}
EventReader::EventReader(EventReader&&) noexcept = default;
EventReader& EventReader::operator=(EventReader&&) noexcept = default;
EventReader::~EventReader() = default;

Result<EventReader> EventReader::open(int ring_fd, Callback callback) {
    auto state = std::make_unique<State>();
    state->callback = std::move(callback);
    state->ring = ring_buffer__new(ring_fd, &State::on_record, state.get(), nullptr);
    if (state->ring == nullptr) return failure_errno("open weir_events");
    return EventReader(std::move(state));
}

int EventReader::fd() const {
    return ring_buffer__epoll_fd(state_->ring);
}

Result<std::uint32_t> EventReader::consume() {
    const int count = ring_buffer__consume(state_->ring);
    if (count < 0) return failure_errno("read weir_events", -count);
    return static_cast<std::uint32_t>(count);
}

std::uint64_t EventReader::malformed() const {
    return state_->malformed;
}

} // namespace weir
