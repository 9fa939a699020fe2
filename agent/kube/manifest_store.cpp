// SPDX-License-Identifier: Apache-2.0
// A stored file is one line of JSON, which says what follows, and then the texts as they were.
#include "agent/kube/manifest_store.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iomanip>
#include <iterator>
#include <nlohmann/json.hpp>
#include <sstream>

#include "loader/fd.h"

namespace weir {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr int kVersion = 1;
constexpr std::string_view kExtension = ".saved";

std::int64_t to_seconds(std::chrono::system_clock::time_point time) {
    return std::chrono::duration_cast<std::chrono::seconds>(time.time_since_epoch()).count();
}

json kept_to_json(const KeptObject& kept) {
    return {{"kind", static_cast<int>(kept.key.kind)},
            {"namespace", kept.key.name.ns.get()},
            {"name", kept.key.name.name.get()},
            {"since", to_seconds(kept.since)},
            {"why", kept.why}};
}

KeptObject kept_from_json(const json& from) {
    KeptObject kept;
    kept.key.kind = static_cast<Kind>(from.at("kind").get<int>());
    kept.key.name.ns = Symbol(from.at("namespace").get<std::string>());
    kept.key.name.name = Symbol(from.at("name").get<std::string>());
    kept.since = std::chrono::system_clock::time_point(
        std::chrono::seconds(from.at("since").get<std::int64_t>()));
    kept.why = from.at("why").get<std::string>();
    return kept;
}

json header_of(const StoredFile& stored) {
    json parts = json::array();
    for (const StoredPart& part : stored.parts) {
        json kept = json::array();
        for (const KeptObject& object : part.kept)
            kept.push_back(kept_to_json(object));
        parts.push_back({{"line", part.first_line}, {"size", part.text.size()}, {"kept", kept}});
    }
    return {{"version", kVersion},
            {"file", stored.file},
            {"content", stored.content},
            {"parts", std::move(parts)}};
}

// Throws json::exception when the header is none of ours.
StoredFile parse(std::istream& in) {
    std::string line;
    std::getline(in, line);
    const json header = json::parse(line);
    StoredFile stored;
    if (header.at("version").get<int>() != kVersion) return stored;
    stored.file = header.at("file").get<std::string>();
    stored.content = header.at("content").get<std::uint64_t>();
    for (const json& from : header.at("parts")) {
        StoredPart part;
        part.first_line = from.at("line").get<std::uint32_t>();
        for (const json& kept : from.at("kept"))
            part.kept.push_back(kept_from_json(kept));
        part.text.resize(from.at("size").get<std::size_t>());
        in.read(part.text.data(), static_cast<std::streamsize>(part.text.size()));
        part.text.resize(static_cast<std::size_t>(in.gcount()));
        stored.parts.push_back(std::move(part));
    }
    return stored;
}

json read_header(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    std::string line;
    std::getline(in, line);
    return json::parse(line, nullptr, false);
}

Result<> write_all(int fd, std::string_view data, const std::string& path) {
    while (!data.empty()) {
        const ssize_t written = ::write(fd, data.data(), data.size());
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) return failure_errno("write " + path);
        data.remove_prefix(static_cast<std::size_t>(written));
    }
    return {};
}

} // namespace

std::uint64_t fingerprint(std::string_view text) {
    std::uint64_t hash = 0xcbf29ce484222325; // FNV-1a
    for (const char c : text)
        hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
    return hash;
}

Result<ManifestStore> ManifestStore::open(std::string directory) {
    std::error_code error;
    fs::create_directories(fs::path(directory).parent_path(), error);
    if (::mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST) {
        return failure_errno("create " + directory);
    }
    return ManifestStore(std::move(directory));
}

std::string ManifestStore::path_of(const std::string& file) const {
    std::ostringstream name;
    name << std::hex << std::setw(16) << std::setfill('0') << fingerprint(file);
    return directory_ + "/" + name.str() + std::string(kExtension);
}

Result<StoredFile> ManifestStore::load(const std::string& file) const {
    const std::string path = path_of(file);
    std::ifstream in(path, std::ios::binary);
    if (!in) return StoredFile{};
    try {
        StoredFile stored = parse(in);
        if (stored.file != file) return StoredFile{};
        return stored;
    } catch (const std::exception& error) {
        return failure("read " + path + ": " + error.what());
    }
}

bool ManifestStore::holds(const std::string& file, std::uint64_t content) const {
    const json header = read_header(path_of(file));
    return header.is_object() && header.value("file", "") == file &&
           header.value("content", std::uint64_t{0}) == content &&
           header.value("parts", json::array()).size() == 1;
}

Result<> ManifestStore::save(const StoredFile& stored) const {
    const std::string path = path_of(stored.file);
    // Of this process: an agent that is about to take over reads the same files at the same time.
    const std::string temporary = fmt::format("{}.{}", path, ::getpid());
    const Fd fd(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
    if (!fd.is_open()) return failure_errno("create " + temporary);
    std::string header;
    try {
        header = header_of(stored).dump(-1, ' ', true, json::error_handler_t::replace) + "\n";
    } catch (const std::exception& error) {
        return failure("describe " + stored.file + ": " + error.what());
    }
    Result<> written = write_all(fd.value(), header, temporary);
    for (const StoredPart& part : stored.parts) {
        if (written) written = write_all(fd.value(), part.text, temporary);
    }
    if (!written) return written;
    if (::rename(temporary.c_str(), path.c_str()) != 0) return failure_errno("rename " + temporary);
    return {};
}

void ManifestStore::erase(const std::string& file) const {
    ::unlink(path_of(file).c_str());
}

std::vector<std::string> ManifestStore::files() const {
    std::vector<std::string> files;
    std::error_code error;
    for (fs::directory_iterator entry(directory_, error), end; !error && entry != end;
         entry.increment(error)) {
        if (entry->path().extension() != kExtension) continue;
        const json header = read_header(entry->path());
        if (header.is_object() && header.contains("file"))
            files.push_back(header.value("file", ""));
    }
    return files;
}

void ManifestStore::retain(const std::unordered_set<std::string>& files) const {
    std::unordered_set<std::string> paths;
    for (const std::string& file : files)
        paths.insert(path_of(file));
    std::error_code error;
    for (fs::directory_iterator entry(directory_, error), end; !error && entry != end;
         entry.increment(error)) {
        if (!paths.contains(entry->path())) ::unlink(entry->path().c_str());
    }
}

} // namespace weir
