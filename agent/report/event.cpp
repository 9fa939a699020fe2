// SPDX-License-Identifier: Apache-2.0
#include "agent/report/event.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "agent/kube/kind.h"
#include "agent/report/stable_hash.h"
#include "agent/utc_time.h"

namespace weir {
namespace {

using Time = std::chrono::system_clock::time_point;

constexpr ApiResource kEvents = {.group = "events.k8s.io", .version = "v1", .plural = "events"};
constexpr std::size_t kLongestNote = 1024; // bytes, as the API server has it
constexpr std::size_t kLongestNamePart = 200;

// "Event namespace must match"; those of cluster-wide objects are in this one.
std::string namespace_of(const Finding& finding) {
    const std::string& ns = finding.object.name.ns.get();
    return ns.empty() ? "default" : ns;
}

std::string target_of(const Finding& finding) {
    return fmt::format("{}/{}", kEvents.path(namespace_of(finding)), event_name(finding));
}

} // namespace

std::string cut_text(std::string text, std::size_t most) {
    if (text.size() <= most) return text;
    constexpr std::string_view sign = "...";
    std::size_t end = most - sign.size();
    while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0U) == 0x80U)
        --end;
    text.resize(end);
    text.append(sign);
    return text;
}

std::string event_name(const Finding& finding) {
    std::string name = finding.object.name.name.get().substr(0, kLongestNamePart);
    while (!name.empty() && (name.back() == '.' || name.back() == '-'))
        name.pop_back();
    const std::string what = fmt::format("{}\n{}\n{}", finding.uid, finding.reason, finding.note);
    return fmt::format("{}.{:016x}", name, stable_hash(what));
}

std::string micro_time_text(Time time) {
    const auto seconds = std::chrono::floor<std::chrono::seconds>(time);
    const auto rest = std::chrono::floor<std::chrono::microseconds>(time - seconds);
    std::string text = utc_text(seconds);
    text.pop_back();
    return fmt::format("{}.{:06}Z", text, rest.count());
}

ApiRequest create_event(const Finding& finding, const std::string& node, Time now) {
    const ApiResource resource = api_resource(finding.object.kind);
    nlohmann::json regarding = {{"apiVersion", resource.api_version()},
                                {"kind", to_string(finding.object.kind)},
                                {"name", finding.object.name.name.get()},
                                {"uid", finding.uid}};
    if (const auto& ns = finding.object.name.ns.get(); !ns.empty()) regarding["namespace"] = ns;
    const nlohmann::json event = {
        {"apiVersion", "events.k8s.io/v1"},
        {"kind", "Event"},
        {"metadata", {{"name", event_name(finding)}, {"namespace", namespace_of(finding)}}},
        {"eventTime", micro_time_text(now)},
        {"reportingController", kReportingController},
        {"reportingInstance", node},
        {"regarding", std::move(regarding)},
        {"type", "Warning"},
        {"reason", finding.reason},
        {"action", finding.action},
        {"note", cut_text(finding.note, kLongestNote)}};
    ApiRequest request;
    request.method = "POST";
    request.target = kEvents.path(namespace_of(finding));
    request.accept = request.content_type = "application/json";
    request.body = event.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
    return request;
}

ApiRequest read_event(const Finding& finding) {
    ApiRequest request;
    request.target = target_of(finding);
    request.accept = "application/json";
    return request;
}

ApiRequest repeat_event(const Finding& finding, std::uint32_t count, Time now) {
    const nlohmann::json patch = {
        {"series", {{"count", count}, {"lastObservedTime", micro_time_text(now)}}}};
    ApiRequest request;
    request.method = "PATCH";
    request.target = target_of(finding);
    request.accept = "application/json";
    request.content_type = "application/merge-patch+json";
    request.body = patch.dump();
    return request;
}

EventRecord parse_event(const std::string& body) {
    const auto event = nlohmann::json::parse(body, nullptr, false);
    EventRecord record;
    if (!event.is_object()) return record;
    const auto instance = event.find("reportingInstance");
    if (instance != event.end() && instance->is_string()) {
        record.reporting_instance = instance->get<std::string>();
    }
    const auto series = event.find("series");
    if (series == event.end() || !series->is_object()) return record;
    const auto count = series->find("count");
    if (count != series->end() && count->is_number_unsigned()) {
        record.count = count->get<std::uint32_t>();
    }
    return record;
}

} // namespace weir
