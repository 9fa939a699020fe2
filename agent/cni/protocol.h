// SPDX-License-Identifier: Apache-2.0
// What weir-cni and the agent say to each other, on <run-dir>/cni.sock (0600): one connection a
// request, a JSON object each way, ended by the end of the stream. Not the gRPC of weir.sock:
// linked statically it is ten megabytes and starts threads, in a program that lives for
// milliseconds.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace weir {

// Well-known codes of the CNI specification, and one of ours.
enum CniCode : std::uint32_t {
    kCniIncompatibleVersion = 1,
    kCniInvalidEnvironment = 4,
    kCniIo = 5,
    kCniDecode = 6,
    kCniInvalidConfig = 7,
    kCniTryAgainLater = 11,
    kCniNotAvailable = 50,
    kCniLimited = 51, // not available, and existing containers have limited connectivity
    kCniNotProtected = 100,
};

struct CniError {
    std::uint32_t code = 0;
    std::string message = {};
    std::string details = {};

    bool operator==(const CniError&) const = default;
};
using CniReply = std::expected<void, CniError>;

// A container's place in a network.
struct CniAttachment {
    std::string container = {};
    std::string interface = {};

    bool operator==(const CniAttachment&) const = default;
};

struct CniRequest {
    std::string command = {}; // ADD, DEL, CHECK, STATUS or GC
    std::string network = {}; // name of the network configuration
    CniAttachment attachment = {};
    std::string netns = {};
    std::string pod_namespace = {};
    std::string pod_name = {};
    std::string pod_uid = {};                // may be empty
    std::vector<std::string> addresses = {}; // of the result so far
    std::vector<CniAttachment> valid = {};   // GC: all others of the network go
    std::uint32_t timeout_ms = 0;            // ADD: how long to wait for the pod's object

    bool operator==(const CniRequest&) const = default;
};

std::string encode(const CniRequest& request);
std::string encode(const CniReply& reply);
// Nothing when the text is not what encode() writes. Unknown members are ignored, missing ones
// empty.
std::optional<CniRequest> decode_request(std::string_view text);
std::optional<CniReply> decode_reply(std::string_view text);

} // namespace weir
