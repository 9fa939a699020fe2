// SPDX-License-Identifier: Apache-2.0
// The pod object: opened, given its pinned maps back, loaded, pinned.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "loader/maps.h"
#include "loader/result.h"
#include "loader/service_maps.h"

struct bpf_object;
struct bpf_map;
struct pod_bpf;

namespace weir {

struct DataplaneOptions;

class PodObject {
public:
    // folder: of this ABI version's pins, which exists; empty: nothing is reused or pinned.
    static Result<PodObject> load(const DataplaneOptions& options,
                                  const std::filesystem::path& folder);

    bool is_adopted() const { return is_adopted_; } // at least one map was pinned
    // Maps that keep the size of an earlier agent, which is another than was asked for.
    const std::vector<std::string>& kept_maps() const { return kept_maps_; }
    Result<Maps> open_maps() const;
    MapSizes sizes() const;
    std::vector<MapInfo> map_infos() const;
    // Precondition: the object has a map of this name.
    int map_fd(const char* name) const;
    int program_fd(weir_direction direction) const;
    // After the programs are in their hooks.
    Result<> pin_programs(const std::filesystem::path& folder) const;

private:
    struct Destroyer {
        void operator()(pod_bpf* skeleton) const;
    };
    bpf_map* find(const char* name) const;
    bpf_program* program(const char* name) const;
    Result<> set_sizes(const MapSizes& sizes);
    Result<> set_services(const std::optional<ServiceSizes>& sizes);
    Result<> set_writers() const;
    void set_shares(const PodShares& shares);
    void expect_crowded_flows();

    std::unique_ptr<pod_bpf, Destroyer> skeleton_;
    bpf_object* object_ = nullptr; // the skeleton's
    bool is_adopted_ = false;
    std::vector<std::string> kept_maps_;
};

} // namespace weir
