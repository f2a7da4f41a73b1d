# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run requires of this machine: programs, disk space, a connection. Checked before any step is started."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
import urllib.error
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ansible.module_utils.urls import open_url

from . import golang
from .names import BundleError
from .process import Runner
from .staleness import BuildStep

MB = 1_000_000
# Debian packages by the program that they provide
PROGRAMS = {
    "apt-ftparchive": "apt-utils",
    "dpkg-deb": "dpkg",
    "gpg": "gnupg",
    "gpgconf": "gnupg",
    "gpgv": "gpgv",
    "mmdebstrap": "mmdebstrap",
    "skopeo": "skopeo",
    "tar": "tar",
    "zstd": "zstd",
    "gcc": "gcc",
    "aarch64-linux-gnu-gcc": "gcc-aarch64-linux-gnu",
    "x86_64-linux-gnu-gcc": "gcc-x86-64-linux-gnu",
}
BY_KIND = {
    "tools": ("mmdebstrap", "zstd"),
    "package": ("dpkg-deb",),
    "program": ("dpkg-deb",),
    "image": ("zstd",),
    "copy_image": ("skopeo",),
    "fetch_package": ("gpg", "gpgv"),
    "repositories": ("apt-ftparchive", "gpg", "gpgconf"),
}
FILES = {"/usr/include/seccomp.h": "libseccomp-dev", "/usr/include/stdlib.h": "libc6-dev"}
# Megabytes that a step writes to the bundle, to the work folder, and to empty Go caches.
ROOM = {
    "tools": (0, 250, 0),
    "package": (45, 220, 0),
    "program": (60, 60, 0),
    "image": (25, 120, 0),
    "copy_image": (120, 400, 0),
    "fetch_package": (40, 0, 0),
    "repositories": (1, 5, 0),
}
ROOM_GO = {
    "kubernetes": (0, 700, 3900),
    "metrics-server": (0, 80, 1100),
    "coredns": (0, 80, 2200),
    "containerd": (0, 90, 1100),
    "flannel": (0, 60, 900),
    "etcd": (0, 70, 500),
    "runc": (0, 15, 200),
    "cni-plugins": (0, 70, 250),
    "helm": (0, 70, 1500),
    "kwok": (0, 70, 1200),
}


@dataclass
class Missing:
    """What this machine lacks."""

    packages: list[str] = field(default_factory=list)  # names of Debian packages
    problems: list[str] = field(default_factory=list)  # one sentence each, including the remedy


def programs_for(steps: Iterable[BuildStep], machine: str) -> list[str]:
    """Return the programs that *steps* call. Pure.

    :param machine: the architecture of this machine, as Go names it.
    """
    found: list[str] = []
    for step in steps:
        found += BY_KIND.get(step.kind, ())
        if step.kind == "c_build" or (step.kind == "go_build" and step.inputs["cgo"]):
            architecture = step.inputs["architecture"]
            found.append("gcc" if architecture == machine else golang.COMPILERS[architecture])
    return sorted(set(found))


def room_for(steps: Iterable[BuildStep], cached: Container[str] = ()) -> tuple[int, int, int]:
    """Return the megabytes that *steps* require in the bundle, in the work folder and in Go's caches. Pure.

    :param cached: keys of builds whose modules are already in Go's cache.
    """
    bundle = work = go = scratch = 0
    for step in steps:
        if step.kind == "go_build":
            in_bundle, in_work, in_go = ROOM_GO.get(step.inputs["name"], (0, 100, 500))
            work += in_work  # programs are kept until packages and images are built from them
            go += 0 if step.key in cached else in_go
        else:
            in_bundle, in_work, in_go = ROOM.get(step.kind, (0, 0, 0))
            scratch = max(scratch, in_work)
        bundle += in_bundle
    return bundle, work + scratch, go


def check(steps: Sequence[BuildStep], root: Path, locks: Path, machine: str, run: Runner) -> Missing:
    """Check everything that *steps* require. Changes nothing."""
    missing = Missing()
    for program in programs_for(steps, machine):
        if not shutil.which(program):
            _require(missing, PROGRAMS[program], f"{program} is not installed")
    if any(step.kind == "go_build" and step.inputs["cgo"] for step in steps):
        for path, package in FILES.items():
            if not Path(path).exists():
                _require(missing, package, f"{path}, required to build runc and flannel, does not exist")
    for step in steps:
        if step.hints.get("file") and not Path(step.hints["file"]).exists():
            missing.problems.append(
                f"{step.inputs.get('target', step.inputs.get('name'))} must be copied again from {step.hints['file']}, which no longer exists. "
                "Restore the file, or remove the item from the bundle with bundle_prune: true."
            )
    builds = [step for step in steps if step.kind == "go_build"]
    cached: list[str] = []
    folders = {"the bundle": root.parent}
    if builds:
        cached = _check_go(builds, locks, missing, run, folders)
    if any(
        step.kind in ("fetch_package", "fetch_manifest") or str(step.hints.get("source", "")).startswith("docker://")
        for step in steps
    ):
        _check_connection(steps, missing)
    _check_room(room_for(list(steps), cached), folders, missing)
    return missing


