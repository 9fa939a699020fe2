// SPDX-License-Identifier: Apache-2.0
#include "loader/handshake_object.h"

#include <bpf/libbpf.h>

#include <cstring>
#include <set>
#include <string>

#include "bpf/handshake.skel.h"
#include "loader/bpffs.h"
#include "loader/log_capture.h"
#include "loader/object_load.h"

namespace weir {
namespace {

// A map that is pinned nowhere is made, and stays empty.
Result<> use_pinned(bpf_map* map, const std::filesystem::path& folder) {
    if (!folder.empty()) {
        auto fd = open_pin(folder / bpf_map__name(map));
        if (!fd) return std::unexpected(std::move(fd.error()));
        if (fd->is_open() && bpf_map__reuse_fd(map, fd->value()) == 0) return {};
        if (fd->is_open())
            return failure_errno("use the pinned map " + std::string(bpf_map__name(map)));
    }
    if (bpf_map__set_max_entries(map, 1) != 0)
        return failure_errno("set the size of " + std::string(bpf_map__name(map)));
    return {};
}

} // namespace

void HandshakeObject::Destroyer::operator()(handshake_bpf* skeleton) const {
    handshake_bpf__destroy(skeleton);
}

Result<HandshakeObject> HandshakeObject::load(const bpf_object* services,
                                              const std::filesystem::path& folder) {
    LogCapture log;
    HandshakeObject handshake;
    handshake.skeleton_.reset(handshake_bpf__open());
    if (!handshake.skeleton_) return failure_errno("open the handshake object: " + log.tail());
    bpf_object* object = handshake.skeleton_->obj;
    const auto shared = share_maps(services, object);
    if (!shared) return std::unexpected(shared.error());
    bpf_map* map = nullptr;
    bpf_object__for_each_map(map, object) {
        if (bpf_map__is_internal(map) || shared->contains(bpf_map__name(map))) continue;
        if (auto used = use_pinned(map, folder); !used) return std::unexpected(used.error());
    }
    if (const int error = handshake_bpf__load(handshake.skeleton_.get()); error != 0)
        return failure("load the handshake object: " + std::string(std::strerror(-error)) +
                       load_advice(-error) + "\n" + log.tail());
    return handshake;
}

const bpf_program* HandshakeObject::program() const {
    return skeleton_->progs.weir_sock_ops;
}

void HandshakeObject::watch_health(bool is_wanted) const {
    skeleton_->bss->health_is_watched = is_wanted;
}

} // namespace weir
