// SPDX-License-Identifier: Apache-2.0
// Two nodes, a service whose backends are a pod on each, and a client. The client's node balances
// for this test's own cgroup.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "tests/support/lab.h"
#include "tests/support/test_cgroup.h"

namespace weir {

// TCP port 80 and UDP port 53. spec: further fields of it, each of which ends its line.
std::string service_yaml(const std::string& name, const std::string& v4, const std::string& v6,
                         const std::string& spec = {});
// Both families of the pods, as endpoints of the Service.
std::string slices_yaml(const std::string& service, const std::vector<const LabPod*>& pods);
// A route that splits web's TCP traffic between the Services old and new.
std::string split_yaml(int old_weight, int new_weight);

// Where the client's node balances, "Connections": where a process connects; "Packets": packet by
// packet at its pod alone.
class ServicesNetTest : public testing::TestWithParam<const char*> {
protected:
    ServicesNetTest();

    LabPod& add(LabNode& node, const std::string& name);
    static bool is_per_packet() { return std::string_view(GetParam()) == "Packets"; }
    void start_near();

    // "46" when both families answer.
    std::string reach(int protocol = IPPROTO_TCP, std::uint16_t port = 80) const;
    // Connections that each backend of web's TCP port was given, by address.
    std::map<std::string, int> opened() const;
    // That of web's TCP port.
    nlohmann::json backend_of(const std::string& address) const;
    // Of so many connections, those that were answered.
    int answered(int times) const;
    void connect(int times) const { EXPECT_EQ(answered(times), times); }

    test::TestCgroup cgroup_;
    Lab lab_;
    LabNode& far_;
    LabNode& near_;
    LabPod& one_; // on the other node
    LabPod& two_; // on the client's
    LabPod& client_;
};

// For INSTANTIATE_TEST_SUITE_P.
inline constexpr auto kWayName = [](const auto& way) { return std::string(way.param); };

} // namespace weir
