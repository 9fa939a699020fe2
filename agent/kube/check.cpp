// SPDX-License-Identifier: Apache-2.0
#include "agent/kube/check.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <iterator>
#include <nlohmann/json.hpp>
#include <numeric>
#include <tuple>

#include "agent/kube/check_references.h"
#include "agent/kube/manifest_files.h"
#include "agent/kube/manifest_set.h"

namespace weir {
namespace {

// Files and folders read once into a set.
class Reader {
public:
    void read(const std::string& given) {
        const std::string path = normal_directory(given);
        struct stat info{};
        if (::stat(path.c_str(), &info) != 0) {
            unreadable_.push_back(given + ": " + std::strerror(errno));
        } else if (S_ISDIR(info.st_mode)) {
            read_folder(path);
        } else {
            read_file(path);
        }
    }

    ManifestSet& set() { return set_; }
    const std::vector<std::string>& unreadable() const { return unreadable_; }

private:
    void read_folder(const std::string& path) {
        const ManifestTree tree = list_manifests(path);
        for (const auto& folder : tree.unreadable) {
            unreadable_.push_back(folder.path + ": " + folder.why);
        }
        for (const std::string& file : tree.files)
            read_file(file);
    }

    void read_file(const std::string& path) {
        FileContent content = read_manifest(path);
        switch (content.state) {
            case FileContent::State::kRead:
                return set_.update(path, std::move(content.text), {});
            case FileContent::State::kMissing:
                return; // deleted while the folder was read
            case FileContent::State::kBusy:
                unreadable_.push_back(path + ": is being written");
                return;
            case FileContent::State::kUnreadable:
                unreadable_.push_back(path + ": " + content.text);
        }
    }

    ManifestSet set_;
    std::vector<std::string> unreadable_;
};

std::size_t count(const CheckReport& report, Severity severity) {
    return static_cast<std::size_t>(
        std::ranges::count(report.problems, severity, &Problem::severity));
}

Problem as_counted(Problem problem, bool strict) {
    if (strict && problem.severity == Severity::kWarning) problem.severity = Severity::kError;
    return problem;
}

std::string plural(std::size_t number, const std::string& noun) {
    return std::to_string(number) + " " + noun + (number == 1 ? "" : "s");
}

} // namespace

int CheckReport::exit_status(bool strict) const {
    if (!unreadable.empty()) return 2;
    const bool is_refused =
        count(*this, Severity::kError) != 0 || (strict && count(*this, Severity::kWarning) != 0);
    return is_refused ? 1 : 0;
}

CheckReport check_paths(std::span<const std::string> paths) {
    Reader reader;
    for (const std::string& path : paths)
        reader.read(path);
    ManifestStatus status = reader.set().status();
    CheckReport report;
    report.files = status.files;
    report.objects = std::accumulate(status.objects.begin(), status.objects.end(), std::size_t{0});
    report.problems = std::move(status.problems);
    std::ranges::move(check_references(reader.set().take_change()),
                      std::back_inserter(report.problems));
    std::ranges::stable_sort(report.problems, [](const Problem& a, const Problem& b) {
        return std::tie(a.file, a.line, a.column) < std::tie(b.file, b.line, b.column);
    });
    report.unreadable = reader.unreadable();
    return report;
}

std::string to_text(const CheckReport& report, bool strict) {
    std::string text;
    for (const std::string& path : report.unreadable)
        text += path + "\n";
    for (const Problem& problem : report.problems) {
        text += to_string(as_counted(problem, strict)) + "\n";
    }
    const std::size_t errors = count(report, Severity::kError);
    const std::size_t warnings = count(report, Severity::kWarning);
    return text + plural(report.files, "file") + ", " + plural(report.objects, "valid object") +
           ", " + plural(strict ? errors + warnings : errors, "error") + ", " +
           plural(strict ? 0 : warnings, "warning") + "\n";
}

nlohmann::json to_json(const CheckReport& report, bool strict) {
    nlohmann::json problems = nlohmann::json::array();
    for (const Problem& problem : report.problems) {
        problems.push_back(to_json(as_counted(problem, strict)));
    }
    const std::size_t errors = count(report, Severity::kError);
    const std::size_t warnings = count(report, Severity::kWarning);
    return {{"files", report.files},
            {"objects", report.objects},
            {"errors", strict ? errors + warnings : errors},
            {"warnings", strict ? 0 : warnings},
            {"problems", std::move(problems)},
            {"unreadable", report.unreadable}};
}

Result<LoadedManifests> load_directory(const std::string& directory) {
    struct stat info{};
    if (::stat(directory.c_str(), &info) == 0 && !S_ISDIR(info.st_mode)) {
        return failure(directory + ": is no directory");
    }
    Reader reader;
    reader.read(directory);
    if (!reader.unreadable().empty()) return failure(reader.unreadable().front());
    return LoadedManifests{reader.set().take_change(), reader.set().status().problems};
}

} // namespace weir
