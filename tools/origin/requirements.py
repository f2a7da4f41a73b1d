# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a build requires of this machine: programs, Go and its modules, disk space. Checked before any step is started."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Container, Iterable, Sequence
from pathlib import Path

from ansible_collections.slipway.kube.plugins.plugin_utils.bundle.names import BundleError
from ansible_collections.slipway.kube.plugins.plugin_utils.bundle.process import Runner
from ansible_collections.slipway.kube.plugins.plugin_utils.bundle.requirements import (
    PROGRAMS as SHARED_PROGRAMS,
)
from ansible_collections.slipway.kube.plugins.plugin_utils.bundle.requirements import (
    Missing,
    check_files,
    check_programs,
    check_room,
)
from ansible_collections.slipway.kube.plugins.plugin_utils.bundle.staleness import BuildStep

from . import golang

# Debian packages by the program that they provide
PROGRAMS = {
    **SHARED_PROGRAMS,
    "dpkg-deb": "dpkg",
    "mmdebstrap": "mmdebstrap",
    "rpmbuild": "rpm",
    "rpmsign": "rpm",
    "gcc": "gcc",
    "aarch64-linux-gnu-gcc": "gcc-aarch64-linux-gnu",
    "x86_64-linux-gnu-gcc": "gcc-x86-64-linux-gnu",
}
BY_KIND = {
    "tools": ("mmdebstrap", "zstd"),
    "image": ("zstd",),
    "copy_image": ("skopeo",),
    "repositories": ("apt-ftparchive", "gpg", "gpgconf"),
}
FILES = {"/usr/include/seccomp.h": "libseccomp-dev", "/usr/include/stdlib.h": "libc6-dev"}
# Megabytes that a step writes to the origin and to the work folder.
ROOM = {
    "tools": (0, 250),
    "package": (30, 220),
    "program": (60, 60),
    "image": (25, 120),
    "copy_image": (120, 400),
    "repositories": (1, 200),
}
# The same of a build: work folder, and empty Go caches.
ROOM_GO = {
    "kubernetes": (700, 3900),
    "metrics-server": (80, 1100),
    "coredns": (80, 2200),
    "containerd": (90, 1100),
    "flannel": (60, 900),
    "etcd": (70, 500),
    "runc": (15, 200),
    "cni-plugins": (70, 250),
    "cri-tools": (40, 300),
    "helm": (70, 1500),
    "kwok": (70, 1200),
    "cosign": (150, 1500),
    "cert-manager": (300, 2000),
    "kyverno": (600, 3500),
    "metallb": (110, 300),
    "local-path-provisioner": (40, 200),
    "traefik": (150, 2500),
    "prometheus": (170, 2500),
    "alertmanager": (40, 600),
    "node-exporter": (20, 150),
    "kube-state-metrics": (60, 700),
    "kube-network-policies": (60, 600),
    "victoria-logs": (30, 400),
}


def programs_for(steps: Iterable[BuildStep], machine: str) -> list[str]:
    """Return the programs that *steps* call. Pure.

    :param machine: the architecture of this machine, as Go names it.
    """
    found: set[str] = set()
    for step in steps:
        found.update(BY_KIND.get(step.kind, ()))
        if step.kind == "package":
            found.update(("rpmbuild", "rpmsign") if step.inputs["form"] == "rpm" else ("dpkg-deb",))
        if step.kind == "repositories" and any(one["form"] == "rpm" for one in step.inputs["repositories"]):
            found.add("createrepo_c")
        if step.kind == "c_build" or (step.kind == "go_build" and step.inputs["cgo"]):
            architecture = step.inputs["architecture"]
            found.add("gcc" if architecture == machine else golang.COMPILERS[architecture])
    return sorted(found)


def room_for(steps: Iterable[BuildStep], cached: Container[str] = ()) -> tuple[int, int, int]:
    """Return the megabytes that *steps* require in the origin, in the work folder and in Go's caches. Pure.

    :param cached: keys of builds whose modules are already in Go's cache.
    """
    origin = work = go = scratch = 0
    for step in steps:
        if step.kind == "go_build":
            in_work, in_go = ROOM_GO.get(step.inputs["name"], (100, 500))
            work += in_work  # programs are kept until packages and images are built from them
            go += 0 if step.key in cached else in_go
        else:
            in_origin, in_work = ROOM.get(step.kind, (0, 0))
            origin, scratch = origin + in_origin, max(scratch, in_work)
    return origin, work + scratch, go


def check(steps: Sequence[BuildStep], root: Path, locks: Path, machine: str, run: Runner) -> Missing:
    """Check everything that *steps* require. Changes nothing."""
    missing = Missing()
    check_programs(programs_for(steps, machine), PROGRAMS, missing)
    builds = [step for step in steps if step.kind == "go_build"]
    if any(step.inputs["cgo"] for step in builds):
        for path, package in FILES.items():
            if not Path(path).exists():
                missing.require(package, f"{path}, required to build runc and flannel, does not exist")
    check_files(steps, "--prune", missing)
    cached, modules, cache = _check_go(builds, locks, missing, run) if builds else ([], None, None)
    origin, work, go = room_for(steps, cached)
    wanted = {root.parent: ("the origin", origin + work)}
    if modules and cache:
        wanted[modules], wanted[cache] = ("Go's modules", go // 3), ("Go's build cache", go * 2 // 3)
    check_room(wanted, missing)
    return missing


def _check_go(
    builds: Sequence[BuildStep], locks: Path, missing: Missing, run: Runner
) -> tuple[list[str], Path | None, Path | None]:
    """Check that Go is installed and recent enough, and that modules are cached or can be downloaded.

    :returns: keys of the builds that require no download, and Go's folders for modules and for compiled packages.
    """
    wanted = max(golang.needed_go((locks / _name(step) / "go.mod").read_text(encoding="utf-8")) for step in builds)
    text = ".".join(str(part) for part in wanted)
    if not shutil.which("go"):
        missing.problems.append(f"Go is not installed: Go {text} or later must be in PATH (https://go.dev/dl/).")
        return [], None, None
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
                    f"Go modules cannot be fetched: {error}. Set GOPROXY to a proxy that can be reached."
                )
    return cached, Path(modules), Path(cache)


def _name(step: BuildStep) -> str:
    return f"{step.inputs['name']}-{step.inputs['version']}"


def _is_cached(modules: Path, origin: str) -> bool:
    """Return whether a module's archive is in Go's cache (an upper-case letter is stored as ! and its lower-case letter)."""
    name, _at, version = origin.partition("@")
    escaped = re.sub(r"[A-Z]", lambda letter: f"!{letter.group().lower()}", name)
    return (modules / "cache" / "download" / escaped / "@v" / f"{version}.zip").is_file()
