#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Builds the fuzz targets and runs each for SECONDS. A crash, leak or time-out ends it with a
# non-zero status and leaves the input beside the build, named after the target. New inputs that
# reach new code stay in the build folder; `run.sh SECONDS TARGET...` runs only these targets.
#   WEIR_FUZZ_BUILD   build folder (build/fuzz)
#   WEIR_FUZZ_JOBS    compile jobs (2)
set -euo pipefail

[[ ${1:-} =~ ^[0-9]+$ ]] || { echo "usage: $0 SECONDS [TARGET...]" >&2; exit 2; }
seconds=$1
shift
here=$(cd "$(dirname "$0")" && pwd)
build=${WEIR_FUZZ_BUILD:-$here/../../build/fuzz}
targets=("$@")
(( ${#targets[@]} )) || targets=(manifest_fuzz policy_fuzz)

cmake -G Ninja -S "$here" -B "$build" -DCMAKE_C_COMPILER="${CC:-clang-19}" \
    -DCMAKE_CXX_COMPILER="${CXX:-clang++-19}" >"$build.log" 2>&1 || { cat "$build.log"; exit 2; }
ninja -C "$build" -j "${WEIR_FUZZ_JOBS:-2}" "${targets[@]}"

status=0
for target in "${targets[@]}"; do
    found=$build/corpus/$target
    mkdir -p "$found"
    options=(-max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1
             -artifact_prefix="$build/$target-")
    [[ -f $here/$target.dict ]] && options+=(-dict="$here/$target.dict")
    echo "== $target, $seconds s"
    "$build/$target" "${options[@]}" "$found" "$here/corpus/$target" || status=1
done
exit "$status"
