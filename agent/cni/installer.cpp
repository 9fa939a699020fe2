// SPDX-License-Identifier: Apache-2.0
#include "agent/cni/installer.h"

#include <fcntl.h>
#include <spdlog/spdlog.h>
#include <sys/inotify.h>

#include <boost/asio/io_context.hpp>
#include <chrono>
#include <utility>

namespace weir {
namespace {

constexpr std::chrono::milliseconds kSettle{20}; // several files in one go
constexpr std::chrono::seconds kRetry{5};
constexpr std::uint32_t kChanges =
    IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_DELETE_SELF | IN_MOVE_SELF;

} // namespace

CniInstaller::CniInstaller(boost::asio::io_context& context, CniPlaces places)
    : places_(std::move(places)), events_(context), timer_(context) {}

Result<> CniInstaller::start() {
    if (!is_enabled()) return {};
    auto inotify = Inotify::open();
    if (!inotify) return std::unexpected(std::move(inotify.error()));
    inotify_ = std::move(*inotify);
    boost::system::error_code error;
    events_.assign(::fcntl(inotify_->fd(), F_DUPFD_CLOEXEC, 0), error);
    if (error) return failure_errno("watch the CNI configuration", error.value());
    if (auto watching = watch(); !watching) return watching;
    wait();
    return install();
}

Result<> CniInstaller::watch() {
    for (const auto& folder : {places_.conf_dir, places_.bin_dir})
        if (auto watched = inotify_->watch(folder.string(), kChanges); !watched) return watched;
    return {};
}

void CniInstaller::wait() {
    events_.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                       [this](const boost::system::error_code& error) {
                           if (error) return; // the installer ends
                           inotify_->drain([](const FileEvent&) {});
                           mend_after(kSettle);
                           wait();
                       });
}

void CniInstaller::mend_after(std::chrono::milliseconds delay) {
    timer_.expires_after(delay);
    timer_.async_wait([this](const boost::system::error_code& error) {
        if (!error) mend();
    });
}

// A folder that was removed and made anew is another one to watch.
void CniInstaller::mend() {
    auto done = watch();
    if (done) done = install();
    if (done) return;
    problem_ = "new pods may start without Weir: " + done.error().what;
    is_chained_ = false;
    spdlog::error("{}", problem_);
    mend_after(kRetry);
}

Result<> CniInstaller::install() {
    const auto installed = install_cni(places_);
    if (!installed) return std::unexpected(installed.error());
    const bool was_chained = std::exchange(is_chained_, !installed->conflist.empty());
    problem_ = is_chained_ ? ""
                           : "no CNI configuration in " + places_.conf_dir.string() +
                                 " yet: weir-cni is chained when the cluster's CNI writes one";
    if (!is_chained_) {
        spdlog::warn("{}", problem_);
    } else if (installed->is_changed) {
        spdlog::info("weir-cni is chained in {}", installed->conflist.string());
        if (was_chained) ++mended_;
    }
    return {};
}

} // namespace weir
