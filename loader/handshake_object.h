// SPDX-License-Identifier: Apache-2.0
// The program that follows the handshakes of connections to services: failures are counted, and one
// that gets no answer goes on to another backend (bpf/handshake.bpf.c). It has no maps of its own.
#pragma once

#include <filesystem>
#include <memory>

#include "loader/result.h"

struct bpf_object;
struct bpf_program;
struct handshake_bpf;

namespace weir {

class HandshakeObject {
public:
    // Loads it with the maps of the service object, and with the pods' flows as they are pinned in
    // the version folder. Where they are not (an empty folder, or no Dataplane was opened there
    // before), no hook of a pod could translate, and no handshake is moved.
    static Result<HandshakeObject> load(const bpf_object* services,
                                        const std::filesystem::path& folder);

    const bpf_program* program() const;
    // See ServiceDataplane::watch_health().
    void watch_health(bool is_wanted) const;

private:
    struct Destroyer {
        void operator()(handshake_bpf* skeleton) const;
    };
    std::unique_ptr<handshake_bpf, Destroyer> skeleton_;
};

} // namespace weir
