// SPDX-License-Identifier: Apache-2.0
// `weir diff`: what manifests would change, before they are applied.
#include "agent/control/diff.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <cstring>
#include <iostream>
#include <iterator>
#include <memory>

#include "agent/cli/call.h"
#include "agent/cli/ends.h"
#include "agent/kube/check.h"
#include "agent/kube/manifest_files.h"

namespace weir::cli {
namespace {

struct DiffArguments {
    std::vector<std::string> paths;
    std::vector<std::string> removals;
    std::string manifests; // instead of an agent
    bool is_replace = false;
    std::uint32_t limit = 100;
};

std::string check_removal(const std::string& text) {
    const auto object = parse_object(text);
    if (object && !object->kind.empty()) return "";
    return "'" + text + "' is not KIND/NAMESPACE/NAME, or KIND/NAME of a cluster-scoped kind";
}

// Reads the files into the request; what cannot be read is an error.
class ManifestReader {
public:
    explicit ManifestReader(v1::DiffRequest& request) : request_(request) {}

    Result<> read(const std::string& path) {
        if (path == "-") {
            const std::istreambuf_iterator<char> input(std::cin);
            add("standard input", {input, {}});
            return {};
        }
        struct stat info{};
        if (::stat(path.c_str(), &info) != 0) return failure_errno(path);
        return S_ISDIR(info.st_mode) ? read_folder(normal_directory(path)) : read_file(path);
    }

private:
    Result<> read_folder(const std::string& path) {
        const ManifestTree tree = list_manifests(path);
        if (!tree.unreadable.empty()) {
            return failure(tree.unreadable.front().path + ": " + tree.unreadable.front().why);
        }
        for (const auto& file : tree.files) {
            if (auto read = read_file(file); !read) return read;
        }
        return {};
    }

    Result<> read_file(const std::string& path) {
        FileContent content = read_manifest(path);
        switch (content.state) {
            case FileContent::State::kRead:
                add(path, std::move(content.text));
                return {};
            case FileContent::State::kMissing:
                return failure(path + ": no such file");
            case FileContent::State::kBusy:
                return failure(path + ": is being written");
            case FileContent::State::kUnreadable:
                break;
        }
        return failure(path + ": " + content.text);
    }

    void add(const std::string& file, std::string text) {
        auto* manifest = request_.add_manifests();
        manifest->set_file(file);
        manifest->set_text(std::move(text));
    }

