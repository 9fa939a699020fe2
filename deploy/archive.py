#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes a container image of one layer from a folder, without a container daemon: a docker archive,
as `ctr images import`, `docker load` and `podman load` take it. The same content gives the same
bytes: entries are sorted, owned by root and carry one time (SOURCE_DATE_EPOCH, or 0)."""

import argparse
import datetime
import hashlib
import io
import json
import os
import platform
import sys
import tarfile

ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


def layer(root, mtime):
    """The folder as an uncompressed tar file, in memory."""

    def normalised(entry):
        entry.uid = entry.gid = 0
        entry.uname = entry.gname = ""
        entry.mtime = mtime
        return entry

    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for folder, folders, files in os.walk(root):
            folders.sort()
            links = [name for name in folders if os.path.islink(os.path.join(folder, name))]
            names = sorted(files + links)
            relative = os.path.relpath(folder, root)
            if relative != ".":
                tar.add(folder, relative, recursive=False, filter=normalised)
            for name in names:
                path = os.path.join(folder, name)
                tar.add(path, os.path.normpath(os.path.join(relative, name)), filter=normalised)
    return out.getvalue()


def add(tar, name, content, mtime):
    entry = tarfile.TarInfo(name)
    entry.size = len(content)
    entry.mtime = mtime
    entry.mode = 0o644
    tar.addfile(entry, io.BytesIO(content))


def dump(value):
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def archive(options, mtime):
    content = layer(options.root, mtime)
    digest = hashlib.sha256(content).hexdigest()
    created = datetime.datetime.fromtimestamp(mtime, datetime.timezone.utc)
    config = dump(
        {
            "architecture": options.architecture,
            "os": "linux",
            "created": created.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "config": {
                "Entrypoint": options.entrypoint or None,
                "Cmd": options.command or None,
                "Env": options.env,
                "User": options.user,
                "WorkingDir": "/",
                "Labels": dict(label.split("=", 1) for label in options.label),
            },
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}"]},
            "history": [{"created": created.strftime("%Y-%m-%dT%H:%M:%SZ"), "created_by": "weir"}],
        }
    )
    name = hashlib.sha256(config).hexdigest()
    manifest = [{"Config": f"{name}.json", "RepoTags": options.tag, "Layers": [f"{digest}.tar"]}]
    partial = f"{options.output}.part"
    with tarfile.open(partial, "w") as tar:
        add(tar, f"{digest}.tar", content, mtime)
        add(tar, f"{name}.json", config, mtime)
        add(tar, "manifest.json", dump(manifest), mtime)
    os.replace(partial, options.output)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("root", help="the folder that becomes the image's /")
    parser.add_argument("output", help="the archive, FILE.tar")
    parser.add_argument("--tag", action="append", required=True, help="NAME:TAG, also several")
    parser.add_argument("--entrypoint", action="append", default=[], help="a word of it, in order")
    parser.add_argument("--command", action="append", default=[], help="a word of it, in order")
    parser.add_argument("--env", action="append", default=[], help="NAME=VALUE")
    parser.add_argument("--label", action="append", default=[], help="NAME=VALUE")
    parser.add_argument("--user", default="", help="UID[:GID] (default: root)")
    parser.add_argument(
        "--architecture",
        default=ARCHITECTURES.get(platform.machine(), platform.machine()),
        help="as Go calls it (default: this machine's, %(default)s)",
    )
    options = parser.parse_args()
    if not os.path.isdir(options.root):
        sys.exit(f"archive.py: no folder {options.root}")
    for option, values in (("--env", options.env), ("--label", options.label)):
        for value in values:
            if "=" not in value:
                sys.exit(f"archive.py: {option} {value}: write NAME=VALUE")
    archive(options, int(os.environ.get("SOURCE_DATE_EPOCH", "0")))


if __name__ == "__main__":
    main()
