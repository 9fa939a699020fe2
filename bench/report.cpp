// SPDX-License-Identifier: Apache-2.0
#include "bench/report.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

namespace weir::bench {

double minimum(const Samples& samples) {
    return *std::min_element(samples.begin(), samples.end());
}

double median(const Samples& samples) {
    return percentile(samples, 0.5);
}

double percentile(Samples samples, double share) {
    const auto rank =
        static_cast<std::ptrdiff_t>(std::ceil(share * static_cast<double>(samples.size())) - 1);
    const auto nth = samples.begin() + std::max<std::ptrdiff_t>(rank, 0);
    std::nth_element(samples.begin(), nth, samples.end());
    return *nth;
}

Figure ratio(std::string name, const Samples& measured, const Samples& baseline,
             std::string baseline_name, std::optional<double> limit, const std::string& unit_note) {
    Samples ratios;
    for (std::size_t i = 0; i < measured.size(); i++)
        ratios.push_back(measured[i] / baseline[i]);
    Figure figure;
    figure.name = std::move(name);
    figure.value = median(ratios);
    figure.unit = std::string("x");
    figure.baseline = std::move(baseline_name);
    figure.limit = limit;
    figure.min = minimum(ratios);
    figure.note = fmt::format("{:.1f} / {:.1f} {}, minimum {:.1f} / {:.1f}", median(measured),
                              median(baseline), unit_note, minimum(measured), minimum(baseline));
    return figure;
}

void Report::add(const Figure& figure) {
    const bool is_ok = !figure.limit || figure.value <= *figure.limit;
    is_within_limits_ = is_within_limits_ && is_ok;
    if (as_json_) {
        nlohmann::ordered_json json = {{"name", figure.name},
                                       {"value", figure.value},
                                       {"unit", figure.unit},
                                       {"baseline", figure.baseline}};
        if (figure.min) json["min"] = *figure.min;
        if (figure.limit) {
            json["limit"] = *figure.limit;
            json["ok"] = is_ok;
        }
        if (!figure.note.empty()) json["note"] = figure.note;
        fmt::print("{}\n", json.dump());
    } else {
        fmt::print("{:<34} {:>10.2f} {:<5} {:<22} {:<12} {}\n", figure.name, figure.value,
                   figure.unit,
                   figure.baseline.empty() ? "" : fmt::format("to {}", figure.baseline),
                   figure.limit ? fmt::format("{} {:g}", is_ok ? "<=" : "OVER", *figure.limit) : "",
                   figure.note);
    }
    std::fflush(stdout);
}

} // namespace weir::bench
