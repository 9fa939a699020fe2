// SPDX-License-Identifier: Apache-2.0
#include "tests/agent/service/service_lab.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <sstream>

#include "agent/kube/decode.h"

namespace weir::test {
namespace {

constexpr std::size_t kFew = 1000; // frontends, all of which can be looked at

constexpr std::string_view kNode = R"(
apiVersion: v1
kind: Node
metadata: {name: n1, labels: {topology.kubernetes.io/zone: a}}
status:
  addresses:
  - {type: InternalIP, address: 192.0.2.1}
  - {type: InternalIP, address: "2001:db8::1"}
)";

std::string indented(std::string_view text) {
    std::string result = "  ";
    for (const char c : text) {
        result += c;
        if (c == '\n') result += "  ";
    }
    return result + "\n";
}

weir_service_key parse(std::string_view frontend, weir_service_scope scope) {
    std::uint8_t protocol = IPPROTO_TCP;
    if (const auto slash = frontend.find('/'); slash != std::string_view::npos) {
        protocol = frontend.substr(slash) == "/UDP" ? IPPROTO_UDP : IPPROTO_SCTP;
        frontend = frontend.substr(0, slash);
    }
    const auto colon = frontend.rfind(':');
    std::string host(frontend.substr(0, colon));
    if (host.starts_with('[')) host = host.substr(1, host.size() - 2);
    return frontend_key(
        Address::parse(host).value(),
        static_cast<std::uint16_t>(std::stoi(std::string(frontend.substr(colon + 1)))), protocol,
        scope);
}

std::string text_of(const weir_backend& backend) {
    const auto address = Address::from_abi(backend.address);
    const auto host = address.is_v4() ? address.to_string() : "[" + address.to_string() + "]";
    return host + ":" + std::to_string(ntohs(backend.port));
}

std::string to_text(const std::map<std::string, std::uint32_t>& shares) {
    const bool is_even = std::ranges::all_of(
        shares, [&](const auto& share) { return share.second == shares.begin()->second; });
    std::string text;
    for (const auto& [backend, count] : shares) {
        text += (text.empty() ? "" : " ") + backend;
        if (!is_even) text += "*" + std::to_string(count);
    }
    return text;
}

std::string endpoint(std::string_view address, std::string_view node, std::string_view conditions) {
    return "{addresses: ['" + std::string(address) + "'], nodeName: " + std::string(node) +
           ", conditions: {" + std::string(conditions) + "}}";
}

} // namespace

std::string service(std::string_view name, std::string_view spec, std::string_view metadata) {
    return "apiVersion: v1\nkind: Service\nmetadata: {namespace: shop, name: " + std::string(name) +
           std::string(metadata.empty() ? "" : ", ") + std::string(metadata) + "}\nspec:\n" +
           indented(spec) + "---\n";
}

std::string slice(std::string_view service, const std::vector<std::string>& endpoints,
                  std::string_view port, std::string_view name) {
    const bool is_v6 = !endpoints.empty() && endpoints[0].find("::") != std::string::npos;
    std::string text =
        "apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {namespace: "
        "shop, name: " +
        std::string(name.empty() ? service : name) + (is_v6 ? "-v6" : "-v4") +
        ", labels: {kubernetes.io/service-name: " + std::string(service) +
        "}}\naddressType: " + (is_v6 ? "IPv6" : "IPv4") + "\nports:\n- {port: 8080, name: '" +
        std::string(port) + "', protocol: TCP}\n- {port: 5353, name: '" + std::string(port) +
        "', protocol: UDP}\nendpoints:\n";
    for (const auto& one : endpoints)
        text += "- " + one + "\n";
    return text + "---\n";
}

std::string ready(std::string_view address, std::string_view node) {
    return endpoint(address, node, "ready: true");
}
std::string terminating(std::string_view address, std::string_view node) {
    return endpoint(address, node, "ready: false, serving: true, terminating: true");
}
std::string not_ready(std::string_view address, std::string_view node) {
    return endpoint(address, node, "ready: false");
}

