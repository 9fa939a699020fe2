#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Runs each fuzz target for SECONDS. A crash, leak or time-out ends it with a non-zero status and leaves
# the input in the folder of the programs, named after the target; new inputs that reach new code stay
# there too.
#
# Usage: run.sh PROGRAMS SECONDS [TARGET...]
set -euo pipefail

programs=${1:-}
seconds=${2:-}
[[ -d $programs && $seconds =~ ^[0-9]+$ ]] || { echo "usage: $0 PROGRAMS SECONDS [TARGET...]" >&2; exit 2; }
shift 2
here=$(cd "$(dirname "$0")" && pwd)
targets=("$@")
(( ${#targets[@]} )) || targets=(manifest_fuzz policy_fuzz)

status=0
for target in "${targets[@]}"; do
    found=$programs/corpus/$target
    mkdir -p "$found"
    options=(-max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1
             -artifact_prefix="$programs/$target-")
    [[ -f $here/$target.dict ]] && options+=(-dict="$here/$target.dict")
    echo "== $target, $seconds s"
    "$programs/$target" "${options[@]}" "$found" "$here/corpus/$target" || status=1
done
exit "$status"
