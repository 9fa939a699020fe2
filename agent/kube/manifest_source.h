// SPDX-License-Identifier: Apache-2.0
// Desired state from a directory of manifests: reads it, watches it with inotify and reports each
// change. Files are read when they are closed after writing or renamed into place, never half
// written; a ConfigMap mount's symlink swap is one change.
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "agent/kube/source.h"
#include "loader/result.h"

namespace boost::asio {
class io_context;
}

namespace weir {

struct ManifestOptions {
    std::string directory;
    // Where the last valid versions survive a restart (<run-dir>/manifests). Empty: nowhere.
    std::string state_directory;
    // Events closer together than this are one change ...
    std::chrono::milliseconds quiet{10};
    // ... but none waits longer than this.
    std::chrono::milliseconds patience{50};
};

class ManifestSource : public Source {
public:
    ManifestSource(boost::asio::io_context& context, ManifestOptions options, OnChange on_change,
                   OnProblem on_problem = {});
    ~ManifestSource() override;
    ManifestSource(const ManifestSource&) = delete;
    ManifestSource& operator=(const ManifestSource&) = delete;

    // Reads the whole directory, calls on_change with it before it returns (even when it is empty)
    // and watches from then on. Fails when the directory cannot be read or inotify is exhausted. A
    // directory that vanishes later is reported, keeps its state in force and is picked up again.
    Result<> start() override;
    void stop();

    SourceStatus status() const override;

private:
    class Watcher;
    std::unique_ptr<Watcher> watcher_;
};

} // namespace weir
