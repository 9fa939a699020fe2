// SPDX-License-Identifier: Apache-2.0
#include "agent/kube/decode.h"

#include "agent/kube/decode_authorization.h"
#include "agent/kube/decode_cluster.h"
#include "agent/kube/decode_destination_rule.h"
#include "agent/kube/decode_endpoint_slice.h"
#include "agent/kube/decode_network_policy.h"
#include "agent/kube/decode_pod.h"
#include "agent/kube/decode_reference_grant.h"
#include "agent/kube/decode_route.h"
#include "agent/kube/decode_service.h"
#include "agent/kube/decode_tier.h"
#include "agent/kube/field.h"
#include "agent/kube/kind.h"
#include "agent/kube/syntax.h"

namespace weir {
namespace {

// Nothing when Weir does not enforce the object, which is reported then.
std::optional<Object> decode_kind(Kind kind, const Field& root, const ObjectName& name) {
    switch (kind) {
        case Kind::kNamespace:
            return decode_namespace(root, name);
        case Kind::kNode:
            return decode_node(root, name);
        case Kind::kPod:
            return decode_pod(root, name);
        case Kind::kNetworkPolicy:
            return decode_network_policy(root, name);
        case Kind::kClusterNetworkPolicy:
            return decode_tier_policy(root, name, TierPolicy::Api::kClusterNetworkPolicy);
        case Kind::kAdminNetworkPolicy:
            return decode_tier_policy(root, name, TierPolicy::Api::kAdminNetworkPolicy);
        case Kind::kBaselineAdminNetworkPolicy:
            return decode_tier_policy(root, name, TierPolicy::Api::kBaselineAdminNetworkPolicy);
        case Kind::kAuthorizationPolicy:
            return decode_authorization_policy(root, name);
        case Kind::kService:
            return decode_service(root, name);
        case Kind::kEndpointSlice:
            return decode_endpoint_slice(root, name);
        case Kind::kHttpRoute:
            return decode_route(root, name, TrafficRoute::Api::kHttp);
        case Kind::kGrpcRoute:
            return decode_route(root, name, TrafficRoute::Api::kGrpc);
        case Kind::kTcpRoute:
            return decode_route(root, name, TrafficRoute::Api::kTcp);
        case Kind::kReferenceGrant:
            return decode_reference_grant(root, name);
        case Kind::kDestinationRule:
            return decode_destination_rule(root, name);
    }
    return std::nullopt;
}

// The text of a scalar member, whatever its type: for messages only.
std::string_view raw_text(const Value& root, std::string_view name) {
    const Value* member = root.find(name);
    return member == nullptr ? std::string_view{} : member->text;
}

// " in line 7"; nothing for an object that was in no file.
std::string in_line(std::uint32_t line) {
    return line == 0 ? "" : " in line " + std::to_string(line);
}

class FileDecoder {
public:
    explicit FileDecoder(const std::string& file) : file_(file) { origin_.file = Symbol(file); }

    DecodedFile decode(std::string_view text) {
        for (const DocumentText& part : split_documents(text)) {
            part_ = part;
            const auto document = Document::parse(part);
            if (document) {
                decode_root(document->root());
            } else {
                refuse(document.error());
            }
        }
        return std::move(decoded_);
    }

    DecodedFile decode(Kind kind, const Value& object) {
        decode_used(object, kind);
        return std::move(decoded_);
    }

private:
    void refuse(const SyntaxError& error) {
        decoded_.problems.push_back({Severity::kError, file_, error.line, error.column, "", "",
                                     "syntax error: " + error.what,
                                     "correct the document; the others of the file are read"});
        unidentified("syntax error" + in_line(error.line));
    }

    void unidentified(std::string why) {
        if (decoded_.unidentified.empty()) decoded_.unidentified = std::move(why);
    }

    void refuse(const Value& root, std::string_view member, std::string what, std::string remedy) {
        Report report{file_, "", decoded_.problems};
        const Field field(report, root);
        (member.empty() ? field : field[member]).error(what, std::move(remedy));
        unidentified(std::move(what) + in_line(root.line));
    }

    // list_of: the kind of an item that names none, of a typed list.
    void decode_root(const Value& root, const KindInfo* list = nullptr) {
        if (root.kind == Value::Kind::kNull && list == nullptr) return;
        if (root.kind != Value::Kind::kMapping) {
            return refuse(
                root, "",
                "no Kubernetes object: must be a mapping, is " + std::string(describe(root.kind)),
                "begin with apiVersion and kind");
        }
        const Value* kind = root.find("kind");
        const Value* version = root.find("apiVersion");
        if (kind == nullptr && version == nullptr && list != nullptr && list->list_of) {
            return decode_used(root, *list->list_of);
        }
        for (const std::string_view member : {"apiVersion", "kind"}) {
            const Value* value = root.find(member);
            if (value == nullptr || value->kind != Value::Kind::kString || value->text.empty()) {
                return refuse(root, member, "is missing or no string",
                              "every object needs apiVersion and kind");
            }
        }
        decode_named(root, version->text, kind->text);
    }

