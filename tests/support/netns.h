// SPDX-License-Identifier: Apache-2.0
// Named network namespaces for tests, configured by iproute2. Names carry the process id, so that
// runs do not collide; a namespace goes with its object.
#pragma once

#include <string>
#include <thread>
#include <utility>

#include "tests/support/lab_process.h"

namespace weir {

class Netns {
public:
    // Loopback up, forwarding on, no duplicate address detection, no reverse path filter. Failures
    // end the test program.
    explicit Netns(const std::string& name);
    ~Netns();
    Netns(const Netns&) = delete;
    Netns& operator=(const Netns&) = delete;

    const std::string& name() const { return name_; } // as `ip netns` knows it
    std::string path() const;
    // Lines for `ip -batch`; a failure ends the test program.
    void ip(const std::string& lines) const;
    // One `ip` command that may fail.
    CommandResult try_ip(const Arguments& arguments) const;
    CommandResult run(const Arguments& arguments) const;
    // name: "ipv4/ip_forward"
    void set_sysctl(const std::string& name, const std::string& value) const;

    // Calls the function on a thread that is inside. Sockets it opens stay inside for ever.
    template <typename Function>
    auto inside(Function&& function) const {
        using Value = decltype(function());
        Value value{};
        std::thread([&] {
            enter();
            value = function();
        }).join();
        return value;
    }

    // The beginning of the names of this process's namespaces.
    static std::string prefix();

private:
    void enter() const;

    std::string name_;
    int fd_ = -1;
};

} // namespace weir
