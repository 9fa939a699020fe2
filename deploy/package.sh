#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The Debian package of a build, by CPack; prints its path. The same build gives the same bytes: all
# files have the time of the changelog.
#
# Usage: package.sh BUILD FOLDER
set -euo pipefail
build=$1
mkdir -p "$2"
out=$(readlink -f "$2")
debian=$(dirname "$(readlink -f "$0")")/debian

SOURCE_DATE_EPOCH=$(dpkg-parsechangelog -l "$debian/changelog" -S Timestamp)
export SOURCE_DATE_EPOCH
rm -f "$out"/weir_*.deb
cpack --config "$build/CPackConfig.cmake" -B "$out" >"$out/cpack.log" 2>&1 ||
    { cat "$out/cpack.log" >&2 && exit 1; }
rm -rf "$out/_CPack_Packages"
ls "$out"/weir_*.deb