    void decode_named(const Value& root, std::string_view version, std::string_view kind) {
        const KindInfo info = kind_info(version, kind);
        switch (info.use) {
            case KindUse::kUsed:
                return decode_used(root, info.kind);
            case KindUse::kList:
                return decode_list(root, info);
            case KindUse::kIgnored:
                decoded_.ignored.push_back(
                    {std::string(kind) + " (" + std::string(version) + ")", root.line});
                return;
            case KindUse::kUnknownVersion:
                return refuse(root, "apiVersion",
                              "no " + std::string(kind) + " in version " + quote(version),
                              "use " + std::string(info.api_version));
            case KindUse::kUnknownKind:
                return refuse(root, "kind",
                              "no kind " + quote(kind) + " in version " + quote(version),
                              "check the spelling, capitals included");
        }
    }

    void decode_list(const Value& root, const KindInfo& info) {
        for (const Value* member = root.first; member != nullptr; member = member->next) {
            if (member->duplicate_of != nullptr) {
                return refuse(
                    root, member->key,
                    "stands twice, first in line " + std::to_string(member->duplicate_of->key_line),
                    "remove one of the two");
            }
        }
        const Value* items = root.find("items");
        if (items == nullptr || items->kind == Value::Kind::kNull) return;
        if (items->kind != Value::Kind::kSequence) {
            return refuse(root, "items", "must be a list, is " + std::string(describe(items->kind)),
                          "");
        }
        for (const Value* item = items->first; item != nullptr; item = item->next) {
            decode_root(*item, &info);
        }
    }

    void decode_used(const Value& root, Kind kind) {
        Report report{file_, to_string(kind), decoded_.problems};
        const std::size_t first = decoded_.problems.size();
        const Field field(report, root);
        const auto name = identify(field, root, kind, report);
        if (kind == Kind::kEndpointSlice) { // the one kind without a spec
            field.allow_only(
                {"apiVersion", "kind", "metadata", "addressType", "endpoints", "ports"});
        } else {
            field.allow_only({"apiVersion", "kind", "metadata", "spec", "status"});
        }
        field.refuse_duplicates();
        std::optional<Object> object = decode_kind(kind, field, name.value_or(ObjectName{}));
        if (!name) return unidentified("unnamed " + report.object + in_line(root.line));
        DecodedObject decoded{{kind, *name}, origin_, std::nullopt, "", part_};
        decoded.origin.line = root.line;
        if (!object && !report.has_errors) return;
        if (report.has_errors) {
            decoded.why = first_error(first);
        } else {
            std::visit([&](auto& typed) { typed.origin = decoded.origin; }, *object);
            decoded.object = std::move(object);
        }
        decoded_.objects.push_back(std::move(decoded));
    }

    std::string first_error(std::size_t from) const {
        for (std::size_t i = from; i < decoded_.problems.size(); ++i) {
            const Problem& problem = decoded_.problems[i];
            if (problem.severity != Severity::kError) continue;
            const std::string place =
                problem.line == 0 ? "" : "line " + std::to_string(problem.line) + ": ";
            return place + (problem.field.empty() ? "" : problem.field + ": ") + problem.what;
        }
        return "invalid";
    }

    // Reports what is wrong with the name; nothing when the object cannot be told from others.
    static std::optional<ObjectName> identify(const Field& root, const Value& value, Kind kind,
                                              Report& report) {
        const Value* raw = value.find("metadata");
        const bool has_metadata = raw != nullptr && raw->kind == Value::Kind::kMapping;
        const Field metadata = root["metadata"];
        if (!has_metadata) {
            metadata.error("is missing or no mapping", "give metadata.name");
            return std::nullopt;
        }
        std::string label(raw_text(*raw, "name"));
        if (is_namespaced(kind)) {
            const std::string_view ns = raw_text(*raw, "namespace");
            label = std::string(ns.empty() ? "default" : ns) + "/" + label;
        }
        report.object += " " + label;
        return identify(metadata, kind);
    }

    static std::optional<ObjectName> identify(const Field& metadata, Kind kind) {
        const Field name = metadata["name"];
        const std::string_view text = name.string().value_or("");
        const Complaint complaint =
            kind == Kind::kNamespace ? check_dns_label(text) : check_dns_subdomain(text);
        if (name.is_missing()) {
            name.error("is required");
        } else if (complaint && !text.empty()) {
            name.error("name " + quote(text) + " " + *complaint);
        } else if (complaint && name.is_string()) {
            name.error("is empty");
        }
        const auto ns = identify_namespace(metadata["namespace"], kind);
        if (complaint || !ns) return std::nullopt;
        return ObjectName{Symbol(*ns), Symbol(std::string(text))};
    }

    static std::optional<std::string> identify_namespace(const Field& field, Kind kind) {
        if (!is_namespaced(kind)) {
            if (!field.is_missing()) field.warning("is ignored: the kind has no namespace");
            return "";
        }
        if (field.is_missing()) return "default";
        const auto text = field.string();
        if (!text) return std::nullopt;
        if (text->empty()) return "default";
        const Complaint complaint = check_dns_label(*text);
        if (!complaint) return std::string(*text);
        field.error("namespace " + quote(*text) + " " + *complaint);
        return std::nullopt;
    }

    std::string file_;
    Origin origin_;
    DocumentText part_; // being decoded
    DecodedFile decoded_;
};

} // namespace

DecodedFile decode_file(const std::string& file, std::string_view text) {
    return FileDecoder(file).decode(text);
}

DecodedFile decode_object(Kind kind, const Value& object) {
    return FileDecoder("").decode(kind, object);
}

const Origin& origin_of(const Object& object) {
    return std::visit([](const auto& typed) -> const Origin& { return typed.origin; }, object);
}

} // namespace weir