    v1::DiffRequest& request_;
};

Result<v1::DiffRequest> request_of(const DiffArguments& arguments) {
    v1::DiffRequest request;
    ManifestReader reader(request);
    for (const auto& path : arguments.paths) {
        if (auto read = reader.read(path); !read) return std::unexpected(std::move(read.error()));
    }
    for (const auto& text : arguments.removals) {
        const auto object = parse_object(text);
        auto* removal = request.add_removals();
        removal->set_kind(object->kind);
        removal->set_namespace_(object->ns);
        removal->set_name(object->name);
    }
    request.set_replace(arguments.is_replace);
    request.set_limit(arguments.limit);
    return request;
}

Answer<v1::DiffResponse> ask(const DiffArguments& arguments, const v1::DiffRequest& request,
                             const Options& options) {
    if (arguments.manifests.empty()) return ControlClient(options.run_dir).diff(request);
    const auto loaded = load_directory(arguments.manifests);
    if (!loaded) return std::unexpected(CallError{kCannot, loaded.error().what});
    for (const auto& problem : loaded->problems) {
        if (problem.severity == Severity::kError) std::cerr << to_string(problem) << '\n';
    }
    auto answer = diff(loaded->change.upserts, {}, request);
    if (!answer) return std::unexpected(CallError{kCannot, answer.error().what});
    return std::move(*answer);
}

std::string object_text(const v1::ObjectName& object) {
    return fmt::format("{} {}{}{}", object.kind(), object.namespace_(),
                       object.namespace_().empty() ? "" : "/", object.name());
}

// "deny, egress: NetworkPolicy shop/web rule 0 (web.yaml:7)".
Cell decision_cell(const v1::Decision& decision) {
    Cell cell = verdict_cell(decision.verdict());
    cell.text += fmt::format(", {}: {}", decision.direction(), rule_text(decision.rule()));
    return cell;
}

std::string group_text(const v1::PeerGroup& group) {
    if (group.pods() <= 1) return group.name();
    return fmt::format("{} ({} pods)", group.name(), group.pods());
}

void print_objects(const v1::DiffResponse& answer) {
    for (const auto& object : answer.objects()) {
        std::cout << fmt::format("{:<8} {}\n", object.change(), object_text(object.object()));
    }
}

void print_flows(const v1::DiffResponse& answer) {
    if (answer.flows_compared() == 0) return;
    if (answer.flows_size() == 0) {
        std::cout << fmt::format("\nnone of {} recent flows would change\n",
                                 answer.flows_compared());
        return;
    }
    std::cout << fmt::format("\nof {} recent flows, these would change:\n",
                             answer.flows_compared());
    Table table({"FLOWS", "FROM", "TO", "PROTOCOL", "NOW", "THEN"});
    for (const auto& flow : answer.flows()) {
        table.add({std::to_string(flow.count()), end_text(flow.source(), false),
                   end_text(flow.destination()), flow.protocol(), decision_cell(flow.before()),
                   decision_cell(flow.after())});
    }
    table.print(std::cout, is_colourful());
    if (answer.more_flows() > 0) std::cout << fmt::format("and {} more\n", answer.more_flows());
}

void print_pairs(const v1::DiffResponse& answer) {
    if (answer.pairs_size() == 0) {
        std::cout << "\nno pair of pods would be judged differently\n";
    } else {
        std::cout << "\npairs that would be judged differently:\n";
        Table table({"FROM", "TO", "PORTS", "NOW", "THEN"});
        for (const auto& pair : answer.pairs()) {
            std::string ports = fmt::format("{}", fmt::join(pair.ports(), ", "));
            if (!pair.family().empty()) ports += " (" + pair.family() + ")";
            table.add({group_text(pair.source()), group_text(pair.destination()), ports,
                       decision_cell(pair.before()), decision_cell(pair.after())});
        }
        table.print(std::cout, is_colourful());
        if (answer.more_pairs() > 0) std::cout << fmt::format("and {} more\n", answer.more_pairs());
    }
    if (!answer.incomplete().empty()) print_error(answer.incomplete());
}

void print_diff(const v1::DiffResponse& answer) {
    if (answer.objects_size() == 0) {
        std::cout << "nothing would change: these objects are in force as they are\n";
        return;
    }
    print_objects(answer);
    print_flows(answer);
    print_pairs(answer);
}

void print_problems(const v1::DiffResponse& answer) {
    for (const auto& problem : answer.problems()) {
        const std::string place = place_text(problem.file(), problem.line());
        print_error(fmt::format("{}{}{}: {}", place, place.empty() ? "" : ": ", problem.severity(),
                                problem.message()));
    }
}

int status_of(const v1::DiffResponse& answer) {
    if (answer.refused()) return kCannot;
    const bool is_changed = answer.flows_size() != 0 || answer.pairs_size() != 0;
    return is_changed ? kNegative : kDone;
}

void run_diff(const DiffArguments& arguments, Options& options) {
    if (arguments.paths.empty() && arguments.removals.empty()) {
        print_error("name at least one PATH, or an object to --delete");
        options.exit_status = kCannot;
        return;
    }
    const auto request = request_of(arguments);
    if (!request) {
        print_error(request.error().what);
        options.exit_status = kCannot;
        return;
    }
    const auto answer = ask(arguments, *request, options);
    show(answer, options, [](const v1::DiffResponse& response) {
        if (!response.refused()) print_diff(response);
    });
    if (!answer) {
        options.exit_status = kCannot; // 1 means that there are changes
        return;
    }
    if (!options.is_json()) print_problems(*answer);
    options.exit_status = status_of(*answer);
}

} // namespace

void add_diff(CLI::App& app, Options& options) {
    CLI::App* command =
        app.add_subcommand("diff", "What manifests would change, before they are applied");
    auto arguments = std::make_shared<DiffArguments>();
    command
        ->add_option("paths", arguments->paths,
                     "Files, or folders with all below them; -: standard input")
        ->type_name("PATH");
    command
        ->add_option("--delete", arguments->removals,
                     "Object that would be deleted: KIND/NAMESPACE/NAME; repeatable")
        ->check(check_removal)
        ->type_name("OBJECT");
    command->add_flag("--replace", arguments->is_replace,
                      "PATH is the whole set: policies in force that it lacks would be deleted");
    command
        ->add_option("--manifests", arguments->manifests,
                     "Compare with this folder instead of asking an agent; without flows")
        ->type_name("DIR");
    command->add_option("--limit", arguments->limit, "Flows and pairs to list, of each")
        ->check(CLI::PositiveNumber);
    command->footer(
        "Lists the recently seen flows and the pairs of pods that would be judged differently, "
        "with\n"
        "the rule that decides now and then. Changes nothing. Pods that policy treats alike stand\n"
        "together. Exit status 0 no difference, 1 differences, 2 invalid manifests or no agent.\n\n"
        "Examples:\n  weir diff new-policy.yaml\n"
        "  weir diff --delete NetworkPolicy/shop/deny-all\n"
        "  kustomize build overlays/prod | weir diff --replace -\n"
        "  weir diff --manifests ./cluster ./changes");
    command->callback([arguments, &options] { run_diff(*arguments, options); });
}

} // namespace weir::cli
