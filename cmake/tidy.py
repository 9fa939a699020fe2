#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""clang-tidy over every C++ file that ships, in parallel, remembering what was clean.

usage: tidy.py BUILD_DIRECTORY [PATH_PART...]

A file is checked again when its command, .clang-tidy, or any file of the repository or the build tree
that it includes has changed; ninja knows which these are. So a second run takes a second.
"""
import concurrent.futures
import hashlib
import json
import os
import pathlib
import shlex
import subprocess
import sys

TIDY = "clang-tidy-19"
ROOT = pathlib.Path(__file__).resolve().parent.parent
CONFIGURATION = ROOT / ".clang-tidy"
FOLDERS = ("policy", "loader", "agent")  # what ships


def includes(build):
    """Object file -> the files it was built from, system headers left out."""
    listing = subprocess.run(["ninja", "-C", build, "-t", "deps"], capture_output=True, text=True)
    result, current = {}, []
    for line in listing.stdout.splitlines():
        if line and not line.startswith(" "):
            current = result.setdefault(line.split(":")[0], [])
        elif line.strip():
            path = (build / line.strip()).resolve()
            if path.is_relative_to(ROOT):
                current.append(path)
    return result


def commands(build):
    """The compile commands, with those that compile several files as one taken apart."""
    result = []
    for entry in json.loads((build / "compile_commands.json").read_text()):
        if "/Unity/" not in entry["file"]:
            result.append(entry)
            continue
        for line in pathlib.Path(entry["file"]).read_text().splitlines():
            if line.startswith("#include"):
                source = line.split('"')[1]
                command = entry["command"].replace(entry["file"], source)
                result.append({**entry, "file": source, "command": command})
    return result


def fingerprint(command, files):
    digest = hashlib.sha256(command.encode())
    for path in [CONFIGURATION, *sorted(set(files))]:
        digest.update(str(path).encode() + (path.read_bytes() if path.exists() else b""))
    return digest.hexdigest()


def check(folder, source):
    # -w: warnings are the compiler's that builds it; clang has others, some about libstdc++ itself.
    command = [TIDY, "-p", folder, "--quiet", "--extra-arg=-w", source]
    run = subprocess.run(command, capture_output=True, text=True)
    return run.returncode == 0, run.stdout


def main():
    build = pathlib.Path(sys.argv[1]).resolve()
    wanted = sys.argv[2:]
    cache = build / "tidy"
    cache.mkdir(exist_ok=True)
    entries = commands(build)
    (cache / "compile_commands.json").write_text(json.dumps(entries))
    dependencies = includes(build)
    pending = {}
    for entry in entries:
        source = pathlib.Path(entry["file"])
        if not any(source.is_relative_to(ROOT / folder) for folder in FOLDERS):
            continue
        if wanted and not any(part in str(source) for part in wanted):
            continue
        files = dependencies.get(shlex.split(entry["command"])[-3], [])
        files = dependencies.get(entry.get("output", ""), files)
        # Never built: nothing is known of its includes, so it is checked and not remembered.
        stamp = cache / fingerprint(entry["command"], files) if files else None
        if stamp is None or not stamp.exists():
            pending[source] = stamp

    failed = 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        jobs = {pool.submit(check, cache, source): source for source in pending}
        for job in concurrent.futures.as_completed(jobs):
            clean, output = job.result()
            source = jobs[job]
            print("clang-tidy", source.relative_to(ROOT), "clean" if clean else "FAILED", flush=True)
            if not clean:
                failed += 1
                print(output, flush=True)
            elif pending[source]:
                pending[source].touch()
    print(f"clang-tidy: {len(pending)} files checked, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
