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

# gRPC, protobuf and abseil are linked statically: fifty shared libraries, each with its own data,
# relocations and start-up code, cost the agent 3.4 MB resident.
pkg_check_modules(grpc REQUIRED grpc++_unsecure protobuf)
list(FILTER grpc_STATIC_LIBRARIES INCLUDE REGEX "^(grpc|gpr|absl|protobuf)")
set(grpc_files)
# Debian's grpc++_unsecure.pc leaves out what the core library itself needs.
foreach(name ${grpc_STATIC_LIBRARIES} upb address_sorting re2 cares z)
    find_library(grpc_file_${name} lib${name}.a REQUIRED)
    mark_as_advanced(grpc_file_${name})
    list(APPEND grpc_files ${grpc_file_${name}})
endforeach()
list(REMOVE_DUPLICATES grpc_files)
list(JOIN grpc_files "," grpc_files)
add_library(weir_grpc INTERFACE)
target_link_libraries(weir_grpc INTERFACE "$<LINK_GROUP:RESCAN,${grpc_files}>" Threads::Threads)

# What a folder links: weir_policy gets Boost's headers, weir_loader libbpf and libmnl, the agent the
# rest. Spelled once here so that a moved package is changed in one place.
add_library(weir::libbpf ALIAS PkgConfig::libbpf)
add_library(weir::libmnl ALIAS PkgConfig::libmnl)
add_library(weir::yaml ALIAS PkgConfig::yaml)
