# SPDX-License-Identifier: Apache-2.0
# Compiler, warnings and sanitizers. Our targets link weir_options; generated code does not.

find_program(CCACHE_PROGRAM ccache)
foreach(language C CXX)
    if(CCACHE_PROGRAM AND NOT CMAKE_${language}_COMPILER_LAUNCHER)
        set(CMAKE_${language}_COMPILER_LAUNCHER ${CCACHE_PROGRAM})
    endif()
endforeach()

# Assertions stay on in every build: an impossible state ends the process, never the policy.
set(CMAKE_CXX_FLAGS_RELWITHDEBINFO "-O2 -g1")
set(CMAKE_C_FLAGS_RELWITHDEBINFO "-O2 -g1")

add_library(weir_options INTERFACE)
target_compile_options(weir_options INTERFACE -Wall -Wextra -Wconversion -Wshadow -Werror)
# What nobody calls is no part of the programs: less to map, less to load.
target_compile_options(weir_options INTERFACE -ffunction-sections -fdata-sections)
target_link_options(weir_options INTERFACE -Wl,--gc-sections)
# Includes are rooted at the repository: "policy/model.h".
target_include_directories(weir_options INTERFACE ${PROJECT_SOURCE_DIR})

if(WEIR_SANITIZE)
    # The address sanitizer reports a null pointer's use too, and what vptr finds it finds as a rule.
    add_compile_options(-fsanitize=address,undefined -fno-sanitize=null,vptr -fno-sanitize-recover=all
                        -fno-omit-frame-pointer)
    # Every test's program is 400 MB with its instrumentation: GNU ld takes half a minute for each.
    add_link_options(-fsanitize=address,undefined -fuse-ld=mold)
endif()
if(CMAKE_CXX_COMPILER_ID STREQUAL Clang)
    # It takes two thirds of g++'s time for the sanitized build. Warnings are g++'s to give: clang has
    # others, some about the inside of libstdc++.
    target_compile_options(weir_options INTERFACE -w)
endif()