std::string route(std::string_view service, std::string_view split, std::string_view name) {
    std::string text =
        "apiVersion: gateway.networking.k8s.io/v1\nkind: TCPRoute\nmetadata: "
        "{namespace: shop, name: " +
        std::string(name) +
        "}\nspec:\n  parentRefs: [{group: '', kind: Service, name: " + std::string(service) +
        "}]\n  rules:\n  - backendRefs:\n";
    std::istringstream parts{std::string(split)};
    for (std::string part; parts >> part;) {
        const auto equals = part.find('=');
        text += "    - {name: " + part.substr(0, equals) +
                ", port: 80, weight: " + part.substr(equals + 1) + "}\n";
    }
    return text + "---\n";
}

ServiceLab::ServiceLab(const ServiceLimits& limits, std::string_view node)
    : limits_(limits), node_(node), compiler_(Symbol(node_), limits) {
    apply(kNode);
}

void ServiceLab::apply(std::string_view yaml) {
    Change change;
    for (auto& decoded : decode_file("f.yaml", yaml).objects) {
        ASSERT_TRUE(decoded.object) << to_string(decoded.key) << ": " << decoded.why;
        SharedObject object(std::move(*decoded.object));
        everything_.insert_or_assign(to_string(decoded.key), object);
        change.upserts.push_back(std::move(object));
    }
    compiler_.apply(change);
    compile();
}

void ServiceLab::remove(Kind kind, std::string_view name) {
    const ObjectKey key{kind, {Symbol("shop"), Symbol(std::string(name))}};
    everything_.erase(to_string(key));
    compiler_.apply({{}, {key}});
    compile();
}

void ServiceLab::restart() {
    compiler_ = ServiceCompiler(Symbol(node_), limits_);
    compiler_.adopt(state());
    Change all;
    for (const auto& [name, object] : everything_)
        all.upserts.push_back(object);
    compiler_.apply(all);
    compile();
}

void ServiceLab::reclaim() {
    compiler_.reclaim(compiler_.written());
    for (const auto id : compiler_.releasable())
        compiler_.release_backend(id);
    compile();
}

void ServiceLab::compile() {
    last_ = compiler_.compile();
    write(last_);
    static_cast<void>(compiler_.written());
}

void ServiceLab::write(const ServiceTransaction& transaction) {
    for (const auto id : transaction.free_backends)
        backends_.erase(id);
    for (const auto& [id, backend] : transaction.new_backends)
        backends_[id] = backend;
    for (const auto& range : transaction.slots) {
        if (services_.size() < kFew) expect_unnamed(range);
        slots_.resize(std::max(slots_.size(), range.first + range.backends.size()));
        std::ranges::copy(range.backends, slots_.begin() + range.first);
    }
    sources_.insert(sources_.end(), transaction.new_sources.begin(), transaction.new_sources.end());
    for (const auto& [key, value] : transaction.services)
        services_[key] = value;
    for (const auto& key : transaction.gone_services)
        EXPECT_EQ(services_.erase(key), 1U);
    for (const auto& update : transaction.backends) {
        auto& backend = backends_.at(update.id);
        backend.state = static_cast<__u8>(update.state);
        backend.max_connections = update.max_connections;
        backend.is_local = update.is_local ? 1 : 0;
    }
    for (const auto& range : transaction.gone_sources) {
        std::erase_if(sources_, [&](const weir_source_range& one) {
            return std::memcmp(&one, &range, sizeof(one)) == 0;
        });
    }
}

// A range that a frontend names never changes.
void ServiceLab::expect_unnamed(const SlotRange& range) const {
    const auto is_apart = [&](std::uint32_t first, std::uint32_t count) {
        return count == 0 || first + count <= range.first ||
               first >= range.first + range.backends.size();
    };
    for (const auto& [key, value] : services_) {
        EXPECT_TRUE(is_apart(value.first_slot, value.slot_count));
        EXPECT_TRUE(is_apart(value.first_maglev, value.maglev_count));
    }
}

