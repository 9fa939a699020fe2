// SPDX-License-Identifier: Apache-2.0
#include "loader/dataplane.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <algorithm>
#include <cstring>

#include "loader/bpffs.h"
#include "loader/hooks.h"
#include "loader/pod_object.h"
#include "loader/raw_state.h"
#include "loader/version_folder.h"

namespace weir {
namespace {

namespace fs = std::filesystem;

} // namespace

struct Dataplane::State {
    State(PodObject object, Maps typed_maps, const fs::path& folder, HookKind kind)
        : pod(std::move(object)),
          maps(std::move(typed_maps)),
          sizes(pod.sizes()),
          links(folder.empty() ? fs::path() : folder / "links"),
          hooks(links, pod.program_fd(WEIR_EGRESS), pod.program_fd(WEIR_INGRESS), kind) {}

    PodObject pod;
    Maps maps;
    MapSizes sizes;
    fs::path links; // empty: private
    Hooks hooks;
};

Dataplane::Dataplane(std::unique_ptr<State> state) : state_(std::move(state)) {}
Dataplane::Dataplane(Dataplane&&) noexcept = default;
Dataplane& Dataplane::operator=(Dataplane&&) noexcept = default;
Dataplane::~Dataplane() = default;

Result<Dataplane> Dataplane::open(const DataplaneOptions& options) {
    auto folder = prepare_version_folder(options.bpffs);
    if (!folder) return std::unexpected(std::move(folder.error()));
    auto pod = PodObject::load(options, *folder);
    if (!pod) return std::unexpected(std::move(pod.error()));
    auto maps = pod->open_maps();
    if (!maps) return std::unexpected(std::move(maps.error()));
    maps->meta[0].abi_version = WEIR_ABI_VERSION;

    Dataplane dataplane(
        std::make_unique<State>(std::move(*pod), std::move(*maps), *folder, options.hook));
    if (folder->empty()) return dataplane;
    if (auto replaced = dataplane.state_->hooks.replace_all(); !replaced)
        return std::unexpected(std::move(replaced.error()));
    if (auto pinned = dataplane.state_->pod.pin_programs(*folder / "programs"); !pinned)
        return std::unexpected(std::move(pinned.error()));
    return dataplane;
}

bool Dataplane::is_adopted() const {
    return state_->pod.is_adopted();
}
const MapSizes& Dataplane::sizes() const {
    return state_->sizes;
}
const Maps& Dataplane::maps() const {
    return state_->maps;
}
const std::vector<std::string>& Dataplane::kept_maps() const {
    return state_->pod.kept_maps();
}
Result<RawState> Dataplane::read_state() const {
    return read_raw_state(state_->maps);
}

Result<> Dataplane::attach(std::uint32_t ifindex) {
    if (state_->links.empty()) return failure("a private dataplane is attached to nothing");
    return state_->hooks.attach(ifindex);
}

Result<> Dataplane::detach(std::uint32_t ifindex) {
    if (state_->links.empty()) return {};
    return detach_hooks(state_->links, ifindex);
}

Result<std::vector<AttachedInterface>> Dataplane::attached() {
    if (state_->links.empty()) return std::vector<AttachedInterface>();
    return state_->hooks.list();
}

Result<> Dataplane::write_pod(std::uint32_t slot, const PodFacts& facts) {
    if (slot >= state_->maps.pods.size()) return failure("weir_pods has no such slot");
    weir_pod& pod = state_->maps.pods[slot];
    for (std::size_t i = 0; i < facts.addresses.size(); ++i)
        for (std::size_t half = 0; half < 2; ++half)
            if (pod.addresses[i].halves[half] != facts.addresses[i].halves[half])
                __atomic_store_n(&pod.addresses[i].halves[half], facts.addresses[i].halves[half],
                                 __ATOMIC_RELAXED);
    if (!std::ranges::equal(pod.mac, facts.mac)) std::ranges::copy(facts.mac, pod.mac);
    __atomic_store_n(&pod.ifindex, facts.ifindex, __ATOMIC_RELEASE);
    return {};
}

Result<> Dataplane::bind(std::uint32_t ifindex, std::uint32_t slot) {
    return state_->maps.endpoints.update(ifindex, slot);
}

Result<> Dataplane::unbind(std::uint32_t ifindex) {
    auto erased = state_->maps.endpoints.erase(ifindex);
    if (!erased) return std::unexpected(std::move(erased.error()));
    return {};
}

Result<> Dataplane::free_slot(std::uint32_t slot) {
    if (slot >= state_->maps.pods.size()) return failure("weir_pods has no such slot");
    for (auto& word : state_->maps.pods[slot].rules)
        store_word(word, 0);
    return write_pod(slot, PodFacts{});
}

Result<std::vector<weir_counter>> Dataplane::counters() const {
    const int cpus = libbpf_num_possible_cpus();
    if (cpus <= 0) return failure_errno("count the CPUs", -cpus);
    const int fd = state_->pod.map_fd("weir_counters");
    std::vector<weir_counter> sums(WEIR_COUNTERS), per_cpu(static_cast<std::size_t>(cpus));
    for (std::uint32_t index = 0; index < sums.size(); ++index) {
        if (bpf_map_lookup_elem(fd, &index, per_cpu.data()) != 0)
            return failure_errno("read weir_counters");
        for (const weir_counter& counter : per_cpu) {
            sums[index].packets += counter.packets;
            sums[index].bytes += counter.bytes;
        }
    }
    for (std::uint32_t slot = 0; slot < state_->maps.pods.size(); ++slot) {
        for (const auto direction : {WEIR_EGRESS, WEIR_INGRESS}) {
            const weir_counter& passed = state_->maps.pods[slot].passed[direction];
            weir_counter& sum = sums[direction * std::size_t{WEIR_DROP_REASON_COUNT}];
            sum.packets += __atomic_load_n(&passed.packets, __ATOMIC_RELAXED);
            sum.bytes += __atomic_load_n(&passed.bytes, __ATOMIC_RELAXED);
        }
    }
    return sums;
}

std::vector<MapInfo> Dataplane::map_infos() const {
    return state_->pod.map_infos();
}
int Dataplane::events_fd() const {
    return state_->pod.map_fd("weir_events");
}

int Dataplane::program_fd(weir_direction direction) const {
    return state_->pod.program_fd(direction);
}

} // namespace weir
