#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Boots Debian's cloud kernels in qemu (software emulation) with an initramfs that holds the bpf tests
# and nothing else, and runs them there: 6.1 is the floor (clsact), 6.12 has tcx.
# Needs qemu-system-x86, cpio, busybox-static. usage: run.sh [KERNEL...], as in 6.1 6.12
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")
build=$(readlink -f "$here/../..")/build
cache=$build/kernels
tests=${WEIR_KERNEL_TESTS:-$build/tests/bpf_tests.txt}
# Those that the tests' own namespaces need, in the order of their dependencies.
modules="llc stp bridge dummy veth sch_ingress cls_bpf act_bpf inet_diag tcp_diag udp_diag"
seconds=1200

say() { printf '==> %s\n' "$*"; }
die() {
    printf 'kernels: %s\n' "$*" >&2
    exit 1
}

# The package with the newest kernel of a series, as Debian's metapackage names it.
package_of() {
    local meta=linux-image-$1-cloud-amd64
    [ "$1" != 6.1 ] || meta=linux-image-cloud-amd64 # Debian 12's own series has no number
    apt-cache depends "$meta" 2>/dev/null | sed -n 's/^ *Depends: \(linux-image-[0-9]\)/\1/p' |
        head -n 1
}

# Unpacks the kernel's package once, to $cache/PACKAGE.
fetch() {
    [ -d "$cache/$1" ] && return
    say "downloading $1"
    rm -rf "$cache/new" && mkdir -p "$cache/new"
    (cd "$cache/new" && apt-get -q -o APT::Sandbox::User=root download "$1" &&
        dpkg-deb -x ./*.deb . && rm ./*.deb)
    mv "$cache/new" "$cache/$1"
}

# add_program ROOT PROGRAM FOLDER: copies a program and the shared libraries it needs.
add_program() {
    local root=$1 program=$2 library
    install -D "$program" "$root/$3/$(basename "$program")"
    strip --strip-debug "$root/$3/$(basename "$program")"
    ldd "$program" | sed -n 's/.*=> \(\/[^ ]*\).*/\1/p; s/^[[:space:]]*\(\/[^ ]*\) (.*/\1/p' |
        while read -r library; do
            [ -e "$root$library" ] || install -D "$library" "$root$library"
        done
}

# make_root FOLDER KERNEL-FOLDER
make_root() {
    local root=$1 kernel=$2 module file program
    mkdir -p "$root"/{bin,proc,sys,dev,tmp,run,modules,tests}
    install "$(command -v busybox)" "$root/bin/busybox"
    install "$here/init" "$root/init"
    for program in ip tc; do # busybox's own ip knows no netns
        add_program "$root" "$(command -v "$program")" sbin
    done
    for module in $modules; do
        file=$(find "$kernel" -name "$module.ko*" | head -n 1)
        [ -n "$file" ] || die "no module $module in $kernel"
        case $file in
        *.xz) busybox unxz <"$file" >"$root/modules/$module.ko" ;;
        *) cp "$file" "$root/modules/$module.ko" ;;
        esac
        echo "$module" >>"$root/modules/order"
    done
    while read -r program; do
        [ -z "$program" ] || add_program "$root" "$program" tests
    done <"$tests"
}

# Boots one kernel; the console is the report, and its last line the result.
boot() {
    local kernel=$1 work=$2
    (cd "$work/root" && find . | cpio --quiet -o -H newc | gzip -1) >"$work/initramfs"
    timeout "$seconds" qemu-system-x86_64 -accel tcg,thread=multi -cpu max -smp 2 -m 3072 \
        -nodefaults -nographic -serial stdio -no-reboot \
        -kernel "$(find "$kernel/boot" -name 'vmlinuz-*')" -initrd "$work/initramfs" \
        -append "console=ttyS0 quiet panic=-1 mitigations=off random.trust_cpu=on" \
        </dev/null | tr -d '\r\033' | tee "$work/console"
    grep -q '^kernel tests: passed' "$work/console"
}

grep -qs . "$tests" || die "$tests names no test: build first (./dev test kernels)"
[ $# -gt 0 ] || set -- 6.1 6.12
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=
for series in "$@"; do
    package=$(package_of "$series")
    if [ -z "$package" ] && [ "$(id -u)" -eq 0 ]; then
        apt-get update -q
        package=$(package_of "$series")
    fi
    [ -n "$package" ] || die "apt knows no cloud kernel $series (apt-get update?)"
    fetch "$package"
    rm -rf "${work:?}/root" && make_root "$work/root" "$cache/$package"
    say "booting $package"
    started=$SECONDS
    if boot "$cache/$package" "$work"; then result=passed; else result=FAILED failed+=" $series"; fi
    say "kernel $series: $result in $((SECONDS - started)) s"
done
[ -z "$failed" ] || die "failed on$failed"
say "all kernels passed: $*"