ServiceState ServiceLab::state() const {
    ServiceState state;
    std::map<std::uint32_t, std::uint32_t> ranges;
    for (const auto& [key, value] : services_) {
        state.services.emplace_back(key, value);
        if (value.slot_count != 0) ranges[value.first_slot] = value.slot_count;
        if (value.maglev_count != 0) ranges[value.first_maglev] = value.maglev_count;
    }
    for (const auto& [first, count] : ranges)
        state.slots.push_back({first, {slots_.begin() + first, slots_.begin() + first + count}});
    state.backends.assign(backends_.begin(), backends_.end());
    state.sources = sources_;
    return state;
}

const weir_service* ServiceLab::find(std::string_view frontend, weir_service_scope scope) const {
    const auto found = services_.find(parse(frontend, scope));
    return found == services_.end() ? nullptr : &found->second;
}

std::string ServiceLab::answer(std::string_view frontend, weir_service_scope scope) const {
    const auto* value = find(frontend, scope);
    if (value == nullptr) { // the wildcard of the address
        auto key = parse(frontend, scope);
        key.port = 0;
        key.protocol = 0;
        const auto wildcard = services_.find(key);
        return wildcard != services_.end() && (wildcard->second.flags & WEIR_SERVICE_DROP) != 0
                   ? "dropped"
                   : "untouched";
    }
    if ((value->flags & WEIR_SERVICE_NONE_HERE) != 0) {
        EXPECT_EQ(value->slot_count, 0U);
        return "dropped";
    }
    if (value->slot_count == 0) return "refused";
    std::map<std::string, std::uint32_t> shares;
    for (std::uint32_t i = 0; i < value->slot_count; ++i) {
        ++shares[slot_text(value->first_slot + i, value->id)];
    }
    return to_text(shares);
}

std::string ServiceLab::slot_text(std::uint32_t slot, std::uint32_t service) const {
    const auto id = slots_.at(slot);
    if (id == WEIR_BACKEND_NONE) return "refused";
    const auto& backend = backends_.at(id);
    EXPECT_EQ(backend.state, WEIR_BACKEND_ACTIVE);
    EXPECT_EQ(backend.service, service);
    return text_of(backend);
}

std::string ServiceLab::inside(std::string_view frontend) const {
    return answer(frontend, WEIR_SCOPE_INTERNAL);
}
std::string ServiceLab::outside(std::string_view frontend) const {
    return answer(frontend, WEIR_SCOPE_EXTERNAL);
}

std::vector<std::string> ServiceLab::maglev_table(std::string_view frontend,
                                                  weir_service_scope scope) const {
    std::vector<std::string> table;
    const auto* value = find(frontend, scope);
    for (std::uint32_t i = 0; value != nullptr && i < value->maglev_count; ++i)
        table.push_back(slot_text(value->first_maglev + i, value->id));
    return table;
}

std::string ServiceLab::maglev(std::string_view frontend) const {
    const auto table = maglev_table(frontend);
    if (table.empty()) return "none";
    std::map<std::string, std::uint32_t> counts;
    for (const auto& backend : table)
        ++counts[backend];
    std::map<std::string, std::uint32_t> shares;
    for (const auto& [backend, count] : counts) {
        shares[backend] = static_cast<std::uint32_t>(
            std::lround(100.0 * count / static_cast<double>(table.size())));
    }
    return to_text(shares);
}

std::uint32_t ServiceLab::backend_id(std::string_view address_and_port) const {
    for (const auto& [id, backend] : backends_) {
        if (text_of(backend) == address_and_port) return id;
    }
    return 0;
}

weir_backend ServiceLab::backend(std::string_view address_and_port) const {
    const auto found = backends_.find(backend_id(address_and_port));
    return found == backends_.end() ? weir_backend{} : found->second;
}

} // namespace weir::test
