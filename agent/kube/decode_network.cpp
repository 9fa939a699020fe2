// SPDX-License-Identifier: Apache-2.0
#include "agent/kube/decode_network.h"

#include <netinet/in.h>

#include <algorithm>

#include "agent/kube/syntax.h"

namespace weir {
namespace {

void check_size(const Field& list, std::size_t most) {
    const std::size_t size = list.size();
    if (size == 0) list.error("is empty", "list at least one item, or remove what it belongs to");
    if (size > most) {
        list.error("has " + std::to_string(size) + " items",
                   "the API allows " + std::to_string(most) + ": make two of it");
    }
}

} // namespace

std::optional<Cidr> decode_cidr(const Field& field) {
    const std::string_view text = field.string().value_or("");
    if (text.empty()) {
        field.error("is required", "write a block such as 10.0.0.0/8 or 2001:db8::/64");
        return std::nullopt;
    }
    const auto cidr = Cidr::parse(text);
    if (!cidr) {
        const bool is_address = Address::parse(text).has_value();
        field.error(quote(text) + " is no CIDR block",
                    is_address ? "for the single address write " + std::string(text) +
                                     (text.find(':') == text.npos ? "/32" : "/128")
                               : "write a block such as 10.0.0.0/8 or 2001:db8::/64");
        return cidr;
    }
    const auto address = Address::parse(text.substr(0, text.find('/')));
    if (address && *address != cidr->network) {
        field.warning(quote(text) + " has bits set beyond its prefix, which are ignored",
                      "write " + cidr->to_string());
    }
    return cidr;
}

std::optional<std::uint16_t> decode_port_number(const Field& field) {
    const auto number = field.integer();
    if (!number) return std::nullopt;
    if (*number >= 1 && *number <= 65535) return static_cast<std::uint16_t>(*number);
    field.error(std::to_string(*number) + " is no port number", "use a number from 1 to 65535");
    return std::nullopt;
}

std::uint8_t decode_protocol(const Field& field) {
    const auto text = field.string();
    if (!text || text->empty()) return IPPROTO_TCP; // "Defaults to "TCP"."
    if (const auto protocol = parse_protocol(*text)) return *protocol;
    field.error("unknown protocol " + quote(*text), "use TCP, UDP or SCTP");
    return 0;
}

std::string_view decode_word(const Field& field, std::initializer_list<std::string_view> words) {
    const auto text = field.string();
    if (!text || text->empty()) return *words.begin();
    const auto known = std::ranges::find(words, *text);
    if (known != words.end()) return *known;
    std::string list;
    for (const std::string_view word : words)
        list += (list.empty() ? "" : ", ") + std::string(word);
    field.error("unknown value " + quote(*text), "use one of " + list);
    return *words.begin();
}

void check_required_size(const Field& list, std::size_t most) {
    if (list.is_missing()) return list.error("is required", "list at least one item");
    if (list.is_list()) check_size(list, most);
}

void check_optional_size(const Field& list, std::size_t most) {
    if (!list.is_missing() && list.is_list()) check_size(list, most);
}

} // namespace weir
