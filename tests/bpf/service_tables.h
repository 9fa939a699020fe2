// SPDX-License-Identifier: Apache-2.0
// Fills the maps of services by hand, as the compiler would.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "loader/service_maps.h"
#include "tests/support/address.h"

namespace weir::test {

// What a service is besides its address and slots.
struct ServiceManner {
    std::uint32_t flags = 0; // enum weir_service_flags
    std::uint32_t affinity = 0;
};

class ServiceTables {
public:
    explicit ServiceTables(const ServiceMaps& maps) : maps_(&maps) {}

    // An active backend; its id.
    std::uint32_t add_backend(std::string_view address, std::uint16_t port);
    // A frontend with these slots, which are its Maglev table as well; for TCP, UDP and SCTP.
    void add_service(const SocketEnd& frontend, const std::vector<std::uint32_t>& slots,
                     const ServiceManner& manner = {});
    // As the compiler writes it: whatever port the service does not have.
    void add_wildcard(std::string_view address);
    // Takes the frontends off.
    void clear();

private:
    void write(const weir_service_key& key, const weir_service& service);

    const ServiceMaps* maps_;
    std::vector<weir_service_key> frontends_;
    std::uint32_t next_backend_ = 1;
    std::uint32_t next_slot_ = 0;
};

} // namespace weir::test
