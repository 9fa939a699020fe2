// SPDX-License-Identifier: Apache-2.0
// Writes what the service compiler decided to the maps, and reads back what an earlier agent wrote.
#pragma once

#include "loader/result.h"
#include "policy/service_transaction.h"

namespace weir {

struct ServiceMaps;

// In the order of the transaction's members. When it fails, some of it may be written: to be called
// again with the same. Precondition: slots and backends are acquired.
Result<> write_services(const ServiceMaps& maps, const ServiceTransaction& transaction);

// Makes the hints those of this state: others stay for as long as an agent runs.
void renew_hints(const ServiceMaps& maps, const ServiceState& state);

// For ServiceCompiler::adopt(). Precondition: slots and backends are acquired.
Result<ServiceState> read_services(const ServiceMaps& maps);

} // namespace weir
