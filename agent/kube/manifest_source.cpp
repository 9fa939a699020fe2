// SPDX-License-Identifier: Apache-2.0
// Events only say where to look: they collect for a moment, then the files they name are read as
// they are by then. So a rewrite between event and read ends in the final content, and a lost event
// (overflow) in a rescan of everything.
#include "agent/kube/manifest_source.h"

#include <sys/inotify.h>
#include <sys/stat.h>

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cerrno>
#include <iterator>
#include <optional>
#include <set>
#include <unordered_set>
#include <utility>

#include "agent/kube/inotify.h"
#include "agent/kube/manifest_files.h"
#include "agent/kube/manifest_set.h"

namespace weir {
namespace {

namespace asio = boost::asio;
using Clock = std::chrono::steady_clock;
using namespace std::chrono_literals;

constexpr std::uint32_t kFolderEvents = IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_CREATE |
                                        IN_DELETE | IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF |
                                        IN_ONLYDIR;
constexpr std::uint32_t kTargetEvents = IN_CLOSE_WRITE | IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF;
constexpr std::uint32_t kGone = IN_DELETE_SELF | IN_MOVE_SELF | IN_UNMOUNT;

// How often to look for a directory that has vanished, and how long one that is back may take to
// fill before a file that is not in it counts as deleted.
constexpr auto kReturnPoll = 250ms;
constexpr auto kReturnSettle = 1s;

std::string parent_of(const std::string& path) {
    const std::size_t slash = path.rfind('/');
    if (slash == path.npos) return ".";
    return slash == 0 ? "/" : path.substr(0, slash);
}

std::string_view name_of(std::string_view path) {
    return path.substr(path.rfind('/') + 1);
}

bool is_folder(const std::string& path) {
    struct stat info{};
    return ::stat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode);
}

// A new name whose content is complete at once: a symbolic link, or a hard link to a finished file.
bool is_link(const std::string& path) {
    struct stat info{};
    return ::lstat(path.c_str(), &info) == 0 && (S_ISLNK(info.st_mode) || info.st_nlink > 1);
}

} // namespace

class ManifestSource::Watcher {
public:
    Watcher(asio::io_context& context, ManifestOptions options, OnChange on_change,
            OnProblem on_problem)
        : options_(std::move(options)),
          on_change_(std::move(on_change)),
          on_problem_(std::move(on_problem)),
          events_(context),
          timer_(context) {
        options_.directory = normal_directory(options_.directory);
    }

    Result<> start();
    void stop();
    SourceStatus status() const;

private:
    Result<> open_store();
    void wait();
    void take(const FileEvent& event);
    void take_folder(const FileEvent& event, const std::string& path);
    void relink();
    void schedule(Clock::duration delay);
    void process();
    void vanish();
    void look_for_return();
    void scan_all();
    void scan(const std::string& folder);
    void read(const std::string& path);
    void watch_target(const std::string& path);
    void deliver(bool is_first);
    std::vector<std::string> known_below(const std::string& folder) const;
    void watch_error(const Error& error);

    ManifestOptions options_;
    OnChange on_change_;
    OnProblem on_problem_;
    std::optional<ManifestStore> store_;
    std::optional<ManifestSet> set_;
    std::optional<Inotify> inotify_;
    asio::posix::stream_descriptor events_;
    asio::steady_timer timer_;
    std::optional<Clock::time_point> first_event_; // of those that wait
    std::set<std::string> dirty_;                  // files and folders to read
    std::set<std::string> links_;                  // manifests that are symbolic links
    std::shared_ptr<bool> alive_; // null when stopped: a handler may be queued already
    bool wants_rescan_ = false;
    bool is_watched_ = false;
    bool has_synced_ = false;
    std::optional<Absence> away_;    // while the directory is missing
    std::optional<Problem> problem_; // with the watches on the directory
};

Result<> ManifestSource::Watcher::open_store() {
    if (options_.state_directory.empty()) {
        set_.emplace();
        return {};
    }
    auto store = ManifestStore::open(options_.state_directory);
    if (!store) return std::unexpected(store.error());
    store_.emplace(std::move(*store));
    set_.emplace(&*store_);
    return {};
}

Result<> ManifestSource::Watcher::start() {
    const std::string& directory = options_.directory;
    struct stat info{};
    if (::stat(directory.c_str(), &info) != 0) {
        return failure_errno("read the manifests in " + directory +
                             " (create the directory, or name another with --manifests)");
    }
    if (!S_ISDIR(info.st_mode)) return failure(directory + " is no directory: name one");
    if (Result<> opened = open_store(); !opened) return opened;
    auto inotify = Inotify::open();
    if (!inotify) return std::unexpected(inotify.error());
    inotify_.emplace(std::move(*inotify));
    alive_ = std::make_shared<bool>(true);
    is_watched_ = true;
    scan_all();
    if (problem_) return failure(problem_->what);
    if (store_) {
        const std::vector<std::string> files = set_->files();
        store_->retain({files.begin(), files.end()});
    }
    // The descriptor is inotify_'s: stop() takes it back before it is closed.
    boost::system::error_code error;
    events_.assign(inotify_->fd(), error);
    if (error) return failure("watch " + directory + ": " + error.message());
    wait();
    deliver(true);
    return {};
}

