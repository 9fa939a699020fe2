#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The image: made twice it is the same, its programs run in it, and nothing is in it that they do not need.
#
# Usage: image_test.sh BUILD, with WEIR_SOURCE_DIR as ctest sets it; root.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
fail() {
    printf 'FAILED: %s\n' "$*" >&2
    exit 1
}
make() { "$WEIR_SOURCE_DIR/deploy/image.sh" "$1/bin" "$work/$2" example/weir:test; }

make "$1" first
make "$1" second
cmp "$work/first/weir.tar" "$work/second/weir.tar" || fail "the same build gives two images"

# What a runtime unpacks, and how it is told to start it.
mkdir "$work/root"
tar -C "$work" -xf "$work/first/weir.tar"
manifest=$work/manifest.json
[ "$(jq -r '.[0].RepoTags[0]' "$manifest")" = example/weir:test ] || fail "the tag"
tar -C "$work/root" -xf "$work/$(jq -r '.[0].Layers[0]' "$manifest")"
config=$work/$(jq -r '.[0].Config' "$manifest")
[ "$(jq -c '[.config.Entrypoint, .config.Cmd]' "$config")" = '[["/usr/bin/weir"],["agent"]]' ] ||
    fail "the entry point"

[ "$(jq -c .config.Env "$config")" = '["PATH=/usr/bin"]' ] || fail "the environment"
inside() { env -i PATH=/usr/bin:/usr/sbin chroot "$work/root" "$@"; }
[[ $(inside weir version) == weir* ]] || fail "weir does not run in the image"
[[ $(CNI_COMMAND=VERSION chroot "$work/root" /usr/bin/weir-cni <<<'{"cniVersion":"1.1.0"}') == *1.1.0* ]] ||
    fail "weir-cni does not run in the image"
inside sh -c true 2>/dev/null && fail "there is a shell"
grep -q 'BEGIN CERTIFICATE' "$work/root/$(readlink "$work/root/usr/lib/ssl/cert.pem")" ||
    fail "no authorities where OpenSSL looks for them"

# Every file is a program, a library that one of them loads, or the record of where it came from.
loaded=$(chroot "$work/root" /lib64/ld-linux-x86-64.so.2 --list /usr/bin/weir | grep -o '/[^ ]*')
while read -r file; do
    case $file in
    /usr/bin/weir | /usr/bin/weir-cni | /etc/* | /usr/lib/ssl/cert.pem | /var/run | /usr/share/doc/*/copyright | \
        /var/lib/dpkg/status.d/*) ;;
    *) grep -qx "$file" <<<"$loaded" || fail "$file is not needed" ;;
    esac
done < <(cd "$work/root" && find . ! -type d -printf '/%P\n')
size=$(stat -c %s "$work/first/weir.tar")
[ "$size" -le $((40 << 20)) ] || fail "$size bytes are more than 40 MiB"
echo "passed: $size bytes, $(gzip -c "$work/first/weir.tar" | wc -c) compressed"
