// SPDX-License-Identifier: Apache-2.0
#include "tests/support/netns.h"

#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

namespace weir {
namespace {

void require(const CommandResult& result, const std::string& what) {
    if (result.ok()) return;
    std::fprintf(stderr, "%s: %s%s\n", what.c_str(), result.out.c_str(), result.err.c_str());
    std::abort();
}

} // namespace

Netns::Netns(const std::string& name) : name_(prefix() + name) {
    require(run_command({"ip", "netns", "add", name_}), "ip netns add " + name_);
    fd_ = open(path().c_str(), O_RDONLY | O_CLOEXEC);
    ip("link set lo up");
    for (const char* conf : {"default", "all"}) {
        set_sysctl("ipv6/conf/" + std::string(conf) + "/accept_dad", "0");
        set_sysctl("ipv6/conf/" + std::string(conf) + "/forwarding", "1");
        set_sysctl("ipv4/conf/" + std::string(conf) + "/rp_filter", "0");
        set_sysctl("ipv4/conf/" + std::string(conf) + "/send_redirects", "0");
    }
    set_sysctl("ipv4/ip_forward", "1");
}

Netns::~Netns() {
    close(fd_);
    run_command({"ip", "netns", "del", name_});
}

std::string Netns::path() const {
    return "/run/netns/" + name_;
}

void Netns::ip(const std::string& lines) const {
    require(run_command({"ip", "-n", name_, "-batch", "-"}, {.input = lines, .netns = {}}),
            "ip -n " + name_ + " of\n" + lines);
}

CommandResult Netns::try_ip(const Arguments& arguments) const {
    Arguments command{"ip", "-n", name_};
    command.insert(command.end(), arguments.begin(), arguments.end());
    return run_command(command);
}

CommandResult Netns::run(const Arguments& arguments) const {
    return run_command(arguments, {.input = {}, .netns = path()});
}

void Netns::set_sysctl(const std::string& name, const std::string& value) const {
    const bool is_written = inside([&] {
        std::FILE* file = std::fopen(("/proc/sys/net/" + name).c_str(), "w");
        if (file == nullptr) return false;
        std::fputs(value.c_str(), file);
        return std::fclose(file) == 0;
    });
    if (!is_written) {
        std::perror(name.c_str());
        std::abort();
    }
}

std::string Netns::prefix() {
    return "weir-" + std::to_string(getpid()) + "-";
}

void Netns::enter() const {
    if (setns(fd_, CLONE_NEWNET) != 0) {
        std::perror(("setns " + name_).c_str());
        std::abort();
    }
}

} // namespace weir
