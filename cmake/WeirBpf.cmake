# SPDX-License-Identifier: Apache-2.0
# weir_bpf_object(NAME): NAME.bpf.c -> CO-RE object -> skeleton header "bpf/NAME.skel.h" in the build
# tree (struct NAME_bpf). Whoever includes the header links weir::bpf::NAME.

find_program(WEIR_BPF_CLANG NAMES clang-19 REQUIRED)
find_program(WEIR_BPFTOOL NAMES bpftool PATHS /usr/sbin /sbin REQUIRED)

function(weir_bpf_object name)
    set(source ${CMAKE_CURRENT_SOURCE_DIR}/${name}.bpf.c)
    set(compiled ${CMAKE_CURRENT_BINARY_DIR}/${name}.full.bpf.o)
    set(object ${CMAKE_CURRENT_BINARY_DIR}/${name}.bpf.o)
    set(skeleton ${CMAKE_CURRENT_BINARY_DIR}/${name}.skel.h)

    # <asm/types.h> lives in the multiarch folder, which -target bpf does not search.
    add_custom_command(
        OUTPUT ${compiled}
        COMMAND ${WEIR_BPF_CLANG} -target bpf -mcpu=v3 -g -O2 -std=gnu11 -Wall -Wextra -Werror
                -I${PROJECT_SOURCE_DIR} -idirafter /usr/include/${CMAKE_LIBRARY_ARCHITECTURE}
                -MD -MF ${compiled}.d -MT ${compiled} -c ${source} -o ${compiled}
        DEPENDS ${source}
        DEPFILE ${compiled}.d
        COMMENT "BPF object ${name}"
        VERBATIM)
    # `gen object` leaves BTF and line information and drops DWARF, which nobody loads.
    add_custom_command(
        OUTPUT ${skeleton} ${object}
        COMMAND ${WEIR_BPFTOOL} gen object ${object} ${compiled}
        COMMAND ${WEIR_BPFTOOL} gen skeleton ${object} name ${name}_bpf > ${skeleton}
        DEPENDS ${compiled}
        COMMENT "BPF skeleton ${name}"
        VERBATIM)
    add_custom_target(weir_bpf_${name} DEPENDS ${skeleton})
    add_dependencies(generated weir_bpf_${name})

    add_library(weir_bpf_${name}_skeleton INTERFACE)
    add_library(weir::bpf::${name} ALIAS weir_bpf_${name}_skeleton)
    add_dependencies(weir_bpf_${name}_skeleton weir_bpf_${name})
    # SYSTEM: generated code is not held to our warnings.
    target_include_directories(weir_bpf_${name}_skeleton SYSTEM INTERFACE ${PROJECT_BINARY_DIR})
    target_link_libraries(weir_bpf_${name}_skeleton INTERFACE weir::libbpf)
endfunction()
