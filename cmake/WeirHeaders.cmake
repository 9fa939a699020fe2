# SPDX-License-Identifier: Apache-2.0
# weir_check_headers(NAME FOLDERS ... LIBS ...): a target that compiles alone, twice included, every
# header of the folders that is not the first include of its own .cpp: those are compiled alone by
# the build itself. Not part of `all`: `./dev lint` builds it.

# Whether x.cpp exists beside x.h and includes it before anything else.
function(weir_is_first_include result header)
    string(REGEX REPLACE "\\.h$" ".cpp" source ${PROJECT_SOURCE_DIR}/${header})
    set(first)
    if(EXISTS ${source})
        file(STRINGS ${source} first REGEX "^#include" LIMIT_COUNT 1)
    endif()
    if(first STREQUAL "#include \"${header}\"")
        set(${result} TRUE PARENT_SCOPE)
    else()
        set(${result} FALSE PARENT_SCOPE)
    endif()
endfunction()

function(weir_check_headers name)
    cmake_parse_arguments(PARSE_ARGV 1 CHECK "" "" "FOLDERS;LIBS")
    set(units)
    foreach(folder ${CHECK_FOLDERS})
        file(GLOB_RECURSE headers CONFIGURE_DEPENDS RELATIVE ${PROJECT_SOURCE_DIR}
             ${PROJECT_SOURCE_DIR}/${folder}/*.h)
        foreach(header ${headers})
            weir_is_first_include(is_checked ${header})
            if(is_checked)
                continue()
            endif()
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
