# SPDX-License-Identifier: Apache-2.0
# weir_check_headers(NAME FOLDERS ... LIBS ...): a target that compiles every header of the folders
# alone, twice included. Not part of `all`: `./dev lint` builds it.

function(weir_check_headers name)
    cmake_parse_arguments(PARSE_ARGV 1 CHECK "" "" "FOLDERS;LIBS")
    set(units)
    foreach(folder ${CHECK_FOLDERS})
        file(GLOB_RECURSE headers CONFIGURE_DEPENDS RELATIVE ${PROJECT_SOURCE_DIR}
             ${PROJECT_SOURCE_DIR}/${folder}/*.h)
        foreach(header ${headers})
            string(REPLACE "/" "_" unit ${header})
            set(unit ${CMAKE_CURRENT_BINARY_DIR}/${name}/${unit}.cpp)
            file(CONFIGURE OUTPUT ${unit} CONTENT "#include \"${header}\"\n#include \"${header}\"\n")
            list(APPEND units ${unit})
        endforeach()
    endforeach()
    add_library(${name} OBJECT EXCLUDE_FROM_ALL ${units})
    target_compile_options(${name} PRIVATE -O0 -g0)
    target_link_libraries(${name} PRIVATE weir_options ${CHECK_LIBS})
endfunction()
