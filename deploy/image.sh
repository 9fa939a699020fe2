#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The image without a container daemon: FOLDER/root, all that is in it, and FOLDER/weir.tar, the
# docker archive that `ctr images import`, `docker load` and `podman load` take. Two programs, the
# libraries that they load, the authorities that browsers trust; no shell, because the chart needs
# none and nobody who breaks in shall find one. Its configuration is the Containerfile's.
#
# Usage: image.sh PROGRAMS FOLDER [NAME:TAG]...   (default tag weir:dev)
set -euo pipefail
programs=$(readlink -f "$1")
out=$2
shift 2
[ $# -gt 0 ] || set -- weir:dev
here=$(dirname "$(readlink -f "$0")")
root=$out/root

die() {
    printf 'image.sh: %s\n' "$*" >&2
    exit 1
}

# The files that the dynamic linker opens for a program, as the program names them.
libraries() {
    local listed
    listed=$(ldd "$1")
    ! grep 'not found' <<<"$listed" >&2 || die "$1 misses libraries: ./dev deps build"
    sed -nE 's/^\s*(\S+ => )?(\/\S+) \(0x.*/\2/p' <<<"$listed"
}

# take FILE: from the host to the same path, itself and not where a link leads
take() { install -D -m "$(stat -Lc %a "$1")" "$(readlink -f "$1")" "$root$1"; }

# Debian's record of a package: its licence, and its version for whoever looks for vulnerable ones
# (the folder that distroless images have).
record() {
    install -D -m 644 "/usr/share/doc/$1/copyright" "$root/usr/share/doc/$1/copyright"
    mkdir -p "$root/var/lib/dpkg/status.d"
    dpkg-query -s "$1" | sed -n '/^Package:/p; /^Status:/p; /^Architecture:/p; /^Source:/p; /^Version:/p' \
        >"$root/var/lib/dpkg/status.d/$1"
}

owner() {
    # Debian 12 installs into /usr/lib what is found through /lib: its database knows either name.
    { dpkg-query -S "$1" || dpkg-query -S "$(readlink -f "$1")"; } 2>/dev/null | head -n 1 | cut -d: -f1
}

rm -rf "$root"
umask 022
mkdir -p "$root"/{etc/ssl/certs,usr/bin,usr/lib/ssl,run,var,tmp,proc,sys,dev}
chmod 1777 "$root/tmp"
ln -s ../run "$root/var/run" # runtimes name a pod's namespace /var/run/netns/...

for program in weir weir-cni; do
    [ -x "$programs/$program" ] || die "no $programs/$program: ./dev build makes it"
    strip -o "$root/usr/bin/$program" "$programs/$program"
done
packages=(ca-certificates)
while read -r library; do
    take "$library"
    package=$(owner "$library")
    [ -n "$package" ] || die "$library belongs to no package: a library of this machine's own"
    packages+=("$package")
done < <(libraries "$programs/weir")

# What Debian ships, without authorities that this machine trusts besides.
find /usr/share/ca-certificates/mozilla -name '*.crt' -print0 | LC_ALL=C sort -z |
    xargs -0 cat >"$root/etc/ssl/certs/ca-certificates.crt"
[ -s "$root/etc/ssl/certs/ca-certificates.crt" ] || die "no authorities: ./dev deps image"
ln -s /etc/ssl/certs/ca-certificates.crt "$root/usr/lib/ssl/cert.pem"
echo 'hosts: files dns' >"$root/etc/nsswitch.conf"
echo 'root:x:0:0:root:/:/usr/bin/weir' >"$root/etc/passwd"
echo 'root:x:0:' >"$root/etc/group"
install -D -m 644 "$here/../LICENSE" "$root/usr/share/doc/weir/copyright"
mapfile -t packages < <(printf '%s\n' "${packages[@]}" | sort -u)
for package in "${packages[@]}"; do record "$package"; done

# words INSTRUCTION: of the Containerfile's JSON array, one a line
words() { sed -nE "s/^$1 \[(.*)\]\$/\1/p" "$here/Containerfile" | tr ',' '\n' | sed -E 's/^ *"(.*)"$/\1/'; }
options=()
for tag in "$@"; do options+=(--tag "$tag"); done
while read -r word; do options+=(--entrypoint "$word"); done < <(words ENTRYPOINT)
while read -r word; do options+=(--command "$word"); done < <(words CMD)
while read -r variable; do options+=(--env "$variable"); done < <(sed -n 's/^ENV //p' "$here/Containerfile")
python3 "$here/archive.py" "$root" "$out/weir.tar" "${options[@]}"
