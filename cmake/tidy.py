#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""clang-tidy over every C++ file that ships, in parallel, remembering what was clean.

Files that the build compiles as one (WEIR_UNITY) are checked as one: what they share is read once.

usage: tidy.py BUILD_DIRECTORY [PATH_PART...]

They are checked again when their command, .clang-tidy, or any file of the repository or the build tree
that they include has changed; ninja knows which these are. So a second run takes a second.
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


def sources(entry):
    """The files of the repository that a compile command is for."""
    path = pathlib.Path(entry["file"])
    if path.parent.name != "Unity":
        return [path]
    lines = path.read_text().splitlines()
    return [pathlib.Path(line.split('"')[1]) for line in lines if line.startswith("#include")]


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
    dependencies = includes(build)
    pending = []
    for entry in json.loads((build / "compile_commands.json").read_text()):
        files = [str(path.relative_to(ROOT)) for path in sources(entry) if path.is_relative_to(ROOT)]
        if not any(file.split("/")[0] in FOLDERS for file in files):
            continue
        if wanted and not any(part in file for part in wanted for file in files):
            continue
        read = dependencies.get(shlex.split(entry["command"])[-3], []) # -o OBJECT -c FILE
        # Never built: nothing is known of its includes, so it is checked and not remembered.
        stamp = cache / fingerprint(entry["command"], read) if read else None
        if stamp is None or not stamp.exists():
            pending.append((entry["file"], files, stamp))

    failed = 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        jobs = {pool.submit(check, build, file): (files, stamp) for file, files, stamp in pending}
        for job in concurrent.futures.as_completed(jobs):
            clean, output = job.result()
            files, stamp = jobs[job]
            print("clang-tidy", *files, "clean" if clean else "FAILED", flush=True)
            if not clean:
                failed += 1
                print(output, flush=True)
            elif stamp:
                stamp.touch()
    print(f"clang-tidy: {sum(len(files) for _, files, _ in pending)} files checked, {failed} runs failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
