// SPDX-License-Identifier: Apache-2.0
#include "agent/endpoint/endpoint_table.h"

#include <algorithm>
#include <utility>

#include "agent/endpoint/endpoint_file.h"

namespace weir {
namespace {

// Cuts the addresses to what a slot holds and says what that means.
std::vector<std::string> cut_addresses(Endpoint& endpoint) {
    auto& addresses = endpoint.link.addresses;
    if (addresses.size() <= WEIR_POD_ADDRESSES) return {};
    std::string left_out;
    for (std::size_t i = WEIR_POD_ADDRESSES; i < addresses.size(); ++i)
        left_out += " " + addresses[i].to_string();
    addresses.resize(WEIR_POD_ADDRESSES);
    return {"endpoint " + endpoint.pod() + ": interface " + endpoint.interface + " has more than " +
            std::to_string(WEIR_POD_ADDRESSES) +
            " addresses; traffic of these is refused:" + left_out};
}

// Link-local addresses stay last.
Result<PodInterface> read_link(const EndpointSpec& spec) {
    auto link = read_pod_interface(spec.netns, spec.interface);
    if (!link) return link;
    for (const Address& address : spec.assigned)
        if (std::ranges::find(link->addresses, address) == link->addresses.end())
            link->addresses.insert(link->addresses.begin(), address);
    return link;
}

bool is_same_interface(const PodInterface& known, const Link& link) {
    return link.ifindex == known.host_ifindex && link.kind == "veth" &&
           link.mac == known.host_mac && link.peer_ifindex == known.ifindex;
}

} // namespace

PodFacts Endpoint::facts() const {
    PodFacts facts;
    facts.ifindex = link.host_ifindex;
    facts.mac = link.mac;
    const std::size_t count = std::min(link.addresses.size(), facts.addresses.size());
    for (std::size_t i = 0; i < count; ++i)
        facts.addresses[i] = link.addresses[i].to_abi();
    return facts;
}

EndpointTable::EndpointTable(std::filesystem::path file) : file_(std::move(file)) {}

Result<EndpointChange> EndpointTable::add(EndpointSpec spec) {
    auto link = read_link(spec);
    if (!link) return std::unexpected(std::move(link.error()));
    return enter({std::move(spec), 0, std::move(*link)});
}

Result<EndpointChange> EndpointTable::refresh(std::uint32_t slot) {
    const auto known = endpoints_.find(slot);
    if (known == endpoints_.end()) return failure("no endpoint has this slot");
    Endpoint endpoint = known->second;
    auto link = read_link(endpoint);
    if (!link) return std::unexpected(std::move(link.error()));
    if (link->host_ifindex != endpoint.link.host_ifindex)
        return failure("endpoint " + endpoint.pod() + ": interface " + endpoint.interface + " of " +
                       endpoint.netns + " is another one now: add the endpoint again");
    endpoint.link = std::move(*link);
    return enter(std::move(endpoint));
}

// By the interface: what is attached to it stays while it changes hands.
Result<EndpointChange> EndpointTable::enter(Endpoint endpoint) {
    EndpointChange change;
    change.notices = cut_addresses(endpoint);
    const auto has_interface = [&](const auto& entry) {
        return entry.second.link.host_ifindex == endpoint.link.host_ifindex;
    };
    const auto holder = std::ranges::find_if(endpoints_, has_interface);
    change.is_new = holder == endpoints_.end();
    const auto slot = change.is_new ? find_free_slot(endpoint.link.host_ifindex) : holder->first;
    if (!slot)
        return failure("endpoint " + endpoint.pod() + ": this node has " +
                       std::to_string(WEIR_MAX_PODS) +
                       " endpoints already, the most that Weir holds: remove some");
    if (!change.is_new && holder->second.pod() != endpoint.pod())
        change.notices.push_back("interface " + endpoint.link.host_name + " was endpoint " +
                                 holder->second.pod() + " and is endpoint " + endpoint.pod() +
                                 " now");
    if (!change.is_new && endpoint.container.empty() && holder->second.pod() == endpoint.pod()) {
        endpoint.container = holder->second.container; // added by hand, and still the runtime's
        endpoint.network = holder->second.network;
        endpoint.assigned = holder->second.assigned;
    }
    endpoint.slot = *slot;
    if (const Endpoint* earlier = find(endpoint.ns, endpoint.name);
        earlier != nullptr && earlier->slot != *slot)
        change.replaced = take_out(earlier->slot);
    endpoints_[*slot] = endpoint;
    change.endpoint = std::move(endpoint);
    return change;
}

std::optional<std::uint32_t> EndpointTable::find_free_slot(std::uint32_t host_ifindex) const {
    for (std::uint32_t i = 0; i < WEIR_MAX_PODS; ++i) {
        const auto slot = WEIR_SLOT_HOME(host_ifindex + i);
        if (!endpoints_.contains(slot) && !held_slots_.contains(slot)) return slot;
    }
    return std::nullopt;
}

std::optional<Endpoint> EndpointTable::take_out(std::uint32_t slot) {
    auto node = endpoints_.extract(slot);
    if (node.empty()) return std::nullopt;
    held_slots_.insert(slot);
    return std::move(node.mapped());
}

std::optional<Endpoint> EndpointTable::remove(const std::string& ns, const std::string& name) {
    const Endpoint* endpoint = find(ns, name);
    if (endpoint == nullptr) return std::nullopt;
    return take_out(endpoint->slot);
}

std::optional<Endpoint> EndpointTable::remove_interface(std::uint32_t host_ifindex) {
    for (const auto& [slot, endpoint] : endpoints_)
        if (endpoint.link.host_ifindex == host_ifindex) return take_out(slot);
    return std::nullopt;
}

void EndpointTable::release_slot(std::uint32_t slot) {
    held_slots_.erase(slot);
}

void EndpointTable::reserve_slot(std::uint32_t slot) {
    held_slots_.insert(slot);
}

const Endpoint* EndpointTable::find(const std::string& ns, const std::string& name) const {
    for (const auto& [_, endpoint] : endpoints_)
        if (endpoint.name == name && endpoint.ns == ns) return &endpoint;
    return nullptr;
}

const Endpoint* EndpointTable::find_container(const std::string& container) const {
    for (const auto& [_, endpoint] : endpoints_)
        if (!container.empty() && endpoint.container == container) return &endpoint;
    return nullptr;
}

const Endpoint* EndpointTable::find_slot(std::uint32_t slot) const {
    const auto found = endpoints_.find(slot);
    return found != endpoints_.end() ? &found->second : nullptr;
}

Result<> EndpointTable::save() const {
    std::vector<Endpoint> endpoints;
    for (const auto& [_, endpoint] : endpoints_)
        endpoints.push_back(endpoint);
    return write_endpoints(file_, endpoints);
}

Result<std::vector<std::string>> EndpointTable::restore() {
    auto stored = read_endpoints(file_);
    if (!stored) return std::unexpected(std::move(stored.error()));
    auto links = list_links();
    if (!links) return std::unexpected(std::move(links.error()));
    std::vector<std::string> notices;
    for (Endpoint& endpoint : *stored) {
        const auto is_it = [&](const Link& link) { return is_same_interface(endpoint.link, link); };
        if (std::ranges::none_of(*links, is_it)) {
            notices.push_back("endpoint " + endpoint.pod() + ": its interface " +
                              endpoint.link.host_name + " is gone, and so is the endpoint");
            continue;
        }
        // The namespace's path may be gone, or another's, while the pod lives on.
        auto link = read_link(endpoint);
        if (link && link->host_ifindex == endpoint.link.host_ifindex)
            endpoint.link = std::move(*link);
        for (auto& notice : cut_addresses(endpoint))
            notices.push_back(std::move(notice));
        endpoints_[endpoint.slot] = std::move(endpoint);
    }
    return notices;
}

} // namespace weir
