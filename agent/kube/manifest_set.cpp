// SPDX-License-Identifier: Apache-2.0
#include "agent/kube/manifest_set.h"

#include <algorithm>
#include <set>
#include <tuple>
#include <utility>

namespace weir {
namespace {

// The first error of an invalid object, or why a part of the file cannot be told to be any object.
std::unordered_map<ObjectKey, std::string, ObjectKeyHash> invalid_objects(
    const DecodedFile& decoded) {
    std::unordered_map<ObjectKey, std::string, ObjectKeyHash> invalid;
    for (const DecodedObject& object : decoded.objects) {
        if (!object.object) invalid.try_emplace(object.key, object.why);
    }
    return invalid;
}

Problem file_problem(const std::string& file, std::string what, std::string remedy) {
    return {Severity::kError, file, 0, 0, "", "", std::move(what), std::move(remedy)};
}

} // namespace

std::size_t ObjectKeyHash::operator()(const ObjectKey& key) const noexcept {
    // Symbols are interned: the same text is at the same address.
    const auto name = reinterpret_cast<std::uintptr_t>(&key.name.name.get());
    const auto ns = reinterpret_cast<std::uintptr_t>(&key.name.ns.get());
    return std::hash<std::uintptr_t>{}((name >> 4) * 0x9e3779b97f4a7c15 ^ (ns >> 4) * 31 ^
                                       static_cast<std::uintptr_t>(key.kind));
}

void ManifestSet::update(const std::string& name, std::string content, Time now) {
    const std::uint64_t print = fingerprint(content);
    if (const auto known = files_.find(name);
        known != files_.end() && known->second.content == print) {
        return;
    }
    DecodedFile decoded = decode_file(name, content);
    const auto invalid = invalid_objects(decoded);
    File& file = file_of(name, !invalid.empty() || !decoded.unidentified.empty());
    std::vector<ObjectKey> previous = std::exchange(file.keys, {});

    std::unordered_map<ObjectKey, std::uint32_t, ObjectKeyHash> lines;
    for (DecodedObject& object : decoded.objects) {
        if (!object.object) continue;
        const auto [first, is_new] = lines.try_emplace(object.key, object.origin.line);
        if (!is_new) {
            decoded.problems.push_back(
                {Severity::kError, name, object.origin.line, 0, to_string(object.key), "",
                 "stands twice: the one in line " + std::to_string(first->second) + " is in force",
                 "remove one of the two"});
            continue;
        }
        file.keys.push_back(object.key);
        claim(name, std::move(*object.object), nullptr);
    }
    for (const ObjectKey& key : previous) {
        if (lines.contains(key)) continue;
        const auto found = invalid.find(key);
        if (found == invalid.end() && decoded.unidentified.empty()) {
            disclaim(name, key);
            continue;
        }
        keep(name, key, found != invalid.end() ? found->second : decoded.unidentified, now);
        file.keys.push_back(key);
    }
    file.keys.shrink_to_fit();
    std::ranges::stable_sort(decoded.problems, {}, &Problem::line);
    set_problems(file, std::move(decoded.problems));
    set_ignored(name, file, std::move(decoded.ignored));
    file.content = print;
    if (store_ == nullptr) return;
    std::vector<StoredPart> kept = kept_parts(name, file);
    saving_[name] = {std::move(content), std::move(kept)};
}

void ManifestSet::fail(const std::string& name, const std::string& why, Time now) {
    File& file = file_of(name, true);
    for (const ObjectKey& key : file.keys)
        keep(name, key, why, now);
    set_problems(file, {file_problem(name, why,
                                     file.keys.empty() ? "nothing of it is in force"
                                                       : "its last valid version stays in force")});
    file.content = 0;
}

void ManifestSet::remove(const std::string& name) {
    const auto found = files_.find(name);
    if (found == files_.end()) return;
    for (const ObjectKey& key : found->second.keys)
        disclaim(name, key);
    set_ignored(name, found->second, {});
    files_.erase(found);
    saving_.erase(name);
    store_problems_.erase(name);
    if (store_ != nullptr) store_->erase(name);
}

std::vector<std::string> ManifestSet::files() const {
    std::vector<std::string> names;
    names.reserve(files_.size());
    for (const auto& [name, file] : files_)
        names.push_back(name);
    return names;
}

// What was in force before a restart matters only for a file that is not valid as it is now.
ManifestSet::File& ManifestSet::file_of(const std::string& name, bool wants_stored) {
    const auto [found, is_new] = files_.try_emplace(name);
    if (is_new && wants_stored && store_ != nullptr) restore(name, found->second);
    return found->second;
}

void ManifestSet::restore(const std::string& name, File& file) {
    const Result<StoredFile> stored = store_->load(name);
    if (!stored) {
        fresh_.push_back(file_problem(stored.error().what, "the last valid version is lost", ""));
        return;
    }
    for (const StoredPart& part : stored->parts) {
        const std::string padding(part.first_line - 1, '\n');
        for (DecodedObject& object : decode_file(name, padding + part.text).objects) {
            const auto mark = std::ranges::find(part.kept, object.key, &KeptObject::key);
            if (!object.object || (!part.kept.empty() && mark == part.kept.end())) continue;
            if (find_claim(name, object.key) != nullptr) continue;
            file.keys.push_back(object.key);
            auto kept = mark == part.kept.end() ? nullptr : std::make_unique<KeptObject>(*mark);
            if (kept != nullptr) kept->origin = object.origin;
            claim(name, std::move(*object.object), std::move(kept));
        }
    }
}

ManifestSet::Claim* ManifestSet::find_claim(const std::string& file, const ObjectKey& key) {
    const auto found = claims_.find(key);
    if (found == claims_.end()) return nullptr;
    const auto claim = std::ranges::find(found->second, file, &Claim::file);
    return claim == found->second.end() ? nullptr : &*claim;
}

void ManifestSet::claim(const std::string& file, SharedObject object,
                        std::unique_ptr<KeptObject> kept) {
    const ObjectKey key = key_of(object);
    if (Claim* existing = find_claim(file, key)) {
        existing->kept = std::move(kept);
        if (*existing->object == *object) return;
        touch(key);
        existing->object = std::move(object);
        return;
    }
    touch(key);
    Claims& claims = claims_[key];
    const auto at = std::ranges::lower_bound(claims, file, {}, &Claim::file);
    claims.insert(at, Claim{std::move(object), std::move(kept)});
    if (claims.size() > 1) contested_.insert(key);
}

void ManifestSet::keep(const std::string& file, const ObjectKey& key, const std::string& why,
                       Time now) {
    Claim* claim = find_claim(file, key);
    if (claim == nullptr) return;
    if (claim->kept == nullptr) {
        claim->kept =
            std::make_unique<KeptObject>(KeptObject{key, origin_of(claim->object), now, why});
    }
    claim->kept->why = why;
}

void ManifestSet::disclaim(const std::string& file, const ObjectKey& key) {
    const auto found = claims_.find(key);
    if (found == claims_.end()) return;
    touch(key);
    Claims& claims = found->second;
    const auto claim = std::ranges::find(claims, file, &Claim::file);
    if (claim != claims.end()) claims.erase(claim);
    if (claims.size() < 2) contested_.erase(key);
    if (claims.empty()) claims_.erase(found);
}

void ManifestSet::touch(const ObjectKey& key) {
    const auto [before, is_new] = before_.try_emplace(key);
    if (!is_new) return;
    touched_.push_back(key);
    const auto found = claims_.find(key);
    if (found != claims_.end()) before->second = found->second.front().object;
}

Change ManifestSet::take_change() {
    Change change;
    const auto touched = std::exchange(touched_, {});
    const auto before_all = std::exchange(before_, {});
    for (const ObjectKey& key : touched) {
        const std::optional<SharedObject>& before = before_all.at(key);
        const auto now = claims_.find(key);
        if (now == claims_.end()) {
            if (before) change.erasures.push_back(key);
            continue;
        }
        const Claims& claims = now->second;
        if (!before || **before != *claims.front().object) {
            change.upserts.push_back(claims.front().object);
        }
        for (std::size_t i = 1; i < claims.size(); ++i) {
            fresh_.push_back(duplicate_problem(claims[i], claims.front()));
        }
    }
    return change;
}

std::vector<Problem> ManifestSet::take_problems() {
    return std::exchange(fresh_, {});
}

Problem ManifestSet::duplicate_problem(const Claim& loser, const Claim& winner) const {
    const Origin& first = origin_of(winner.object);
    return {Severity::kError,
            loser.file(),
            origin_of(loser.object).line,
            0,
            to_string(key_of(loser.object)),
            "",
            "stands in another file too: " + first.file.get() + ":" + std::to_string(first.line) +
                " is in force",
            "remove one of the two"};
}

void ManifestSet::set_problems(File& file, std::vector<Problem> problems) {
    std::set<std::string> known;
    for (const Problem& problem : file.problems)
        known.insert(to_string(problem));
    for (const Problem& problem : problems) {
        if (!known.contains(to_string(problem))) fresh_.push_back(problem);
    }
    file.problems = std::move(problems);
}

// One notice per kind, for the first object of it.
void ManifestSet::set_ignored(const std::string& name, File& file,
                              std::vector<IgnoredObject> ignored) {
    for (const IgnoredObject& object : ignored) {
        if (ignored_[object.kind]++ != 0) continue;
        fresh_.push_back({Severity::kNotice, name, object.line, 0, "", "",
                          "objects of kind " + object.kind + " are ignored", ""});
    }
    for (const IgnoredObject& object : file.ignored) {
        if (--ignored_[object.kind] == 0) ignored_.erase(object.kind);
    }
    file.ignored = std::move(ignored);
}

// The texts behind the kept objects of a file, from its stored version.
std::vector<StoredPart> ManifestSet::kept_parts(const std::string& name, const File& file) {
    std::unordered_map<ObjectKey, const KeptObject*, ObjectKeyHash> wanted;
    for (const ObjectKey& key : file.keys) {
        const Claim* claim = find_claim(name, key);
        if (claim != nullptr && claim->kept != nullptr) wanted.emplace(key, claim->kept.get());
    }
    std::vector<StoredPart> kept;
    if (wanted.empty()) return kept;
    if (const auto pending = saving_.find(name); pending != saving_.end()) {
        save_file(name, std::move(pending->second));
        saving_.erase(name);
    }
    const Result<StoredFile> stored = store_->load(name);
    if (!stored) return kept;
    for (const StoredPart& part : stored->parts) {
        const std::string text = std::string(part.first_line - 1, '\n') + part.text;
        const char* last = nullptr; // a List's objects share one document
        for (const DecodedObject& object : decode_file(name, text).objects) {
            const auto found = wanted.find(object.key);
            if (found == wanted.end() || !object.object) continue;
            if (object.origin.line != found->second->origin.line) continue;
            const DocumentText& document = object.document;
            if (std::exchange(last, document.text.data()) != document.text.data()) {
                kept.push_back({std::string(document.text), document.first_line, {}});
            }
            kept.back().kept.push_back(*found->second);
            wanted.erase(found);
        }
    }
    return kept;
}

void ManifestSet::save() {
    for (auto& [name, saving] : std::exchange(saving_, {}))
        save_file(name, std::move(saving));
}

void ManifestSet::save_file(const std::string& name, Saving saving) {
    StoredFile stored{name, fingerprint(saving.content), {}};
    if (saving.kept.empty() && store_->holds(name, stored.content)) return;
    stored.parts.push_back({std::move(saving.content), 1, {}});
    for (StoredPart& part : saving.kept)
        stored.parts.push_back(std::move(part));
    const Result<> saved = store_->save(stored);
    if (saved) {
        store_problems_.erase(name);
        return;
    }
    Problem problem{Severity::kWarning,
                    name,
                    0,
                    0,
                    "",
                    "",
                    "its last valid version cannot be saved: " + saved.error().what,
                    "until it can, a restart of the agent would lose it"};
    fresh_.push_back(problem);
    store_problems_[name] = std::move(problem);
}

ManifestStatus ManifestSet::status() const {
    ManifestStatus status;
    status.files = files_.size();
    std::map<std::string, std::size_t> ignored = ignored_;
    for (const auto& [name, file] : files_) {
        for (const Problem& problem : file.problems)
            status.problems.push_back(problem);
        for (const IgnoredObject& object : file.ignored) {
            const auto found = ignored.find(object.kind);
            if (found == ignored.end()) continue;
            status.problems.push_back({Severity::kNotice, name, object.line, 0, "", "",
                                       "objects of kind " + object.kind +
                                           " are ignored: " + std::to_string(found->second),
                                       ""});
            ignored.erase(found);
        }
        if (const auto found = store_problems_.find(name); found != store_problems_.end()) {
            status.problems.push_back(found->second);
        }
    }
    for (const auto& [key, claims] : claims_) {
        ++status.objects[static_cast<std::size_t>(key.kind)];
        if (claims.front().kept != nullptr) status.kept.push_back(*claims.front().kept);
    }
    for (const ObjectKey& key : contested_) {
        const Claims& claims = claims_.at(key);
        for (std::size_t i = 1; i < claims.size(); ++i) {
            status.problems.push_back(duplicate_problem(claims[i], claims.front()));
        }
    }
    std::ranges::stable_sort(status.problems, [](const Problem& a, const Problem& b) {
        return std::tie(a.file, a.line, a.column) < std::tie(b.file, b.line, b.column);
    });
    std::ranges::sort(status.kept, [](const KeptObject& a, const KeptObject& b) {
        return to_string(a.key) < to_string(b.key);
    });
    return status;
}

} // namespace weir
