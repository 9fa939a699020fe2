# SPDX-License-Identifier: Apache-2.0
# `cmake --install`, and the Debian package by CPack: `./dev package`. The files of the package that
# are nothing else are in deploy/debian.

include(GNUInstallDirs)
set(packaging ${PROJECT_SOURCE_DIR}/deploy/debian)
set(generated ${PROJECT_BINARY_DIR}/package)

# weir-cni beside weir, where `weir install` looks for it.
install(TARGETS weir weir-cni RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(FILES ${packaging}/weir.service DESTINATION /lib/systemd/system)
install(FILES ${packaging}/weir.default DESTINATION /etc/default RENAME weir)
install(FILES ${packaging}/copyright DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(FILES ${packaging}/lintian-overrides DESTINATION ${CMAKE_INSTALL_DATADIR}/lintian/overrides
        RENAME weir)

# Debian wants documents compressed, without a time in them.
foreach(document README.md deploy/debian/changelog)
    cmake_path(GET document FILENAME name)
    add_custom_command(OUTPUT ${generated}/${name}.gz
        COMMAND gzip -9nc ${PROJECT_SOURCE_DIR}/${document} > ${generated}/${name}.gz
        DEPENDS ${PROJECT_SOURCE_DIR}/${document}
        VERBATIM)
    list(APPEND documents ${generated}/${name}.gz)
endforeach()
add_custom_command(OUTPUT ${generated}/weir.bash-completion
    COMMAND weir completion bash > ${generated}/weir.bash-completion
    DEPENDS weir
    VERBATIM)
add_custom_target(package_files ALL DEPENDS ${documents} ${generated}/weir.bash-completion)
install(FILES ${documents} DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(FILES ${generated}/weir.bash-completion
        DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions RENAME weir)

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME weir)
set(CPACK_PACKAGE_CONTACT "The Weir authors <weir@localhost>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "Network policy of Kubernetes nodes, in the kernel")
set(CPACK_DEBIAN_PACKAGE_DESCRIPTION
"Weir enforces NetworkPolicy, cluster policy and identity rules with eBPF
at the host side of each pod's veth, below any CNI plugin that makes one,
and records what every connection did.

This package has the agent, its command line and the CNI plugin weir-cni.")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION net)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_DEPENDS "init-system-helpers (>= 1.54)")
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS ca-certificates)
set(CPACK_DEBIAN_COMPRESSION_TYPE xz)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA
    ${packaging}/conffiles ${packaging}/postinst ${packaging}/postrm ${packaging}/prerm)
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS
    OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
include(CPack)
