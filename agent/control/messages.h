// SPDX-License-Identifier: Apache-2.0
// Between the agent's values and the control API's messages.
#pragma once

#include <chrono>
#include <cstdint>
#include <expected>
#include <string>

#include "agent/control/weir.pb.h"
#include "agent/flow/flow_filter.h"
#include "agent/flow/flow_record.h"
#include "agent/kube/problem.h"
#include "policy/rule_book.h"

namespace weir {

google::protobuf::Timestamp timestamp_of(std::chrono::system_clock::time_point time);

// info: null for reserved ids and for those that the rule book does not know.
v1::Rule rule_message(std::uint32_t id, const RuleInfo* info);
v1::Flow flow_message(const FlowRecord& flow);
void fill_end(v1::End& message, const FlowEnd& end);
// What is wrong and what to do, without the place.
std::string sentence_of(const Problem& problem);

// The error is a sentence that names the field.
std::expected<FlowFilter, std::string> filter_of(const v1::FlowFilter& message);

} // namespace weir