void ManifestSource::Watcher::stop() {
    alive_.reset();
    timer_.cancel();
    if (events_.is_open()) events_.release(); // cancels the wait
    inotify_.reset();
}

void ManifestSource::Watcher::wait() {
    events_.async_wait(
        asio::posix::stream_descriptor::wait_read,
        [this, alive = std::weak_ptr<bool>(alive_)](const boost::system::error_code& error) {
            if (error || alive.expired()) return; // stopped
            inotify_->drain([this](const FileEvent& event) { take(event); });
            wait();
        });
}

void ManifestSource::Watcher::take(const FileEvent& event) {
    if ((event.mask & IN_IGNORED) != 0) return;
    if ((event.mask & IN_Q_OVERFLOW) != 0) {
        wants_rescan_ = true;
        return schedule(options_.quiet);
    }
    const std::string& directory = options_.directory;
    // The parent is watched for the directory's own name only.
    const bool is_parent = event.folder == parent_of(directory) && event.folder != directory;
    const bool is_directory =
        is_parent ? event.name == name_of(directory)
                  : event.folder == directory && event.name.empty() && (event.mask & kGone) != 0;
    if (is_directory) {
        wants_rescan_ = true;
        return schedule(options_.quiet);
    }
    if (is_parent) return;
    if (event.name.empty()) { // a link's target, or a folder that goes
        if (links_.contains(event.folder)) return relink();
        if ((event.mask & IN_ATTRIB) != 0) dirty_.insert(event.folder);
        return schedule(options_.quiet);
    }
    if (event.name.starts_with("..")) return relink();
    if (!is_folder_name(event.name)) return;
    const std::string path = event.folder + "/" + event.name;
    if ((event.mask & IN_ISDIR) != 0) return take_folder(event, path);
    const bool is_folder_link = (event.mask & (IN_CREATE | IN_MOVED_TO)) != 0 && is_folder(path);
    if (is_folder_link) return take_folder(event, path);
    if (!is_manifest_name(event.name)) {
        if ((event.mask & (IN_DELETE | IN_MOVED_FROM)) != 0) take_folder(event, path);
        return;
    }
    // A file that is being created is read when it is closed.
    if ((event.mask & IN_CREATE) != 0 && !is_link(path)) return;
    dirty_.insert(path);
    schedule(options_.quiet);
}

void ManifestSource::Watcher::take_folder(const FileEvent& event, const std::string& path) {
    if ((event.mask & (IN_MOVED_FROM | IN_DELETE)) != 0) {
        inotify_->forget(path);
        for (const std::string& file : known_below(path))
            dirty_.insert(file);
    } else {
        dirty_.insert(path);
    }
    schedule(options_.quiet);
}

// A ConfigMap mount swaps its ..data link: everything behind a link may be another file now.
void ManifestSource::Watcher::relink() {
    dirty_.insert(links_.begin(), links_.end());
    schedule(options_.quiet);
}

void ManifestSource::Watcher::schedule(Clock::duration delay) {
    const auto now = Clock::now();
    if (!first_event_) first_event_ = now;
    const auto latest = std::max<Clock::time_point>(*first_event_ + options_.patience, now);
    const auto due = delay > options_.patience ? now + delay : std::min(now + delay, latest);
    timer_.expires_at(due);
    timer_.async_wait(
        [this, alive = std::weak_ptr<bool>(alive_)](const boost::system::error_code& error) {
            if (!error && !alive.expired()) process();
        });
}

void ManifestSource::Watcher::process() {
    first_event_.reset();
    if (!is_folder(options_.directory)) return vanish();
    if (!is_watched_) return look_for_return();
    if (std::exchange(wants_rescan_, false)) {
        dirty_.clear();
        scan_all();
    }
    for (const std::string& path : std::exchange(dirty_, {})) {
        if (is_folder(path)) {
            scan(path);
        } else if (is_manifest_name(name_of(path))) {
            read(path);
        }
    }
    deliver(false);
}

// What was in the directory stays in force: nobody has deleted a policy by unmounting a volume.
void ManifestSource::Watcher::vanish() {
    dirty_.clear();
    wants_rescan_ = true;
    inotify_->forget(options_.directory);
    if (is_watched_) {
        is_watched_ = false;
        away_ = Absence{std::chrono::system_clock::now(),
                        "the folder of manifests has vanished; create it again"};
        if (on_problem_) {
            on_problem_({Severity::kError, options_.directory, 0, 0, "", "",
                         "the directory has vanished: what was in it stays in force",
                         "create it again"});
        }
    }
    schedule(kReturnPoll);
}