def _require(missing: Missing, package: str, what: str) -> None:
    if package not in missing.packages:
        missing.packages.append(package)
        missing.problems.append(f"{what}: apt-get install {package}.")


def _check_go(
    builds: Sequence[BuildStep], locks: Path, missing: Missing, run: Runner, folders: dict[str, Path]
) -> list[str]:
    """Check that Go is installed and recent enough, and that modules are cached or can be downloaded.

    :returns: keys of the builds that require no download.
    """
    wanted = max(golang.needed_go((locks / _name(step) / "go.mod").read_text(encoding="utf-8")) for step in builds)
    text = ".".join(str(part) for part in wanted)
    if not shutil.which("go"):
        missing.problems.append(
            f"Go is not installed: bundle_origin go_modules requires Go {text} or later in PATH (https://go.dev/dl/)."
        )
        return []
    environment = run(
        ["go", "env", "GOVERSION", "GOMODCACHE", "GOCACHE", "GOPROXY"],
        what="reading the settings of Go",
        env={"GOTOOLCHAIN": "local"},
    ).splitlines()
    version, modules, cache, proxy = (environment + [""] * 4)[:4]
    if tuple(int(part) for part in re.findall(r"\d+", version)[:3]) < wanted:
        missing.problems.append(
            f"Go is too old: {version or 'unknown'} in {shutil.which('go')}, the builds require {text} or later (https://go.dev/dl/)."
        )
    folders["Go's modules"], folders["Go's build cache"] = Path(modules), Path(cache)
    cached = [
        step.key
        for step in builds
        if _is_cached(Path(modules), golang.origin_of((locks / _name(step) / "go.mod").read_text(encoding="utf-8")))
    ]
    fresh = next((step for step in builds if step.key not in cached), None)
    if fresh is not None:
        module = golang.origin_of((locks / _name(fresh) / "go.mod").read_text(encoding="utf-8"))
        with tempfile.TemporaryDirectory(prefix="slipway-go-") as folder:
            try:
                run(
                    ["go", "list", "-m", module],
                    what=f"querying {proxy} for {module}",
                    cwd=Path(folder),
                    env={"GOTOOLCHAIN": "local", "GOFLAGS": "-mod=mod"},
                    timeout=60.0,
                )
            except BundleError as error:
                missing.problems.append(
                    f"Go modules cannot be fetched: {error}. Set GOPROXY to a proxy that can be reached, or unpack a bundle that was built elsewhere."
                )
    return cached


def _name(step: BuildStep) -> str:
    return f"{step.inputs['name']}-{step.inputs['version']}"


def _is_cached(modules: Path, origin: str) -> bool:
    """Return whether a module's archive is in Go's cache (an upper-case letter is stored as ! and its lower-case letter)."""
    name, _at, version = origin.partition("@")
    escaped = re.sub(r"[A-Z]", lambda letter: f"!{letter.group().lower()}", name)
    return (modules / "cache" / "download" / escaped / "@v" / f"{version}.zip").is_file()


def _check_connection(steps: Sequence[BuildStep], missing: Missing) -> None:
    """Check that upstream's servers can be reached; any HTTP status counts."""
    addresses = [step.inputs["source"]["key"] for step in steps if step.kind == "fetch_package"]
    addresses += [
        f"https://{step.inputs['name'].split('/')[0]}/v2/"
        for step in steps
        if str(step.hints.get("source", "")).startswith("docker://")
    ]
    for address in dict.fromkeys("/".join(address.split("/")[:3]) + "/" for address in addresses):
        try:
            with open_url(address, timeout=10):
                pass
        except urllib.error.HTTPError:
            pass
        except (OSError, ValueError) as error:
            missing.problems.append(
                f"{address} cannot be reached ({getattr(error, 'reason', error)}): bundle_origin upstream requires a connection. "
                "Use bundle_origin: go_modules, set https_proxy, or unpack a bundle that was built elsewhere."
            )


def _check_room(room: tuple[int, int, int], folders: dict[str, Path], missing: Missing) -> None:
    """Check the free space of every file system, for the sum of what is required on it."""
    bundle, work, go = room
    wanted = {"the bundle": bundle + work, "Go's modules": go // 3, "Go's build cache": go * 2 // 3}
    by_device: dict[int, tuple[int, list[str], Path]] = {}
    for what, folder in folders.items():
        there = next(path for path in [folder, *folder.parents] if path.exists())
        device = os.stat(there).st_dev
        amount, names, _path = by_device.get(device, (0, [], there))
        by_device[device] = (amount + wanted[what], [*names, f"{what} {wanted[what]} MB"], there)
    for amount, names, path in by_device.values():
        free = shutil.disk_usage(path).free // MB
        if free < amount:
            missing.problems.append(
                f"The disk that holds {path} has {free} MB free, but the build requires {amount} MB there ({', '.join(names)}). "
                "Free some space, or set SLIPWAY_CACHE to a folder on another disk."
            )
