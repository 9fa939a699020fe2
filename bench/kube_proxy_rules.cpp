// SPDX-License-Identifier: Apache-2.0
#include "bench/kube_proxy_rules.h"

#include <fmt/format.h>

#include <iterator>

namespace weir::bench {
namespace {

constexpr const char* kPods = "10.244.0.0/16"; // --cluster-cidr

std::string text_of(std::uint32_t v4) {
    return fmt::format("{}.{}.{}.{}", v4 >> 24, v4 >> 16 & 0xff, v4 >> 8 & 0xff, v4 & 0xff);
}

std::string service_address(std::uint32_t number) {
    return text_of(kServiceBase + number);
}

std::string backend_address(std::uint32_t index) {
    return text_of(kBackendBase + 1 + index % kBackendAddresses);
}

// In place of the hash of a service port's name, of the same length.
std::string hash_of(std::uint32_t service, std::uint32_t backend) {
    return fmt::format("{:08}{:08}", service, backend);
}

std::string name_of(std::uint32_t service) {
    return fmt::format("default/service-{}:http", service);
}

} // namespace

std::string iptables_rules(const ServiceLoad& load) {
    std::string chains;
    std::string rules;
    const auto chain = [&](const std::string& name) {
        fmt::format_to(std::back_inserter(chains), ":{} - [0:0]\n", name);
    };
    const auto rule = [&]<typename... Values>(fmt::format_string<Values...> format,
                                              Values&&... values) {
        rules += "-A ";
        fmt::format_to(std::back_inserter(rules), format, std::forward<Values>(values)...);
        rules += '\n';
    };
    for (const char* name :
         {"KUBE-SERVICES", "KUBE-NODEPORTS", "KUBE-POSTROUTING", "KUBE-MARK-MASQ"})
        chain(name);
    rule("OUTPUT -m comment --comment \"kubernetes service portals\" -j KUBE-SERVICES");
    rule("PREROUTING -m comment --comment \"kubernetes service portals\" -j KUBE-SERVICES");
    rule("POSTROUTING -m comment --comment \"kubernetes postrouting rules\" -j KUBE-POSTROUTING");
    rule("KUBE-POSTROUTING -m mark ! --mark 0x4000/0x4000 -j RETURN");
    rule("KUBE-POSTROUTING -j MARK --xor-mark 0x4000");
    rule(
        "KUBE-POSTROUTING -m comment --comment \"kubernetes service traffic requiring SNAT\" -j "
        "MASQUERADE --random-fully");
    rule("KUBE-MARK-MASQ -j MARK --or-mark 0x4000");
    for (std::uint32_t i = 0; i < load.services; ++i) {
        const std::string service = "KUBE-SVC-" + hash_of(i, 0), address = service_address(i);
        const std::string name = name_of(i);
        chain(service);
        rule(
            "KUBE-SERVICES -m comment --comment \"{} cluster IP\" -m tcp -p tcp -d {} --dport {} "
            "-j {}",
            name, address, kServicePort, service);
        rule(
            "{} -m comment --comment \"{} cluster IP\" -m tcp -p tcp -d {} --dport {} ! -s {} -j "
            "KUBE-MARK-MASQ",
            service, name, address, kServicePort, kPods);
        for (std::uint32_t k = 0; k < load.backends; ++k) {
            const std::string endpoint = "KUBE-SEP-" + hash_of(i, k + 1), to = backend_address(k);
            chain(endpoint);
            const std::string chance =
                k + 1 == load.backends
                    ? ""
                    : fmt::format("-m statistic --mode random --probability {:.10f} ",
                                  1.0 / (load.backends - k));
            rule("{} -m comment --comment \"{} -> {}:{}\" {}-j {}", service, name, to, kBackendPort,
                 chance, endpoint);
            rule("{} -m comment --comment \"{}\" -s {} -j KUBE-MARK-MASQ", endpoint, name, to);
            rule("{} -m comment --comment \"{}\" -m tcp -p tcp -j DNAT --to-destination {}:{}",
                 endpoint, name, to, kBackendPort);
        }
    }
    // The last rule of the chain, after all services.
    rule(
        "KUBE-SERVICES -m comment --comment \"kubernetes service nodeports; NOTE: this must be "
        "the last rule in this chain\" -m addrtype --dst-type LOCAL -j KUBE-NODEPORTS");
    return "*nat\n" + chains + rules + "COMMIT\n";
}

std::string nftables_rules(const ServiceLoad& load) {
    std::string text = R"(add table ip kube-proxy { comment "rules for kube-proxy" ; }
add chain ip kube-proxy mark-for-masquerade
add rule ip kube-proxy mark-for-masquerade mark set mark or 0x4000
add chain ip kube-proxy masquerading
add rule ip kube-proxy masquerading mark and 0x4000 == 0 return
add rule ip kube-proxy masquerading mark set mark xor 0x4000
add rule ip kube-proxy masquerading masquerade fully-random
add chain ip kube-proxy services
add chain ip kube-proxy nat-prerouting { type nat hook prerouting priority -100 ; }
add rule ip kube-proxy nat-prerouting jump services
add chain ip kube-proxy nat-output { type nat hook output priority -100 ; }
add rule ip kube-proxy nat-output jump services
add chain ip kube-proxy nat-postrouting { type nat hook postrouting priority 100 ; }
add rule ip kube-proxy nat-postrouting jump masquerading
add set ip kube-proxy cluster-ips { type ipv4_addr ; comment "Active ClusterIPs" ; }
add set ip kube-proxy nodeport-ips { type ipv4_addr ; comment "IPs that accept NodePort traffic" ; }
add map ip kube-proxy no-endpoint-services { type ipv4_addr . inet_proto . inet_service : verdict ; }
add map ip kube-proxy service-ips { type ipv4_addr . inet_proto . inet_service : verdict ; }
add map ip kube-proxy service-nodeports { type inet_proto . inet_service : verdict ; }
add rule ip kube-proxy services ip daddr . meta l4proto . th dport vmap @service-ips
add rule ip kube-proxy services ip daddr @nodeport-ips meta l4proto . th dport vmap @service-nodeports
add chain ip kube-proxy cluster-ips-check
add rule ip kube-proxy cluster-ips-check ip daddr @cluster-ips reject comment "Reject traffic to invalid ports of ClusterIPs"
add chain ip kube-proxy filter-output { type filter hook output priority -99 ; }
add rule ip kube-proxy filter-output ct state new jump cluster-ips-check
)";
    const auto line = [&]<typename... Values>(fmt::format_string<Values...> format,
                                              Values&&... values) {
        text += "add ";
        fmt::format_to(std::back_inserter(text), format, std::forward<Values>(values)...);
        text += '\n';
    };
    for (std::uint32_t i = 0; i < load.services; ++i) {
        const std::string address = service_address(i);
        const std::string service = fmt::format("service-{:08}-default/service-{}/tcp/http", i, i);
        line("chain ip kube-proxy {}", service);
        std::string choice;
        for (std::uint32_t k = 0; k < load.backends; ++k) {
            const std::string to = backend_address(k);
            const std::string endpoint =
                fmt::format("endpoint-{:08}-default/service-{}/tcp/http__{}/{}",
                            i * load.backends + k, i, to, kBackendPort);
            line("chain ip kube-proxy {}", endpoint);
            line("rule ip kube-proxy {} ip saddr {} jump mark-for-masquerade", endpoint, to);
            line("rule ip kube-proxy {} meta l4proto tcp dnat to {}:{}", endpoint, to,
                 kBackendPort);
            choice += fmt::format("{}{} : goto {}", k == 0 ? "" : " , ", k, endpoint);
        }
        line(
            "rule ip kube-proxy {} ip daddr {} tcp dport {} ip saddr != {} jump "
            "mark-for-masquerade",
            service, address, kServicePort, kPods);
        line("rule ip kube-proxy {} numgen random mod {} vmap {{ {} }}", service, load.backends,
             choice);
        line("element ip kube-proxy cluster-ips {{ {} }}", address);
        line("element ip kube-proxy service-ips {{ {} . tcp . {} comment \"{}\" : goto {} }}",
             address, kServicePort, name_of(i), service);
    }
    return text;
}

} // namespace weir::bench
