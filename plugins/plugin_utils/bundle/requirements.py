# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run needs of the machine it runs on: programs, room, a connection. Looked at before anything is started."""

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
from .errors import BundleError
from .process import Runner
from .staleness import Step

MB = 1_000_000
# Debian packages by program
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
# Megabytes that a step writes: into the bundle, into the work folder, into Go's caches when nothing is in them yet.
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
class Needs:
    """What is missing."""

    packages: list[str] = field(default_factory=list)  # Debian's names
    problems: list[str] = field(default_factory=list)  # one sentence each, with the remedy


def programs_for(steps: Iterable[Step], machine: str) -> list[str]:
    """Programs that *steps* call. Pure.

    :param machine: this machine's architecture, Go's name.
    """
    found: list[str] = []
    for step in steps:
        found += BY_KIND.get(step.kind, ())
        if step.kind == "c_build" or (step.kind == "go_build" and step.inputs["cgo"]):
            architecture = step.inputs["architecture"]
            found.append("gcc" if architecture == machine else golang.COMPILERS[architecture])
    return sorted(set(found))


def room_for(steps: Iterable[Step], cached: Container[str] = ()) -> tuple[int, int, int]:
    """Megabytes that *steps* need: in the bundle, in the work folder, in Go's caches. Pure.

    :param cached: keys of builds whose modules are in Go's cache already.
    """
    bundle = work = go = scratch = 0
    for step in steps:
        if step.kind == "go_build":
            in_bundle, in_work, in_go = ROOM_GO.get(step.inputs["name"], (0, 100, 500))
            work += in_work  # programs stay until packages and images are made of them
            go += 0 if step.key in cached else in_go
        else:
            in_bundle, in_work, in_go = ROOM.get(step.kind, (0, 0, 0))
            scratch = max(scratch, in_work)
        bundle += in_bundle
    return bundle, work + scratch, go


def check(steps: Sequence[Step], root: Path, locks: Path, machine: str, run: Runner) -> Needs:
    """Look at everything that *steps* need. Changes nothing."""
    needs = Needs()
    for program in programs_for(steps, machine):
        if not shutil.which(program):
            _want(needs, PROGRAMS[program], f"{program} is not installed")
    if any(step.kind == "go_build" and step.inputs["cgo"] for step in steps):
        for path, package in FILES.items():
            if not Path(path).exists():
                _want(needs, package, f"{path} is not there, which runc and flannel are built with")
    for step in steps:
        if step.hints.get("file") and not Path(step.hints["file"]).exists():
            needs.problems.append(
                f"{step.inputs.get('target', step.inputs.get('name'))} is to be taken again from {step.hints['file']}, which is not there any more: "
                "bring it back, or leave it out with bundle_prune: true."
            )
    builds = [step for step in steps if step.kind == "go_build"]
    cached: list[str] = []
    folders = {"the bundle": root.parent}
    if builds:
        cached = _check_go(builds, locks, needs, run, folders)
    if any(
        step.kind in ("fetch_package", "fetch_manifest") or str(step.hints.get("source", "")).startswith("docker://")
        for step in steps
    ):
        _check_connection(steps, needs)
    _check_room(room_for(list(steps), cached), folders, needs)
    return needs


def _want(needs: Needs, package: str, what: str) -> None:
    if package not in needs.packages:
        needs.packages.append(package)
        needs.problems.append(f"{what}: apt-get install {package}.")


def _check_go(builds: Sequence[Step], locks: Path, needs: Needs, run: Runner, folders: dict[str, Path]) -> list[str]:
    """Is Go there and new enough, are modules cached or can they be had; returns keys of builds that need no download."""
    wanted = max(golang.needed_go((locks / _name(step) / "go.mod").read_text(encoding="utf-8")) for step in builds)
    text = ".".join(str(part) for part in wanted)
    if not shutil.which("go"):
        needs.problems.append(
            f"Go is not installed: bundle_origin go_modules needs Go {text} or newer in PATH (https://go.dev/dl/)."
        )
        return []
    environment = run(
        ["go", "env", "GOVERSION", "GOMODCACHE", "GOCACHE", "GOPROXY"],
        what="asking Go for its settings",
        env={"GOTOOLCHAIN": "local"},
    ).splitlines()
    version, modules, cache, proxy = (environment + [""] * 4)[:4]
    if tuple(int(part) for part in re.findall(r"\d+", version)[:3]) < wanted:
        needs.problems.append(
            f"Go is too old: {version or 'unknown'} in {shutil.which('go')}, the builds need {text} or newer (https://go.dev/dl/)."
        )
    folders["Go's modules"], folders["Go's build cache"] = Path(modules), Path(cache)
    cached = [
        step.key
        for step in builds
        if _module_there(Path(modules), golang.origin_of((locks / _name(step) / "go.mod").read_text(encoding="utf-8")))
    ]
    fresh = next((step for step in builds if step.key not in cached), None)
    if fresh is not None:
        module = golang.origin_of((locks / _name(fresh) / "go.mod").read_text(encoding="utf-8"))
        with tempfile.TemporaryDirectory(prefix="slipway-go-") as folder:
            try:
                run(
                    ["go", "list", "-m", module],
                    what=f"asking {proxy} for {module}",
                    cwd=Path(folder),
                    env={"GOTOOLCHAIN": "local", "GOFLAGS": "-mod=mod"},
                    timeout=60.0,
                )
            except BundleError as error:
                needs.problems.append(
                    f"Go modules cannot be fetched: {error}. Set GOPROXY to a proxy that answers, or unpack a bundle that was made elsewhere."
                )
    return cached


def _name(step: Step) -> str:
    return f"{step.inputs['name']}-{step.inputs['version']}"


def _module_there(modules: Path, origin: str) -> bool:
    """Whether a module's archive is in Go's cache (capital letters are written as ! and a small one)."""
    name, _at, version = origin.partition("@")
    escaped = re.sub(r"[A-Z]", lambda letter: f"!{letter.group().lower()}", name)
    return (modules / "cache" / "download" / escaped / "@v" / f"{version}.zip").is_file()


def _check_connection(steps: Sequence[Step], needs: Needs) -> None:
    """Does upstream answer at all; any answer counts."""
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
            needs.problems.append(
                f"{address} cannot be reached ({getattr(error, 'reason', error)}): bundle_origin upstream needs a connection. "
                "Use bundle_origin: go_modules, set https_proxy, or unpack a bundle that was made elsewhere."
            )


def _check_room(room: tuple[int, int, int], folders: dict[str, Path], needs: Needs) -> None:
    """Enough free space on every file system, needs on the same one added up."""
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
            needs.problems.append(
                f"The disk that holds {path} has {free} MB free, the build needs {amount} MB there ({', '.join(names)}): "
                "make room, or set SLIPWAY_CACHE to another disk."
            )
