#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The Debian package, installed by dpkg on this system in an overlay that vanishes with the test: it
# starts nothing, its program enforces, its removal takes all of that off, its purge leaves nothing.
#
# Usage: package_test.sh BUILD, with WEIR_SOURCE_DIR as ctest sets it; root.
set -euo pipefail
if [ -z "${WEIR_PACKAGE_WORK:-}" ]; then
    WEIR_PACKAGE_WORK=$(mktemp -d)
    export WEIR_PACKAGE_WORK
    trap 'rm -rf "$WEIR_PACKAGE_WORK"' EXIT
    unshare --net --mount --pid --fork --kill-child bash "$(readlink -f "$0")" "$@"
    exit
fi
work=$WEIR_PACKAGE_WORK
root=$work/root
fail() {
    printf 'FAILED: %s\n' "$*" >&2
    exit 1
}

package=$("$WEIR_SOURCE_DIR/deploy/package.sh" "$1" "$work/first")
again=$("$WEIR_SOURCE_DIR/deploy/package.sh" "$1" "$work/second")
cmp "$package" "$again" || fail "the same build gives two packages"

mount -t proc proc /proc # so that no process of others is seen
mkdir -p "$root"
mount -t tmpfs tmpfs "$root"
mkdir -p "$root"/{upper,work,system}
mount -t overlay overlay -o "lowerdir=/,upperdir=$root/upper,workdir=$root/work" "$root/system"
system=$root/system
mount -t proc proc "$system/proc"
mount -t sysfs sysfs "$system/sys"
mount -t bpf bpf "$system/sys/fs/bpf"
mount -t tmpfs tmpfs "$system/run"
mount --rbind /dev "$system/dev"
ip link set lo up
inside() { chroot "$system" "$@"; }
# Whatever the package or its programs may write.
files() {
    (cd "$system" && find etc lib/systemd opt usr/bin usr/share run/weir sys/fs/bpf ! -name '*.debug' \
        2>/dev/null) | sort || true # not all of them are there before
}
conflist=$system/etc/cni/net.d/10-test.conflist
mkdir -p "$(dirname "$conflist")" "$system/opt/cni/bin"
echo '{"cniVersion":"1.0.0","name":"test","plugins":[{"type":"bridge"}]}' >"$conflist"
cp "$conflist" "$work/conflist"

files >"$work/before"
cp "$package" "$system/tmp/weir.deb"
inside dpkg -i /tmp/weir.deb >"$work/dpkg.log" 2>&1 || { cat "$work/dpkg.log" >&2 && fail "dpkg -i"; }
[ -z "$(inside find /etc/systemd -name 'weir.service')" ] || fail "the service is enabled without being asked"
pgrep -x weir >/dev/null && fail "something was started"
inside weir version >/dev/null || fail "weir does not run"
if command -v systemd-analyze >/dev/null; then
    said=$(inside systemd-analyze verify /lib/systemd/system/weir.service 2>&1 | grep weir.service || true)
    [ -z "$said" ] || fail "the unit: $said"
fi

# As the unit would start it, with what the administrator set.
mkdir -p "$system/etc/weir/manifests"
printf 'WEIR_MANIFESTS=/etc/weir/manifests\nWEIR_CNI_CONF_DIR=/etc/cni/net.d\n' >>"$system/etc/default/weir"
chroot "$system" sh -c 'set -a; . /etc/default/weir; exec weir agent --node-name n1' &>"$work/agent.log" &
agent=$!
for ((i = 0; i < 100; ++i)); do
    inside weir status >/dev/null 2>&1 && grep -q weir-cni "$conflist" && break
    sleep 0.1
done
inside weir status >/dev/null || { cat "$work/agent.log" >&2 && fail "the agent does not enforce"; }
grep -q weir-cni "$conflist" || fail "weir-cni is not in the chain"
inside dpkg -r weir &>"$work/dpkg.log" && fail "the package is removed while an agent runs that nobody can stop"
grep -q 'agent (pid' "$work/dpkg.log" || { cat "$work/dpkg.log" >&2 && fail "the refusal names the agent"; }
kill $agent
wait $agent || true
[ -d "$system/sys/fs/bpf/weir" ] || fail "policy does not stay in force without the agent"

inside dpkg -r weir &>"$work/dpkg.log" || { cat "$work/dpkg.log" >&2 && fail "dpkg -r"; }
cmp "$conflist" "$work/conflist" || fail "the CNI configuration is not as it was"
[ ! -d "$system/sys/fs/bpf/weir" ] || fail "pins are left"
[ -f "$system/etc/default/weir" ] || fail "removal keeps the administrator's file"
inside dpkg -P weir &>"$work/dpkg.log" || { cat "$work/dpkg.log" >&2 && fail "dpkg -P"; }
rm -r "$system/etc/weir"
diff "$work/before" <(files) || fail "something is left"
echo "passed: $(stat -c %s "$package") bytes"
