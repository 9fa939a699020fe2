// SPDX-License-Identifier: Apache-2.0
// Figures of a run: ratios to a baseline measured in the same run, printed as a table or as one
// JSON object a line.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace weir::bench {

// Samples of one quantity, in the order of the rounds.
using Samples = std::vector<double>;

double minimum(const Samples& samples);
double median(const Samples& samples);
double percentile(Samples samples, double share); // share of 1, nearest rank

struct Figure {
    std::string name;
    double value = 0;     // what `limit` is compared with: at most that
    std::string unit;     // "x" for a ratio
    std::string baseline; // what a ratio is to; empty for an absolute figure
    std::optional<double> limit;
    std::optional<double> min; // over the rounds
    std::string note;          // for people: the nanoseconds behind a ratio, and the like
};

// The ratio of two quantities measured round by round: the median of the rounds' ratios.
Figure ratio(std::string name, const Samples& measured, const Samples& baseline,
             std::string baseline_name, std::optional<double> limit, const std::string& unit_note);

class Report {
public:
    explicit Report(bool as_json) : as_json_(as_json) {}

    void add(const Figure& figure);
    // Whether every figure with a limit keeps it.
    bool is_within_limits() const { return is_within_limits_; }

private:
    bool as_json_ = false;
    bool is_within_limits_ = true;
};

} // namespace weir::bench
