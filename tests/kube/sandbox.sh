# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# Starts the script that sources it again in namespaces of its own, which vanish with all that runs in
# them, however it ends; there, work is a folder of its own. Meant to be sourced first, with the
# script's arguments. WEIR_SANDBOX_ROOT: where the folder is made (/tmp).
if [ -z "${WEIR_KUBE_WORK:-}" ]; then
    WEIR_KUBE_WORK=$(mktemp -d "${WEIR_SANDBOX_ROOT:-/tmp}/weir-kube-XXXXXX")
    export WEIR_KUBE_WORK
    unshare --net --mount --pid --fork --kill-child bash "$(readlink -f "$0")" "$@" &
    inside=$!
    # With the one process that made them, the namespaces and all that runs in them are gone. It has
    # ended already, as a rule.
    trap 'kill -9 $inside 2>/dev/null || true; wait $inside 2>/dev/null || true; rm -rf "$WEIR_KUBE_WORK"' EXIT
    trap 'exit 130' INT TERM HUP
    wait $inside
    exit
fi
# shellcheck disable=SC2034  # for the script
work=$WEIR_KUBE_WORK
mount -t proc proc /proc
mount -t tmpfs tmpfs /run
mkdir -p /run/netns
ip link set lo up
