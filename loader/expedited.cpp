// SPDX-License-Identifier: Apache-2.0
#include "loader/expedited.h"

#include <fcntl.h>
#include <unistd.h>

namespace weir {

ExpeditedGracePeriods::ExpeditedGracePeriods() {
    Fd fd(::open("/sys/kernel/rcu_expedited", O_RDWR | O_CLOEXEC));
    char value = 0;
    if (!fd.is_open() || ::pread(fd.value(), &value, 1, 0) != 1 || value != '0') return;
    if (::pwrite(fd.value(), "1", 1, 0) == 1) fd_ = std::move(fd);
}

ExpeditedGracePeriods::~ExpeditedGracePeriods() {
    // Cannot fail where the other value could be written.
    if (fd_.is_open()) (void)!::pwrite(fd_.value(), "0", 1, 0);
}

} // namespace weir
