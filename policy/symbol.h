// SPDX-License-Identifier: Apache-2.0
// Text that many objects share.
#pragma once

#include <boost/flyweight.hpp>
#include <string>

namespace weir {

// An interned, reference-counted string: equal text is stored once in the process.
using Symbol = boost::flyweight<std::string>;

} // namespace weir
