// SPDX-License-Identifier: Apache-2.0
#include "bench/memory.h"

#include <fmt/core.h>

#include <chrono>
#include <sstream>
#include <thread>

#include "bench/manifests.h"
#include "tests/support/lab.h"

namespace weir::bench {
namespace {

// A field of /proc/PID/status that is in kB; here in MB.
double status_megabytes(pid_t pid, const std::string& field) {
    std::istringstream lines(read_file(fmt::format("/proc/{}/status", pid)));
    for (std::string line; std::getline(lines, line);) {
        if (line.starts_with(field + ":")) return std::stod(line.substr(field.size() + 1)) / 1024;
    }
    return 0;
}

double map_megabytes(const LabNode& node) {
    std::istringstream lines(node.metrics());
    double bytes = 0;
    for (std::string line; std::getline(lines, line);) {
        if (line.starts_with("weir_map_memory_bytes{"))
            bytes += std::stod(line.substr(line.rfind(' ')));
    }
    return bytes / (1024 * 1024);
}

} // namespace

Result<> measure_memory(Report& report, const std::string& name, const WorkloadSize& size,
                        double limit) {
    const Workload workload(size);
    Lab lab;
    LabNode& node = lab.add_node("node-1", Wiring::kRouted);
    write_manifests(workload.everything(), lab.manifests());
    lab.start_agents();
    for (const LocalPod& local : workload.local_pods()) {
        Lab::PodOptions options;
        options.v4 = local.addresses[0].to_string();
        options.v6 = local.addresses[1].to_string();
        LabPod& pod = lab.add_pod(node, local.pod.ns.get() + "/" + local.pod.name.get(), options);
        if (auto added = lab.add_endpoint(pod); !added.ok())
            return failure("weir endpoint add: " + added.err);
    }
    std::this_thread::sleep_for(std::chrono::seconds(10));

    Figure figure;
    figure.name = name;
    figure.value = status_megabytes(node.agent_pid(), "VmRSS");
    figure.unit = "MB";
    figure.limit = limit;
    figure.note = fmt::format("{} pods, {} policies, {} endpoints; peak {:.1f} MB, maps {:.1f} MB",
                              size.pods, size.policies, size.local_pods,
                              status_megabytes(node.agent_pid(), "VmHWM"), map_megabytes(node));
    report.add(figure);
    return {};
}

} // namespace weir::bench
