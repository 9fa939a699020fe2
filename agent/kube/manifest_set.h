// SPDX-License-Identifier: Apache-2.0
// What a set of manifest files says, file by file: which objects are in force, which are kept at
// their last valid version, and what changed. Knows no directory and no clock; the store is its
// only I/O. An object that was in force and becomes invalid, or whose file becomes unreadable,
// stays until its document or file is deleted; one never seen valid is absent.
#pragma once

#include <boost/container/small_vector.hpp>
#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "agent/kube/decode.h"
#include "agent/kube/manifest_status.h"
#include "agent/kube/manifest_store.h"
#include "policy/model.h"

namespace weir {

struct ObjectKeyHash {
    std::size_t operator()(const ObjectKey& key) const noexcept;
};

class ManifestSet {
public:
    using Time = std::chrono::system_clock::time_point;

    // Without a store nothing survives a restart. The store must outlive the set.
    explicit ManifestSet(const ManifestStore* store = nullptr) : store_(store) {}

    // The file's content now.
    void update(const std::string& file, std::string content, Time now);
    // The file is there but cannot be read.
    void fail(const std::string& file, const std::string& why, Time now);
    void remove(const std::string& file);

    bool contains(const std::string& file) const { return files_.contains(file); }
    std::vector<std::string> files() const;

    // What all calls since the last one changed in what is in force. An object that moved from one
    // file to another in between did not vanish.
    Change take_change();
    // The problems that all calls since the last one brought.
    std::vector<Problem> take_problems();
    // Writes what is in force to the store; a failure becomes a problem. After the change was
    // applied, so that it does not wait for the disk.
    void save();

    // files, objects, problems and kept.
    ManifestStatus status() const;

private:
    struct Claim { // of a file on an object
        SharedObject object;
        std::unique_ptr<KeptObject> kept; // null while the file itself says so

        const std::string& file() const { return origin_of(object).file.get(); }
    };
    // Sorted by file: the first one is in force. There is hardly ever more than one.
    using Claims = boost::container::small_vector<Claim, 1>;
    struct File {
        std::vector<ObjectKey> keys; // of its claims, in the order of the file
        std::vector<Problem> problems;
        std::vector<IgnoredObject> ignored;
        std::uint64_t content = 0;
    };
    struct Saving {
        std::string content;
        std::vector<StoredPart> kept;
    };

    File& file_of(const std::string& name, bool wants_stored);
    void restore(const std::string& name, File& file);
    void claim(const std::string& file, SharedObject object, std::unique_ptr<KeptObject> kept);
    void keep(const std::string& file, const ObjectKey& key, const std::string& why, Time now);
    void disclaim(const std::string& file, const ObjectKey& key);
    Claim* find_claim(const std::string& file, const ObjectKey& key);
    void touch(const ObjectKey& key);
    void set_problems(File& file, std::vector<Problem> problems);
    void set_ignored(const std::string& name, File& file, std::vector<IgnoredObject> ignored);
    std::vector<StoredPart> kept_parts(const std::string& name, const File& file);
    Problem duplicate_problem(const Claim& loser, const Claim& winner) const;
    void save_file(const std::string& name, Saving saving);

    const ManifestStore* store_;
    std::map<std::string, File> files_;
    std::unordered_map<ObjectKey, Claims, ObjectKeyHash> claims_;
    std::unordered_set<ObjectKey, ObjectKeyHash> contested_; // more than one claim
    std::map<std::string, std::size_t> ignored_;             // objects by kind
    std::vector<ObjectKey> touched_; // since the last take_change(), with what was in force then
    std::unordered_map<ObjectKey, std::optional<SharedObject>, ObjectKeyHash> before_;
    std::vector<Problem> fresh_;
    std::map<std::string, Saving> saving_;
    std::map<std::string, Problem> store_problems_;
};

} // namespace weir
