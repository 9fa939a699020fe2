// SPDX-License-Identifier: Apache-2.0
// Attaching and detaching a tcx link waits for an RCU grace period with the lock of all interfaces
// held: 10 to 20 ms each on a kernel of 100 or 250 Hz, so 30 ms a pod, one pod after the other.
#pragma once

#include "loader/fd.h"

namespace weir {

// While it lives, grace periods of the whole kernel are the short ones that interrupt every CPU
// (/sys/kernel/rcu_expedited), which take well under a millisecond. Keep it that short as well.
// Where the file cannot be written (a container without it) nothing changes, and so where somebody
// else has set it already; theirs it stays.
class ExpeditedGracePeriods {
public:
    ExpeditedGracePeriods();
    ~ExpeditedGracePeriods();
    ExpeditedGracePeriods(const ExpeditedGracePeriods&) = delete;
    ExpeditedGracePeriods& operator=(const ExpeditedGracePeriods&) = delete;

private:
    Fd fd_; // open while it is this object's to set back
};

} // namespace weir
