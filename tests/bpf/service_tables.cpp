// SPDX-License-Identifier: Apache-2.0
#include "tests/bpf/service_tables.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>

namespace weir::test {

std::uint32_t ServiceTables::add_backend(std::string_view text, std::uint16_t port) {
    const std::uint32_t id = next_backend_++;
    weir_backend made{};
    made.address = address(text);
    made.port = htons(port);
    made.state = WEIR_BACKEND_ACTIVE;
    made.service = 1;
    made.generation = 1000 + id;
    maps_->backends[id] = made;
    return id;
}

void ServiceTables::add_service(const SocketEnd& frontend, const std::vector<std::uint32_t>& slots,
                                const ServiceManner& manner) {
    const auto count = static_cast<std::uint32_t>(slots.size());
    const weir_service service{.id = 1,
                               .first_slot = next_slot_,
                               .slot_count = count,
                               .first_maglev = next_slot_,
                               .maglev_count = count,
                               .affinity = manner.affinity,
                               .flags = manner.flags,
                               .spare = 0};
    for (const std::uint32_t id : slots)
        maps_->slots[next_slot_++] = id;
    for (const std::uint8_t protocol : {IPPROTO_TCP, IPPROTO_UDP, IPPROTO_SCTP}) {
        weir_service_key key{};
        key.address = frontend.address;
        key.port = htons(frontend.port);
        key.protocol = protocol;
        write(key, service);
    }
}

void ServiceTables::add_wildcard(std::string_view text) {
    weir_service_key key{};
    key.address = address(text);
    weir_service nothing{};
    nothing.flags = WEIR_SERVICE_DROP;
    write(key, nothing);
}

void ServiceTables::clear() {
    EXPECT_FALSE(maps_->services.erase(frontends_).error);
    frontends_.clear();
}

void ServiceTables::write(const weir_service_key& key, const weir_service& service) {
    maps_->hint(key);
    ASSERT_TRUE(maps_->services.update(key, service));
    frontends_.push_back(key);
}

} // namespace weir::test
