// SPDX-License-Identifier: Apache-2.0
// Which files of a directory are manifests, and reading one that may be rewritten at any time.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace weir {

struct FileContent {
    enum class State {
        kRead,
        kMissing,   // no such file
        kBusy,      // open for writing: whoever writes it will close it
        kUnreadable // text says why
    };

    State state = State::kMissing;
    std::string text;
};

// Reads a regular file whole, as no writer has it open: never half written.
FileContent read_manifest(const std::string& path);

// *.yaml, *.yml and *.json, but no hidden, backup or temporary file of an editor.
bool is_manifest_name(std::string_view name);
// Hidden folders (.git, and ..data of a ConfigMap mount) are passed over.
bool is_folder_name(std::string_view name);

struct ManifestTree {
    struct Unreadable {
        std::string path;
        std::string why;
    };

    std::vector<std::string> files;     // sorted; directory + "/" + path below it
    std::vector<std::string> links;     // those of the files that are symbolic links
    std::vector<Unreadable> unreadable; // folders
};

// Lists the manifests below a directory; on_folder is called for each folder, itself included,
// before it is read. Links to folders are followed, each folder once.
ManifestTree list_manifests(const std::string& directory,
                            const std::function<void(const std::string&)>& on_folder = {});

// Without the slashes at its end.
std::string normal_directory(std::string_view directory);

} // namespace weir
