// SPDX-License-Identifier: Apache-2.0
#include "agent/cli/completion.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <iostream>
#include <memory>
#include <vector>

#include "agent/cli/command.h"

namespace weir::cli {
namespace {

// What may follow one command's words on the line.
struct Node {
    std::string path; // "weir endpoint add"
    std::vector<const CLI::App*> commands;
    std::vector<const CLI::Option*> options; // its own and those of its parents
};

std::string spelling(const CLI::Option& option) {
    if (!option.get_lnames().empty()) return "--" + option.get_lnames().front();
    return "-" + option.get_snames().front();
}

bool takes_value(const CLI::Option& option) {
    return option.get_items_expected_max() > 0;
}

// The words of an option that only takes some: CLI11 writes them "{a,b}" into the type name.
std::string choices(const CLI::Option& option) {
    const std::string type = option.get_type_name();
    const auto open = type.find('{');
    const auto close = type.find('}', open);
    if (open == std::string::npos || close == std::string::npos) return {};
    std::string words = type.substr(open + 1, close - open - 1);
    std::ranges::replace(words, ',', ' ');
    return words;
}

void walk(const CLI::App& app, const std::string& path, std::vector<const CLI::Option*> inherited,
          std::vector<Node>& nodes) {
    Node node{path, {}, std::move(inherited)};
    for (const auto* option : app.get_options()) {
        if (option->nonpositional()) node.options.push_back(option);
    }
    std::vector<const CLI::Option*> passed_on;
    for (const auto* option : node.options) {
        if (option != app.get_help_ptr()) passed_on.push_back(option);
    }
    for (const auto* command : app.get_subcommands({}))
        node.commands.push_back(command);
    nodes.push_back(node);
    for (const auto* command : node.commands) {
        walk(*command, path + " " + command->get_name(), passed_on, nodes);
    }
}

std::vector<Node> nodes_of(const CLI::App& root) {
    std::vector<Node> nodes;
    walk(root, root.get_name(), {}, nodes);
    return nodes;
}

std::string words_of(const Node& node) {
    std::string words;
    for (const auto* command : node.commands)
        words += command->get_name() + " ";
    for (const auto* option : node.options)
        words += spelling(*option) + " ";
    if (!words.empty()) words.pop_back();
    return words;
}

// "-o|--output" as a pattern of `case`.
std::string pattern_of(const CLI::Option& option) {
    std::vector<std::string> names;
    for (const auto& name : option.get_snames())
        names.push_back("-" + name);
    for (const auto& name : option.get_lnames())
        names.push_back("--" + name);
    return fmt::format("{}", fmt::join(names, "|"));
}

std::string quoted_for_fish(std::string text) {
    for (std::size_t at = 0; (at = text.find('\'', at)) != std::string::npos; at += 2) {
        text.replace(at, 1, "\\'");
    }
    return "'" + text + "'";
}

std::string fish_option(const CLI::Option& option) {
    std::string words;
    for (const auto& name : option.get_snames())
        words += " -s " + name;
    for (const auto& name : option.get_lnames())
        words += " -l " + name;
    if (takes_value(option)) words += " -r";
    if (const auto values = choices(option); !values.empty()) words += " -f -a '" + values + "'";
    return words + " -d " + quoted_for_fish(option.get_description());
}

// The body that bash and zsh share: finds the command on the line in $at, then its words or those
// of the option before the cursor in $offer. $is_value says that the latter is the case.
std::string find_words(const std::vector<Node>& nodes) {
    std::string paths;
    std::string cases;
    for (const auto& node : nodes) {
        if (node.path.find(' ') != std::string::npos) {
            paths += (paths.empty() ? "" : "|") + fmt::format("\"{}\"", node.path);
        }
        cases += fmt::format(
            "        \"{}\")\n            offer=\"{}\"\n            case \"$prev\" in\n", node.path,
            words_of(node));
        for (const auto* option : node.options) {
            if (!takes_value(*option)) continue;
            cases += fmt::format("                {}) is_value=1; offer=\"{}\" ;;\n",
                                 pattern_of(*option), choices(*option));
        }
        cases += "            esac ;;\n";
    }
    return fmt::format(
        "    for word in \"${{line[@]}}\"; do\n"
        "        case \"$at $word\" in\n"
        "            {}) at=\"$at $word\" ;;\n"
        "        esac\n"
        "    done\n"
        "    case \"$at\" in\n{}    esac\n",
        paths, cases);
}

} // namespace

std::string bash_completion(const CLI::App& root) {
    return fmt::format(
        "# bash completion for weir; use: source <(weir completion bash)\n"
        "_weir() {{\n"
        "    local at=weir word offer= is_value= cur=${{COMP_WORDS[COMP_CWORD]}}\n"
        "    local prev=${{COMP_WORDS[COMP_CWORD - 1]}}\n"
        "    local line=(\"${{COMP_WORDS[@]:1:COMP_CWORD - 1}}\")\n"
        "    COMPREPLY=()\n"
        "{}"
        "    # Options only when one is begun; an empty answer makes readline offer files.\n"
        "    if [[ $cur != -* && -z $is_value ]]; then\n"
        "        local plain=\n"
        "        for word in $offer; do [[ $word == -* ]] || plain+=\" $word\"; done\n"
        "        offer=$plain\n"
        "    fi\n"
        "    COMPREPLY=($(compgen -W \"$offer\" -- \"$cur\"))\n"
        "}}\n"
        "complete -o default -F _weir weir\n",
        find_words(nodes_of(root)));
}

std::string zsh_completion(const CLI::App& root) {
    return fmt::format(
        "#compdef weir\n"
        "# zsh completion for weir; use: source <(weir completion zsh)\n"
        "_weir() {{\n"
        "    local at=weir word offer= is_value= cur=${{words[CURRENT]}} "
        "prev=${{words[CURRENT-1]}}\n"
        "    local -a line plain options\n"
        "    line=(\"${{(@)words[2,CURRENT-1]}}\")\n"
        "{}"
        "    for word in ${{=offer}}; do\n"
        "        if [[ $word == -* ]]; then options+=$word; else plain+=$word; fi\n"
        "    done\n"
        "    if [[ $cur == -* ]]; then compadd -a options; return; fi\n"
        "    if (( $#plain )); then compadd -a plain; else _files; fi\n"
        "}}\n"
        "compdef _weir weir\n",
        find_words(nodes_of(root)));
}

std::string fish_completion(const CLI::App& root) {
    std::string script =
        "# fish completion for weir; use: weir completion fish | source\n"
        "function __weir_path\n"
        "    set -l words\n"
        "    for word in (commandline -opc)\n"
        "        string match -q -- '-*' $word; or set -a words $word\n"
        "    end\n"
        "    echo \"$words\"\n"
        "end\n";
    for (const auto& node : nodes_of(root)) {
        const std::string exactly = fmt::format("test (__weir_path) = '{}'", node.path);
        const std::string within = fmt::format(
            "string match -q -- '{0}' (__weir_path); or string match -q -- '{0} *' "
            "(__weir_path)",
            node.path);
        for (const auto* command : node.commands) {
            script += fmt::format("complete -c weir -f -n \"{}\" -a {} -d {}\n", exactly,
                                  command->get_name(), quoted_for_fish(command->get_description()));
        }
        for (const auto* option : node.options) {
            script += fmt::format("complete -c weir -n \"{}\"{}\n", within, fish_option(*option));
        }
    }
    return script;
}

void add_completion(CLI::App& app, Options&) {
    CLI::App* command = app.add_subcommand("completion", "Completion script for a shell");
    auto shell = std::make_shared<std::string>();
    command->add_option("shell", *shell, "Which")
        ->required()
        ->check(CLI::IsMember({"bash", "zsh", "fish"}));
    command->footer(
        "Examples:\n  source <(weir completion bash)\n"
        "  weir completion fish > ~/.config/fish/completions/weir.fish");
    command->callback([shell, &app] {
        if (*shell == "bash") std::cout << bash_completion(app);
        if (*shell == "zsh") std::cout << zsh_completion(app);
        if (*shell == "fish") std::cout << fish_completion(app);
    });
}

} // namespace weir::cli
