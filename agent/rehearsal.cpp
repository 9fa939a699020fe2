// SPDX-License-Identifier: Apache-2.0
#include "agent/rehearsal.h"

#include <filesystem>

#include "agent/config.h"
#include "agent/endpoint/endpoint_file.h"
#include "agent/enforcer.h"
#include "agent/inventory.h"
#include "agent/map_report.h"
#include "agent/revision.h"

namespace weir {

Result<> rehearse(const Config& config, const Inventory& inventory) {
    const auto endpoints = read_endpoints(std::filesystem::path(config.run_dir) / kEndpointFile);
    if (!endpoints) return std::unexpected(endpoints.error());
    Compiler compiler(compiler_options(config, limits_of(sizes_for(config.map_memory))));
    compiler.apply({.upserts = inventory.objects(), .erasures = {}});
    for (const Endpoint& endpoint : *endpoints)
        compiler.set_local(local_pod(endpoint));
    const auto compiled = compiler.compile();
    if (const auto* misfit = std::get_if<DoesNotFit>(&compiled)) {
        return std::unexpected(Error{ENOSPC, misfit_text(*misfit)});
    }
    return {};
}

} // namespace weir
