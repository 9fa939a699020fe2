// SPDX-License-Identifier: Apache-2.0
#include "agent/kube/problem.h"

#include <nlohmann/json.hpp>

namespace weir {

const char* to_string(Severity severity) {
    switch (severity) {
        case Severity::kNotice:
            return "notice";
        case Severity::kWarning:
            return "warning";
        case Severity::kError:
            return "error";
    }
    return "unknown";
}

std::string to_string(const Problem& problem) {
    std::string text = problem.file;
    if (problem.line != 0) text += ":" + std::to_string(problem.line);
    if (problem.column != 0) text += ":" + std::to_string(problem.column);
    if (!text.empty()) text += std::string(": ") + to_string(problem.severity) + ": ";
    if (!problem.object.empty()) text += problem.object + ": ";
    if (!problem.field.empty()) text += problem.field + ": ";
    text += problem.what;
    if (!problem.remedy.empty()) text += "; " + problem.remedy;
    return text;
}

nlohmann::json to_json(const Problem& problem) {
    return {{"severity", to_string(problem.severity)},
            {"file", problem.file},
            {"line", problem.line},
            {"column", problem.column},
            {"object", problem.object},
            {"field", problem.field},
            {"what", problem.what},
            {"remedy", problem.remedy}};
}

} // namespace weir
