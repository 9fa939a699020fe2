# SPDX-License-Identifier: Apache-2.0
# weir_add_test(NAME LABEL unit|bpf|net|cni|corpus SOURCES ... [LIBS ...] [TIMEOUT seconds] [ARGS ...])
# One program and one ctest entry. The test finds the rest of the world in its environment:
#   WEIR_PROGRAM      the `weir` program of this build
#   WEIR_SOURCE_DIR   the repository
# Targets tests_unit, tests_bpf, ... build the programs of one label.

set(WEIR_TEST_LABELS unit bpf net cni corpus)
foreach(label ${WEIR_TEST_LABELS})
    add_custom_target(tests_${label})
endforeach()

function(weir_add_test name)
    cmake_parse_arguments(PARSE_ARGV 1 TEST "" "LABEL;TIMEOUT" "SOURCES;LIBS;ARGS")
    if(NOT TEST_LABEL IN_LIST WEIR_TEST_LABELS)
        message(FATAL_ERROR "weir_add_test(${name}): LABEL must be one of ${WEIR_TEST_LABELS}")
    endif()
    if(TEST_UNPARSED_ARGUMENTS)
        message(FATAL_ERROR "weir_add_test(${name}): what is ${TEST_UNPARSED_ARGUMENTS}?")
    endif()
    add_executable(${name} ${TEST_SOURCES})
    target_link_libraries(${name} PRIVATE weir_options ${TEST_LIBS} GTest::gmock GTest::gtest_main)
    # Optimising gtest's expansions takes longer than any test.
    target_compile_options(${name} PRIVATE $<$<CONFIG:RelWithDebInfo>:-O1>)
    set_target_properties(${name} PROPERTIES
        UNITY_BUILD ${WEIR_UNITY} UNITY_BUILD_BATCH_SIZE 4
        RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests)
    add_dependencies(tests_${TEST_LABEL} ${name})
    add_test(NAME ${name} COMMAND ${name} ${TEST_ARGS})
    weir_set_test_properties(${name} ${TEST_LABEL} "${TEST_TIMEOUT}")
    if(TEST_LABEL STREQUAL "bpf") # tests/kernels boots these on other kernels
        set_property(GLOBAL APPEND PROPERTY WEIR_BPF_TESTS ${name})
    endif()
endfunction()

# For entries that are no gtest program (scripts): label, time-out, locks and environment.
function(weir_set_test_properties name label timeout)
    set(defaults_unit 60)
    set(defaults_bpf 300)
    set(defaults_net 300)
    set(defaults_cni 60)
    set(defaults_corpus 900)
    set(defaults_deploy 300)
    set(defaults_kube 900)
    if(NOT timeout)
        set(timeout ${defaults_${label}})
    endif()
    set_tests_properties(${name} PROPERTIES
        LABELS ${label}
        TIMEOUT ${timeout}
        ENVIRONMENT "WEIR_PROGRAM=${CMAKE_RUNTIME_OUTPUT_DIRECTORY}/weir;\
WEIR_SOURCE_DIR=${PROJECT_SOURCE_DIR};\
ASAN_OPTIONS=detect_leaks=1:abort_on_error=0;\
UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1")
    # Namespaces, addresses and timing are the machine's: one of these at a time.
    if(label MATCHES "^(net|cni|kube)$")
        set_tests_properties(${name} PROPERTIES RUN_SERIAL ON)
    elseif(label STREQUAL "bpf")
        set_tests_properties(${name} PROPERTIES RESOURCE_LOCK bpf)
    endif()
endfunction()
