# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# How the tests of this folder report: a line per fact, with the time since the start. Meant to be
# sourced. A test may define `evidence`, which prints what helps to understand a failure.

facts_started=${EPOCHREALTIME/[.,]/}

# say WORD...: a fact
say() {
    local ms=$(((${EPOCHREALTIME/[.,]/} - facts_started) / 1000))
    printf '%4d.%03d  %s\n' $((ms / 1000)) $((ms % 1000)) "$*"
}

# fail WORD...: what is not as it must be; ends the test
fail() {
    printf 'FAILED: %s\n' "$*" >&2
    if declare -F evidence >/dev/null; then evidence >&2 || true; fi
    exit 1
}

# within SECONDS WHAT COMMAND...: the command succeeds in time, which WHAT says
within() {
    local seconds=$1 what=$2 deadline
    shift 2
    deadline=$((EPOCHSECONDS + seconds))
    until "$@"; do
        [ "$EPOCHSECONDS" -lt "$deadline" ] || fail "$what, within $seconds s"
        sleep 0.1
    done
    say "$what"
}

quiet() { "$@" &>/dev/null; }
