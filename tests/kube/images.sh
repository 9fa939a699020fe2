#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Makes the images that pods of the tests run, from this machine's own programs, under the names that
# the kubelet and the end-to-end suite ask for.
#
# Usage: images.sh FOLDER, which holds the programs of build.sh; the images go to FOLDER/images.
set -euo pipefail
kube=$(readlink -f "$1")
archive=$(dirname "$(readlink -f "$0")")/../../deploy/archive.py
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$kube/images"

# with_libraries ROOT PROGRAM...: copies programs and the libraries they are linked with
with_libraries() {
    local root=$1 program file
    shift
    for program in "$@"; do
        program=$(command -v "$program")
        { echo "$program" && ldd "$program" | grep -o '/[^ ]*'; } | while read -r file; do
            mkdir -p "$root$(dirname "$file")"
            cp -L "$file" "$root$file"
        done
    done
}

# skeleton ROOT: what every image has
skeleton() {
    mkdir -p "$1"/{bin,etc,tmp,usr/bin,usr/sbin,proc,sys,dev,root}
    chmod 1777 "$1/tmp"
    echo root:x:0:0:root:/root:/bin/sh >"$1/etc/passwd"
    echo root:x:0: >"$1/etc/group"
}

# busybox_links ROOT: every applet that the image has no program of its own for
busybox_links() {
    local applet
    cp "$(command -v busybox)" "$1/bin/busybox"
    for applet in $("$1/bin/busybox" --list); do
        [ -e "$1/bin/$applet" ] || [ -e "$1/usr/bin/$applet" ] || ln -s busybox "$1/bin/$applet"
    done
}

make_pause() {
    skeleton "$work/pause"
    g++ -static -Os -s -o "$work/pause/pause" -x c++ - <<'CPP'
#include <unistd.h>
#include <csignal>
#include <cstdlib>
#include <initializer_list>

int main() {
    for (const int number : {SIGINT, SIGTERM}) {
        std::signal(number, [](int) { std::_Exit(0); });
    }
    for (;;) {
        pause();
    }
}
CPP
    "$archive" "$work/pause" "$kube/images/pause.tar" --entrypoint /pause \
        --tag registry.k8s.io/pause:3.10.1 --tag registry.k8s.io/pause:3.10.2
}

make_busybox() {
    skeleton "$work/busybox"
    busybox_links "$work/busybox"
    "$archive" "$work/busybox" "$kube/images/busybox.tar" --command sh --env PATH=/bin:/usr/bin \
        --tag registry.k8s.io/e2e-test-images/busybox:1.37.0-1 \
        --tag registry.k8s.io/e2e-test-images/busybox:1.36.1-1
}

# The suite calls real programs in it: busybox's nc lacks options that it uses, and its wget, linked
# statically as Debian has it, crashes with -T.
make_agnhost() {
    local module porter
    skeleton "$work/agnhost"
    with_libraries "$work/agnhost" bash curl dig getent ip nc wget
    echo "hosts: files dns" >"$work/agnhost/etc/nsswitch.conf"
    ln -s "$(command -v bash)" "$work/agnhost/bin/sh"
    busybox_links "$work/agnhost"
    cp "$kube/agnhost" "$work/agnhost/agnhost"
    module=$(cd "$(dirname "$archive")/../tests/kube/kubernetes" && go list -m -f '{{.Dir}}' k8s.io/kubernetes)
    for porter in localhost.crt localhost.key; do
        install -m 644 "$module/test/images/agnhost/porter/$porter" "$work/agnhost/$porter"
    done
    "$archive" "$work/agnhost" "$kube/images/agnhost.tar" --entrypoint /agnhost --command pause \
        --env PATH=/bin:/usr/bin:/sbin:/usr/sbin \
        --tag registry.k8s.io/e2e-test-images/agnhost:2.63.0 \
        --tag registry.k8s.io/e2e-test-images/agnhost:2.55 \
        --tag registry.k8s.io/e2e-test-images/glibc-dns-testing:2.0.0 # asked for dig and getent
}

for image in pause busybox agnhost; do
    "make_$image"
done
