# SPDX-License-Identifier: Apache-2.0
# Debian's packages that Weir builds on. Nothing is downloaded here; `./dev deps` installs them.

find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
find_package(Boost 1.81 REQUIRED)
find_package(Protobuf REQUIRED)
find_package(gRPC CONFIG REQUIRED)
find_package(prometheus-cpp CONFIG REQUIRED)
find_package(CLI11 CONFIG REQUIRED)
find_package(fmt CONFIG REQUIRED)
find_package(spdlog CONFIG REQUIRED)
find_package(nlohmann_json CONFIG REQUIRED)
find_package(GTest REQUIRED)
find_package(OpenSSL 3.0 REQUIRED)

# tcx needs libbpf 1.3 or newer, which Debian 12 has in backports.
pkg_check_modules(libbpf REQUIRED IMPORTED_TARGET libbpf>=1.4)
pkg_check_modules(libmnl REQUIRED IMPORTED_TARGET libmnl)
pkg_check_modules(yaml REQUIRED IMPORTED_TARGET yaml-0.1)

# What a folder links: weir_policy gets Boost's headers, weir_loader libbpf and libmnl, the agent the
# rest. Spelled once here so that a moved package is changed in one place.
add_library(weir::libbpf ALIAS PkgConfig::libbpf)
add_library(weir::libmnl ALIAS PkgConfig::libmnl)
add_library(weir::yaml ALIAS PkgConfig::yaml)
