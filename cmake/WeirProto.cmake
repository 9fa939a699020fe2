# SPDX-License-Identifier: Apache-2.0
# weir_proto_library(NAME FILE...): messages and gRPC stubs of the .proto files in this folder, included
# as "<folder>/<file>.pb.h" and "<folder>/<file>.grpc.pb.h", imported in .proto files the same way.

get_target_property(WEIR_GRPC_PLUGIN gRPC::grpc_cpp_plugin LOCATION)

function(weir_proto_library name)
    add_library(${name} STATIC)
    foreach(file ${ARGN})
        cmake_path(RELATIVE_PATH CMAKE_CURRENT_SOURCE_DIR BASE_DIRECTORY ${PROJECT_SOURCE_DIR}
                   OUTPUT_VARIABLE folder)
        cmake_path(REMOVE_EXTENSION file OUTPUT_VARIABLE stem)
        set(base ${PROJECT_BINARY_DIR}/${folder}/${stem})
        set(outputs ${base}.pb.cc ${base}.pb.h ${base}.grpc.pb.cc ${base}.grpc.pb.h)
        add_custom_command(
            OUTPUT ${outputs}
            COMMAND protobuf::protoc --proto_path=${PROJECT_SOURCE_DIR}
                    --cpp_out=${PROJECT_BINARY_DIR} --grpc_out=${PROJECT_BINARY_DIR}
                    --plugin=protoc-gen-grpc=${WEIR_GRPC_PLUGIN}
                    ${CMAKE_CURRENT_SOURCE_DIR}/${file}
            DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${file}
            COMMENT "gRPC stubs of ${folder}/${file}"
            VERBATIM)
        target_sources(${name} PRIVATE ${outputs})
    endforeach()
    add_dependencies(generated ${name})
    target_include_directories(${name} SYSTEM PUBLIC ${PROJECT_BINARY_DIR})
    target_link_libraries(${name} PUBLIC weir_grpc)
endfunction()
