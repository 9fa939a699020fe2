// SPDX-License-Identifier: Apache-2.0
// Manifests in, maps out: a compiler of one node and a replica of what the kernel would hold, asked
// in the words of a user.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "policy/service_compiler.h"

namespace weir::test {

// A Service in namespace shop; the text is what stands below spec, in lines.
std::string service(std::string_view name, std::string_view spec, std::string_view metadata = "");
// Its endpoints, one flow mapping each, of port 8080 named `port`.
std::string slice(std::string_view service, const std::vector<std::string>& endpoints,
                  std::string_view port = "", std::string_view name = "");
// "{addresses: [10.1.0.1], nodeName: n1}" and so on.
std::string ready(std::string_view address, std::string_view node = "n1");
std::string terminating(std::string_view address, std::string_view node = "n1");
std::string not_ready(std::string_view address, std::string_view node = "n1");
// A TCPRoute of shop that splits the traffic of a Service: "new=90 old=10".
std::string route(std::string_view service, std::string_view split, std::string_view name = "r");

class ServiceLab {
public:
    // Node n1 has the addresses 192.0.2.1 and 2001:db8::1 and is in zone a.
    explicit ServiceLab(const ServiceLimits& limits = {}, std::string_view node = "n1");

    // Manifests without errors; everything in force when it returns.
    void apply(std::string_view yaml);
    void remove(Kind kind, std::string_view name);
    // Begins anew with what is in the maps, as an agent that was restarted.
    void restart();
    // Frees what the last changes made free, connections included.
    void reclaim();

    // Where connections to "10.96.0.1:80" (TCP) or "...:53/UDP" go, from this node and from
    // outside: "10.1.0.1:8080 10.1.0.2:8080*3" (slots, when they differ; "refused*2" among them:
    // slots that refuse), "refused", "dropped" or "untouched".
    std::string inside(std::string_view frontend) const;
    std::string outside(std::string_view frontend) const;
    // Shares of the Maglev table in percent, rounded, in the same form; "none" without a table.
    std::string maglev(std::string_view frontend) const;
    std::vector<std::string> maglev_table(std::string_view frontend,
                                          weir_service_scope scope = WEIR_SCOPE_EXTERNAL) const;

    // Null when it is not there.
    const weir_service* find(std::string_view frontend,
                             weir_service_scope scope = WEIR_SCOPE_INTERNAL) const;
    // The backend of the first service port that has it; its state is UNUSED when none has.
    weir_backend backend(std::string_view address_and_port) const;
    std::uint32_t backend_id(std::string_view address_and_port) const;

    ServiceCompiler& compiler() { return compiler_; }
    const ServiceTransaction& last() const { return last_; }
    const std::vector<weir_source_range>& sources() const { return sources_; }
    std::size_t frontends() const { return services_.size(); }

private:
    void compile();
    void write(const ServiceTransaction& transaction);
    void expect_unnamed(const SlotRange& range) const;
    std::string answer(std::string_view frontend, weir_service_scope scope) const;
    std::string slot_text(std::uint32_t slot, std::uint32_t service) const;
    ServiceState state() const;

    ServiceLimits limits_;
    std::string node_;
    ServiceCompiler compiler_;
    std::map<std::string, SharedObject> everything_; // by kind and name
    ServiceTransaction last_;
    std::unordered_map<weir_service_key, weir_service, ServiceKeyHash, ServiceKeyEqual> services_;
    std::vector<std::uint32_t> slots_;
    std::map<std::uint32_t, weir_backend> backends_;
    std::vector<weir_source_range> sources_;
};

} // namespace weir::test
