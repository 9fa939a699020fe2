// SPDX-License-Identifier: Apache-2.0
// Writes what the policy compiler decided to the maps, and reads back what an earlier agent wrote.
#pragma once

#include <cstdint>

#include "loader/result.h"

namespace weir {

class Dataplane;
struct Garbage;
struct KernelState;
struct Limits;
struct MapSizes;
struct Transaction;

// Executes the transaction in the order of its stages. When it fails, what
// was written is taken back, so that the old revision stays in force; the error says so if even
// that failed. revision: the number in force afterwards, for weir_meta.
Result<> write_revision(const Dataplane& dataplane, const Transaction& transaction,
                        std::uint32_t revision);

// To be called after a grace_period() that began after the write_revision() which made the garbage.
// What is gone already is no error; again after an error.
Result<> erase_garbage(const Dataplane& dataplane, const Garbage& garbage);

// For Compiler::adopt().
Result<KernelState> read_kernel_state(const Dataplane& dataplane);

// For the compiler: the sizes of the maps in force.
Limits limits_of(const Dataplane& dataplane);
Limits limits_of(const MapSizes& sizes);

} // namespace weir
