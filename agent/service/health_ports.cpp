// SPDX-License-Identifier: Apache-2.0
#include "agent/service/health_ports.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <nlohmann/json.hpp>
#include <utility>

#include "policy/service_plan.h"

namespace weir {

Page health_page(const ServiceIndex& index, const ObjectName& service) {
    const std::uint32_t count = local_endpoints(plan_service(index, service));
    const nlohmann::json answer = {
        {"service", {{"namespace", service.ns.get()}, {"name", service.name.get()}}},
        {"localEndpoints", count},
        {"serviceProxyHealthy", true}};
    return {.status = count == 0 ? 503 : 200,
            .content_type = "application/json",
            .body = answer.dump() + "\n"};
}

void HealthPorts::update(const ServiceIndex& index) {
    std::map<std::uint16_t, ObjectName> wanted;
    for (const auto& [name, record] : index.records()) {
        if (record.service && record.service->health_check_node_port != 0) {
            wanted.emplace(record.service->health_check_node_port, name);
        }
    }
    std::erase_if(ports_, [&](const auto& entry) {
        const auto found = wanted.find(entry.first);
        return found == wanted.end() || found->second != entry.second.service;
    });
    for (const auto& [number, service] : wanted) {
        auto& port = ports_.try_emplace(number, Port{service, nullptr, false}).first->second;
        if (!port.server) listen(number, port, index);
    }
}

void HealthPorts::listen(std::uint16_t number, Port& port, const ServiceIndex& index) {
    const auto page = [&index, service = port.service] { return health_page(index, service); };
    auto server = AdminServer::start(context_, fmt::format("[::]:{}", number),
                                     {{"/", page}, {"/healthz", page}});
    if (server) {
        port.server = std::move(*server);
        return;
    }
    if (std::exchange(port.is_told, true)) return;
    spdlog::warn("Service {}/{}: healthCheckNodePort {}: {}", port.service.ns.get(),
                 port.service.name.get(), number, server.error().what);
}

} // namespace weir
