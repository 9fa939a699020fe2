// SPDX-License-Identifier: Apache-2.0
#include "agent/cni/install.h"

#include <sys/stat.h>

#include <algorithm>
#include <cstdio>

#include "agent/cni/conflist.h"
#include "agent/file.h"

namespace weir {
namespace {

namespace fs = std::filesystem;

constexpr const char* kProgram = "weir-cni";
constexpr const char* kSaved = ".weir-saved"; // an extension that no runtime reads
constexpr mode_t kExecutable = 0755;
constexpr mode_t kPermissions = 07777;

std::unexpected<Error> failure_of(const std::string& what, const std::error_code& error) {
    return failure_errno(what, error.value());
}

// By name, as libcni sorts them.
Result<std::vector<fs::path>> files_of(const fs::path& folder) {
    std::error_code error;
    std::vector<fs::path> files;
    for (const auto& entry : fs::directory_iterator(folder, error))
        if (entry.is_regular_file(error)) files.push_back(entry.path());
    if (error) return failure_of("read the folder " + folder.string(), error);
    std::ranges::sort(files);
    return files;
}

Result<> rename_file(const fs::path& from, const fs::path& to) {
    std::error_code error;
    fs::rename(from, to, error);
    if (error) return failure_of("rename " + from.string() + " to " + to.string(), error);
    return {};
}

Result<> remove_file(const fs::path& file) {
    std::error_code error;
    fs::remove(file, error);
    if (error) return failure_of("remove " + file.string(), error);
    return {};
}

// With the permissions that it has, through a link.
Result<> rewrite(const fs::path& file, const std::string& text) {
    struct stat status{};
    if (::stat(file.c_str(), &status) != 0) return failure_errno("read " + file.string());
    std::error_code error;
    const fs::path target = fs::canonical(file, error);
    if (error) return failure_of("follow the link " + file.string(), error);
    return replace_file(target, text, status.st_mode & kPermissions);
}

Result<bool> copy_program(const CniPlaces& places) {
    const auto program = read_whole_file(places.program);
    if (!program) return std::unexpected(program.error());
    const fs::path copy = places.bin_dir / kProgram;
    const auto present = read_whole_file(copy);
    if (present && *present == *program) return false;
    std::error_code error;
    if (!fs::is_directory(places.bin_dir, error)) {
        return failure("no folder " + places.bin_dir.string() +
                       ": name the one where the container runtime looks for CNI plugins");
    }
    if (auto written = replace_file(copy, *program, kExecutable); !written) {
        return std::unexpected(std::move(written.error()));
    }
    return true;
}

fs::path saved_of(const fs::path& conf) {
    return conf.string() + kSaved;
}

fs::path list_of(fs::path conf) {
    return conf.replace_extension(".conflist");
}

// Whether the list is what became of the single plugin, and nobody's else by now.
bool is_made_of(const std::string& list, const std::string& conf) {
    return is_usable_conf(conf) && is_usable_conflist(list) &&
           unchain_plugin(list) == conflist_of(conf);
}

// The list first: until the single plugin is renamed, it is the one in use.
Result<fs::path> convert(const fs::path& conf, const std::string& text, const CniPlaces& places) {
    fs::path list = list_of(conf);
    if (fs::exists(list)) {
        const auto present = read_whole_file(list);
        if (!present) return std::unexpected(present.error());
        const auto saved = read_whole_file(saved_of(conf));
        if (!is_made_of(*present, text) && !(saved && is_made_of(*present, *saved))) {
            return failure(list.string() + " is in the way of chaining weir-cni to " +
                           conf.string() + ": remove one of the two");
        }
    }
    const std::string chained = chain_plugin(conflist_of(text), weir_plugin(places.socket));
    struct stat status{};
    if (::stat(conf.c_str(), &status) != 0) return failure_errno("read " + conf.string());
    auto done = replace_file(list, chained, status.st_mode & kPermissions);
    if (done) done = rename_file(conf, saved_of(conf));
    if (!done) return std::unexpected(std::move(done.error()));
    return list;
}

Result<Installed> chain_first(const CniPlaces& places) {
    const auto files = files_of(places.conf_dir);
    if (!files) return std::unexpected(files.error());
    for (const fs::path& file : *files) {
        const auto extension = file.extension();
        if (extension != ".conf" && extension != ".conflist" && extension != ".json") continue;
        const auto text = read_whole_file(file);
        if (!text) return std::unexpected(text.error());
        if (extension != ".conflist") {
            if (!is_usable_conf(*text)) continue;
            auto list = convert(file, *text, places);
            if (!list) return std::unexpected(std::move(list.error()));
            return Installed{.conflist = std::move(*list), .is_changed = true};
        }
        if (!is_usable_conflist(*text)) continue;
        const std::string chained = chain_plugin(*text, weir_plugin(places.socket));
        if (chained == *text) return Installed{.conflist = file};
        if (auto written = rewrite(file, chained); !written) {
            return std::unexpected(std::move(written.error()));
        }
        return Installed{.conflist = file, .is_changed = true};
    }
    return Installed{};
}

// The single plugin again if its list is as it was made, else the list stays. Returns what is used.
Result<fs::path> restore(const fs::path& saved) {
    fs::path conf = fs::path(saved).replace_extension();
    fs::path list = list_of(conf);
    const auto text = read_whole_file(saved);
    if (!text) return std::unexpected(text.error());
    const auto present = read_whole_file(list);
    if (fs::exists(conf) || !present || !is_made_of(*present, *text)) {
        if (auto removed = remove_file(saved); !removed) return std::unexpected(removed.error());
        return fs::exists(conf) ? conf : list;
    }
    auto done = rename_file(saved, conf);
    if (done) done = remove_file(list);
    if (!done) return std::unexpected(std::move(done.error()));
    return conf;
}

// Whether there was anything to take out.
Result<bool> unchain(const fs::path& file) {
    const auto text = read_whole_file(file);
    if (!text) return std::unexpected(text.error());
    if (!is_usable_conflist(*text)) return false;
    const std::string left = unchain_plugin(*text);
    if (left == *text) return false;
    if (auto written = rewrite(file, left); !written) return std::unexpected(written.error());
    return true;
}

} // namespace

fs::path default_cni_program() {
    std::error_code ignored;
    return fs::read_symlink("/proc/self/exe", ignored).parent_path() / kProgram;
}

Result<Installed> install_cni(const CniPlaces& places) {
    // The program first: a runtime that reads the list finds what it names.
    const auto copied = copy_program(places);
    if (!copied) return std::unexpected(copied.error());
    auto installed = chain_first(places);
    if (installed && *copied) installed->is_changed = true;
    return installed;
}

Result<std::vector<fs::path>> uninstall_cni(const CniPlaces& places) {
    std::vector<fs::path> changed;
    const auto saved = files_of(places.conf_dir);
    if (!saved) return std::unexpected(saved.error());
    for (const fs::path& file : *saved) {
        if (file.extension() != kSaved) continue;
        auto used = restore(file);
        if (!used) return std::unexpected(std::move(used.error()));
        changed.push_back(std::move(*used));
    }
    const auto lists = files_of(places.conf_dir);
    if (!lists) return std::unexpected(lists.error());
    for (const fs::path& file : *lists) {
        if (file.extension() != ".conflist") continue;
        const auto is_changed = unchain(file);
        if (!is_changed) return std::unexpected(is_changed.error());
        if (*is_changed) changed.push_back(file);
    }
    const fs::path program = places.bin_dir / kProgram;
    if (!fs::exists(program)) return changed;
    if (auto removed = remove_file(program); !removed) return std::unexpected(removed.error());
    changed.push_back(program);
    return changed;
}

} // namespace weir
