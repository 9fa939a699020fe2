// SPDX-License-Identifier: Apache-2.0
// The last valid version of what is in force, on disk, so that it survives a restart: one file per
// manifest file, named by a hash of its path, mode 0600, replaced atomically.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "agent/kube/manifest_status.h"
#include "loader/result.h"

namespace weir {

// A stretch of a manifest file as it once was.
struct StoredPart {
    std::string text;
    std::uint32_t first_line = 1;
    // The objects of the text that are in force though the file now says otherwise. Empty: all of
    // the text's objects, as it is what the file says.
    std::vector<KeptObject> kept;
};

struct StoredFile {
    std::string file;
    std::uint64_t content = 0; // fingerprint of the whole file
    std::vector<StoredPart> parts;
};

std::uint64_t fingerprint(std::string_view text);

class ManifestStore {
public:
    // Creates the directory (0700).
    static Result<ManifestStore> open(std::string directory);

    // Nothing is stored: an empty StoredFile. Fails when it is damaged.
    Result<StoredFile> load(const std::string& file) const;
    // Whether this very content, with nothing kept beside it, is what is stored.
    bool holds(const std::string& file, std::uint64_t content) const;
    Result<> save(const StoredFile& stored) const;
    void erase(const std::string& file) const;

    // The manifest files of which something is stored.
    std::vector<std::string> files() const;
    // Erases what is stored of other files.
    void retain(const std::unordered_set<std::string>& files) const;

private:
    explicit ManifestStore(std::string directory) : directory_(std::move(directory)) {}
    std::string path_of(const std::string& file) const;

    std::string directory_;
};

} // namespace weir