void ManifestSource::Watcher::look_for_return() {
    is_watched_ = true;
    away_.reset();
    wants_rescan_ = true;
    schedule(kReturnSettle);
}

void ManifestSource::Watcher::scan_all() {
    problem_.reset();
    links_.clear();
    // Another directory may have taken its place: the old one's events are none of ours any more.
    inotify_->forget(options_.directory);
    // Fails for a directory whose parent may not be read; then only the poll sees it return.
    static_cast<void>(inotify_->watch(parent_of(options_.directory),
                                      IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE));
    scan(options_.directory);
}

void ManifestSource::Watcher::scan(const std::string& folder) {
    const ManifestTree tree = list_manifests(folder, [this](const std::string& path) {
        const Result<> watched = inotify_->watch(path, kFolderEvents);
        if (!watched && watched.error().code != ENOENT) watch_error(watched.error());
    });
    links_.insert(tree.links.begin(), tree.links.end());
    const std::vector<std::string> known = known_below(folder);
    std::vector<std::string> missing;
    std::ranges::set_difference(known, tree.files, std::back_inserter(missing));
    for (const auto& unreadable : tree.unreadable) {
        if (unreadable.path == options_.directory) {
            watch_error({0, "read " + unreadable.path + ": " + unreadable.why});
        }
        for (const std::string& file : known) {
            if (!file.starts_with(unreadable.path + "/")) continue;
            set_->fail(file, "its folder cannot be read: " + unreadable.why,
                       std::chrono::system_clock::now());
            std::erase(missing, file);
        }
    }
    for (const std::string& file : missing)
        read(file);
    for (const std::string& file : tree.files)
        read(file);
}

void ManifestSource::Watcher::read(const std::string& path) {
    if (links_.contains(path) || is_link(path)) watch_target(path);
    FileContent content = read_manifest(path);
    const auto now = std::chrono::system_clock::now();
    switch (content.state) {
        case FileContent::State::kRead:
            return set_->update(path, std::move(content.text), now);
        case FileContent::State::kMissing:
            if (links_.erase(path) != 0) inotify_->forget(path);
            return set_->remove(path);
        case FileContent::State::kBusy: // closing it brings the next event
            if (!set_->contains(path)) set_->fail(path, "is being written", now);
            return;
        case FileContent::State::kUnreadable:
            return set_->fail(path, content.text, now);
    }
}

// The folder's watch sees the link, not the file behind it.
void ManifestSource::Watcher::watch_target(const std::string& path) {
    struct stat info{};
    if (::lstat(path.c_str(), &info) != 0 || !S_ISLNK(info.st_mode)) return;
    links_.insert(path);
    static_cast<void>(inotify_->watch(path, kTargetEvents)); // dangling: the link's own events do
}

std::vector<std::string> ManifestSource::Watcher::known_below(const std::string& folder) const {
    std::vector<std::string> files = set_->files();
    // At the start what is known is what an earlier agent knew.
    if (files.empty() && store_) files = store_->files();
    std::erase_if(files, [&](const std::string& file) { return !file.starts_with(folder + "/"); });
    std::ranges::sort(files);
    return files;
}

void ManifestSource::Watcher::watch_error(const Error& error) {
    problem_ = Problem{Severity::kError,
                       options_.directory,
                       0,
                       0,
                       "",
                       "",
                       error.what,
                       "changes may go unnoticed until it is corrected"};
    if (on_problem_) on_problem_(*problem_);
}

void ManifestSource::Watcher::deliver(bool is_first) {
    Change change = set_->take_change();
    if (on_problem_) {
        for (const Problem& problem : set_->take_problems())
            on_problem_(problem);
    } else {
        static_cast<void>(set_->take_problems());
    }
    if (is_first || !change.is_empty()) on_change_(std::move(change));
    has_synced_ = true;
    if (store_) set_->save();
}

SourceStatus ManifestSource::Watcher::status() const {
    ManifestStatus manifests = set_ ? set_->status() : ManifestStatus{};
    if (problem_) manifests.problems.insert(manifests.problems.begin(), *problem_);
    return {.name = "manifests " + options_.directory,
            .has_synced = has_synced_,
            .waiting_for = "",
            .away = away_,
            .problems = std::move(manifests.problems),
            .kept = std::move(manifests.kept)};
}

ManifestSource::ManifestSource(asio::io_context& context, ManifestOptions options,
                               OnChange on_change, OnProblem on_problem)
    : watcher_(std::make_unique<Watcher>(context, std::move(options), std::move(on_change),
                                         std::move(on_problem))) {}

ManifestSource::~ManifestSource() {
    watcher_->stop();
}

Result<> ManifestSource::start() {
    return watcher_->start();
}

void ManifestSource::stop() {
    watcher_->stop();
}

SourceStatus ManifestSource::status() const {
    return watcher_->status();
}

} // namespace weir
