// SPDX-License-Identifier: Apache-2.0
// The answer to Explain: what is in force says of a new connection, how it comes to that, and what
// the kernel holds.
#include <fmt/format.h>
#include <netinet/in.h>

#include <algorithm>
#include <optional>

#include "agent/control/answers.h"
#include "agent/control/chain_message.h"
#include "agent/control/messages.h"
#include "agent/enforcer.h"
#include "agent/inventory.h"
#include "agent/service/services.h"

namespace weir {
namespace {

// One end of the question.
struct ExplainedEnd {
    ObjectName pod; // a pod with an address of its own
    Symbol node;    // the node it is, or that the pod runs on; may be unknown
    bool is_node = false;
    std::vector<Address> addresses;
    const Endpoint* endpoint = nullptr; // here

    bool is_pod() const { return !pod.name.get().empty(); }
    std::string text() const { return pod.ns.get() + "/" + pod.name.get(); }
};

Refusal not_found(const std::string& what) {
    return {Refusal::Code::kNotFound, what};
}
Refusal invalid(const std::string& what) {
    return {Refusal::Code::kInvalidArgument, what};
}

Reply<ExplainedEnd> node_end(const ControlContext& context, const std::string& name) {
    const auto* addresses = context.inventory.node_addresses(Symbol(name));
    if (addresses == nullptr) return std::unexpected(not_found("no Node object " + name));
    return ExplainedEnd{.pod = {}, .node = Symbol(name), .is_node = true, .addresses = *addresses};
}

Reply<ExplainedEnd> pod_end(const ControlContext& context, const ObjectName& name) {
    ExplainedEnd end{.pod = name, .node = {}, .addresses = {}};
    end.endpoint = context.enforcer.endpoints().find(name.ns.get(), name.name.get());
    const Pod* pod = context.inventory.pod(name);
    if (pod == nullptr && end.endpoint == nullptr) {
        return std::unexpected(
            not_found(fmt::format("no Pod object and no endpoint {}", end.text())));
    }
    if (pod != nullptr) {
        end.node = pod->node;
        end.addresses = pod->addresses;
    }
    if (end.endpoint != nullptr) {
        end.node = context.inventory.node_name();
        // The interface's come behind the object's: they may be link-local.
        for (const auto& address : end.endpoint->link.addresses)
            end.addresses.push_back(address);
    }
    if (pod != nullptr && pod->is_host_network) {
        end.is_node = true;
        end.pod = {};
    }
    return end;
}

Reply<ExplainedEnd> address_end(const ControlContext& context, const Address& address) {
    const AddressOwner* owner = context.inventory.owner_of(address);
    ExplainedEnd end;
    if (owner != nullptr) {
        auto named = owner->node.get().empty() ? pod_end(context, owner->pod)
                                               : node_end(context, owner->node.get());
        if (named) end = std::move(*named);
    }
    end.addresses = {address};
    return end;
}

Reply<ExplainedEnd> resolve(const ControlContext& context, const std::string& text) {
    if (const auto address = Address::parse(text)) return address_end(context, *address);
    if (text.starts_with("node/")) return node_end(context, text.substr(5));
    const auto slash = text.find('/');
    if (slash == std::string::npos || slash == 0 || slash + 1 == text.size()) {
        return std::unexpected(
            invalid("'" + text + "': must be NAMESPACE/POD, node/NAME or an address"));
    }
    return pod_end(context, {Symbol(text.substr(0, slash)), Symbol(text.substr(slash + 1))});
}

std::optional<Address> of_family(const ExplainedEnd& end, bool is_v4) {
    const auto found = std::ranges::find_if(
        end.addresses, [is_v4](const Address& address) { return address.is_v4() == is_v4; });
    return found == end.addresses.end() ? std::nullopt : std::optional(*found);
}

struct Question {
    ExplainedEnd source;
    ExplainedEnd destination;
    Address source_address;
    Address destination_address;
    std::uint8_t protocol = 0;
    std::uint16_t port = 0;
};

void fill_end(v1::End& message, const ExplainedEnd& end, const Address& address) {
    message.set_namespace_(end.pod.ns.get());
    message.set_pod(end.pod.name.get());
    if (end.is_node) message.set_node(end.node.get());
    message.set_address(address.to_string());
}

// Why this node has no verdict of the pod's side; empty when it has one.
std::string why_not_judged(const ControlContext& context, const ExplainedEnd& end) {
    if (end.is_node) return "the node itself: policy does not select it";
    if (!end.is_pod()) return "not a pod: no policy selects it";
    if (end.endpoint != nullptr) return {};
    if (end.node != context.inventory.node_name() && !end.node.get().empty()) {
        return fmt::format("pod {} runs on node {}: ask the agent there", end.text(),
                           end.node.get());
    }
    return fmt::format(
        "pod {} is no endpoint here: add it with `weir endpoint add {} --netns PATH`", end.text(),
        end.text());
}

// Why policy does not judge the destination's address; empty where it does.
std::string why_translated(const Question& question, const ControlContext& context) {
    if (context.services == nullptr) return {};
    const auto& claims = context.services->compiler().claims();
    const auto& address = question.destination_address;
    const ObjectName* owner =
        claims.owner(frontend_key(address, question.port, question.protocol, WEIR_SCOPE_INTERNAL));
    if (owner == nullptr && !question.destination.is_node)
        owner = claims.owner(wildcard_key(address, WEIR_SCOPE_INTERNAL));
    if (owner == nullptr) return {};
    return fmt::format(
        "the address of Service {}/{}: policy judges its backends, which `weir services {}/{}` "
        "names",
        owner->ns.get(), owner->name.get(), owner->ns.get(), owner->name.get());
}

// What passes before policy, as in the programs.
std::optional<std::uint32_t> passes_before_policy(const Question& question,
                                                  const ControlContext& context,
                                                  weir_direction direction) {
    if (question.source_address == question.destination_address) return WEIR_RULE_OWN_ADDRESS;
    const bool is_from_own_node =
        question.source.is_node && question.source.node == context.inventory.node_name();
    if (direction != WEIR_INGRESS || !is_from_own_node) return std::nullopt;
    // A cluster policy that fails closed denies it all the same.
    const auto judgement = context.enforcer.compiler().judge(question.destination.endpoint->slot,
                                                             direction, question.source_address,
                                                             question.protocol, question.port);
    if (judgement.is_own_node_denied) return std::nullopt;
    return WEIR_RULE_OWN_NODE;
}

std::uint32_t key_of(const Question& question) {
    const bool has_ports = question.protocol == IPPROTO_TCP || question.protocol == IPPROTO_UDP ||
                           question.protocol == IPPROTO_SCTP;
    return has_ports ? WEIR_PORT_KEY(question.protocol, question.port)
                     : std::uint32_t{WEIR_PORT_KEY_OTHER};
}

// What the tables in force say, how the policies come to it, and what the maps hold.
void fill_judged(v1::ExplainedSide& side, const ControlContext& context, const Question& question,
                 weir_direction direction) {
    const Address& peer =
        direction == WEIR_EGRESS ? question.destination_address : question.source_address;
    const Compiler& compiler = context.enforcer.compiler();
    const std::uint32_t slot = side.slot();
    const Judgement judgement =
        compiler.judge(slot, direction, peer, question.protocol, question.port);
    side.set_verdict(verdict_word({judgement.is_allowed, judgement.is_audited, judgement.rule}));
    side.set_class_id(judgement.class_id);
    side.set_table(judgement.table);
    *side.mutable_rule() = rule_message(judgement.rule, compiler.rules().find(judgement.rule));

    const Evaluations evaluations =
        compiler.evaluate(slot, direction, peer, question.protocol, question.port);
    add_evaluations(side, evaluations, compiler.rules());
    // What is not in force yet is no error: `weir status` says why.
    if (context.enforcer.is_up_to_date()) {
        for (auto& text : differences(judgement, combine(evaluations)))
            side.add_differences(std::move(text));
    }
    const auto way = look_up_policy(context.enforcer.dataplane().maps(), slot, direction,
                                    peer.to_abi(), key_of(question));
    if (!way) {
        side.add_differences("the maps cannot be read: " + way.error().what);
        return;
    }
    *side.mutable_kernel() = kernel_row_message(*way, compiler.rules());
    for (auto& text : differences(judgement, *way))
        side.add_differences(std::move(text));
}

void fill_side(v1::ExplainedSide& side, const ControlContext& context, const Question& question,
               weir_direction direction) {
    const bool is_egress = direction == WEIR_EGRESS;
    const ExplainedEnd& subject = is_egress ? question.source : question.destination;
    side.set_why_not_judged(why_translated(question, context));
    if (side.why_not_judged().empty()) side.set_why_not_judged(why_not_judged(context, subject));
    if (!side.why_not_judged().empty()) return;
    side.set_judged(true);
    side.set_slot(subject.endpoint->slot);
    if (const auto rule = passes_before_policy(question, context, direction)) {
        side.set_verdict("allow");
        *side.mutable_rule() = rule_message(*rule, nullptr);
        return;
    }
    fill_judged(side, context, question, direction);
}

// A side that is a pod elsewhere may still deny; one that is no pod passes.
std::string verdict_of(const v1::ExplainResponse& response, const Question& question) {
    if (response.egress().verdict() == "deny" || response.ingress().verdict() == "deny") {
        return "deny";
    }
    const bool is_egress_open = question.source.is_pod() && !response.egress().judged();
    const bool is_ingress_open = question.destination.is_pod() && !response.ingress().judged();
    if (is_egress_open || is_ingress_open) return "";
    const bool is_audited =
        response.egress().verdict() == "audit" || response.ingress().verdict() == "audit";
    return is_audited ? "audit" : "allow";
}

// Chooses the family and the two addresses.
Reply<bool> choose_addresses(Question& question, const std::string& family) {
    if (!family.empty() && family != "IPv4" && family != "IPv6") {
        return std::unexpected(invalid("family '" + family + "': must be IPv4 or IPv6"));
    }
    for (const bool is_v4 : {true, false}) {
        if (!family.empty() && (family == "IPv4") != is_v4) continue;
        const auto source = of_family(question.source, is_v4);
        const auto destination = of_family(question.destination, is_v4);
        if (!source || !destination) continue;
        question.source_address = *source;
        question.destination_address = *destination;
        return is_v4;
    }
    return std::unexpected(
        Refusal{Refusal::Code::kFailedPrecondition,
                fmt::format("the two ends have no {} addresses to talk with",
                            family.empty() ? std::string("common family of") : family)});
}

std::uint8_t icmp_of(bool is_v4) {
    return is_v4 ? std::uint8_t{IPPROTO_ICMP} : std::uint8_t{IPPROTO_ICMPV6};
}

std::optional<Refusal> choose_port(Question& question, const v1::ExplainRequest& request,
                                   bool is_v4) {
    const std::string text = request.protocol().empty() ? "TCP" : request.protocol();
    const auto protocol = protocol_number(text);
    if (!protocol)
        return invalid("protocol '" + text + "': must be TCP, UDP, SCTP, ICMP or a number");
    const bool is_icmp = *protocol == IPPROTO_ICMP || *protocol == IPPROTO_ICMPV6;
    question.protocol = is_icmp ? icmp_of(is_v4) : *protocol;
    const bool has_ports =
        *protocol == IPPROTO_TCP || *protocol == IPPROTO_UDP || *protocol == IPPROTO_SCTP;
    if (request.port() > 65535 || (has_ports && request.port() == 0)) {
        return invalid(fmt::format("port {}: must be between 1 and 65535", request.port()));
    }
    question.port = static_cast<std::uint16_t>(request.port());
    return std::nullopt;
}

} // namespace

Reply<v1::ExplainResponse> explain(const ControlContext& context,
                                   const v1::ExplainRequest& request) {
    auto source = resolve(context, request.source());
    if (!source) return std::unexpected(source.error());
    auto destination = resolve(context, request.destination());
    if (!destination) return std::unexpected(destination.error());
    Question question;
    question.source = std::move(*source);
    question.destination = std::move(*destination);
    const auto is_v4 = choose_addresses(question, request.family());
    if (!is_v4) return std::unexpected(is_v4.error());
    if (const auto refusal = choose_port(question, request, *is_v4)) {
        return std::unexpected(*refusal);
    }

    v1::ExplainResponse response;
    fill_end(*response.mutable_source(), question.source, question.source_address);
    fill_end(*response.mutable_destination(), question.destination, question.destination_address);
    response.mutable_destination()->set_port(question.port);
    response.set_protocol(protocol_name(question.protocol));
    response.set_family(*is_v4 ? "IPv4" : "IPv6");
    fill_side(*response.mutable_egress(), context, question, WEIR_EGRESS);
    fill_side(*response.mutable_ingress(), context, question, WEIR_INGRESS);
    response.set_verdict(verdict_of(response, question));
    response.set_consistent(response.egress().differences().empty() &&
                            response.ingress().differences().empty());
    return response;
}

} // namespace weir
