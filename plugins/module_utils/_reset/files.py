# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The steps that return a host's folders and files to what its record says."""

from __future__ import annotations

import contextlib
import os
import shutil
from functools import partial
from typing import Collection

from .._host.footprint import FOLDERS, PARENTS, SHARED
from .._host.record import Record, describe_file, restore_file
from .._host.step import Step
from .._host.swap import restore_fstab
from .._host.system import HostError, System
from .cluster import list_names, own_mounts
from .network import parse_mounts, within

FSTAB = "/etc/fstab"


def cluster_folders(record: Record) -> dict[str, list[str]]:
    """Return the folders that the cluster filled, each with the paths in it that were there before and stay as they are."""
    before = record.footprint.get("folders", {})
    chosen: dict[str, list[str]] = {}
    for path in FOLDERS:
        was = before.get(path)
        if was is not None:
            if path not in SHARED:
                chosen[path] = [path, *(f"{path}/{name}" for name in was)]
        elif not any(within(path, [top]) and not stays for top, stays in chosen.items()):
            chosen[path] = []  # else it goes with its parent
    return chosen


def packaged_paths(system: System, record: Record, leaving: Collection[str]) -> set[str]:
    """Return the paths in FOLDERS that belong to installed packages, those *leaving* in this run excepted."""
    info = "/var/lib/dpkg/info"
    lists = [
        name
        for name in list_names(system, info)
        if name.endswith(".list") and name[:-5].partition(":")[0] not in leaving
    ]
    lines = [line for name in lists for line in (system.read(f"{info}/{name}") or "").splitlines()]
    if not lists and system.has("rpm"):
        staying = [name for name in record.before["packages"] if name not in leaving]
        lines = system.run("rpm", "-ql", *staying).out.splitlines() if staying else []
    return {line for line in lines if line in FOLDERS or within(line, FOLDERS)}


def doomed_paths(system: System, path: str, whole: Collection[str], nodes: Collection[str]) -> list[str]:
    """Return what to remove at *path*, in as few paths as possible.

    ``whole`` stay with all that is in them; of ``nodes`` only the file or folder itself stays.
    """
    real = system.path(path)
    if path in whole or not os.path.lexists(real) or os.path.basename(path) == "lost+found":
        return []
    whole, nodes = (
        [one for one in whole if within(one, [path])],
        [one for one in nodes if one == path or within(one, [path])],
    )
    if not whole and not nodes:
        return [path]
    if os.path.islink(real) or not os.path.isdir(real):
        return []
    return [
        doomed for name in list_names(system, path) for doomed in doomed_paths(system, f"{path}/{name}", whole, nodes)
    ]


def plan_folders(system: System, record: Record, leaving: Collection[str]) -> list[Step]:
    """The steps that remove what the cluster filled; ``leaving`` are packages that go in this run.

    What was there before, what belongs to a package that stays, and the host's own mount points are kept.
    """
    mounted = [point for point in parse_mounts(system.read("/proc/self/mountinfo") or "") if point in FOLDERS]
    nodes = packaged_paths(system, record, leaving).union(own_mounts(system), mounted)
    steps = []
    for top, stays in cluster_folders(record).items():
        for path in doomed_paths(system, top, stays[1:], nodes.union(stays[:1])):
            steps.append(
                Step(
                    subject=f"path {path}",
                    sentence=f"{path} removed",
                    before="present",
                    apply=partial(remove_tree, system, path),
                    paths=[path],
                )
            )
    return steps


def remove_tree(system: System, path: str) -> None:
    """Remove a file or a folder with all that is in it; one that is gone is no error.

    Raises HostError, with nothing removed, while something is mounted there: what lies behind a mount may be somebody's data.
    """
    points = [
        point
        for point in parse_mounts(system.read("/proc/self/mountinfo") or "")
        if point == path or within(point, [path])
    ]
    if points:
        raise HostError(
            f"{path} cannot be removed: {', '.join(points)} is still mounted, and what lies behind it may be somebody's data."
            f" Unmount it (it may be busy: 'fuser -m {points[0]}' tells by whom) and reset again."
        )
    real = system.path(path)
    with contextlib.suppress(FileNotFoundError):
        if os.path.isdir(real) and not os.path.islink(real):
            shutil.rmtree(real)
        else:
            os.unlink(real)


def plan_files(system: System, record: Record, doomed: Collection[str]) -> list[Step]:
    """The steps that put recorded files back, inner ones first; ``doomed`` are paths that are removed before them.

    A folder that was absent goes if nothing else is in it.
    """
    steps: list[Step] = []
    gone = set(doomed)
    known = dict(record.before["files"])
    known.update(
        {path: {"state": "absent"} for path in PARENTS if record.footprint.get("folders", {}).get(path, []) is None}
    )
    for path, was in sorted(known.items(), key=lambda item: (-item[0].count("/"), item[0])):
        target = os.path.realpath(system.path(path)) if path == FSTAB else system.path(path)
        now = describe_file(target)
        if path == FSTAB and now["state"] == "file":
            was = dict(now, content=restore_fstab(now.get("content", "")))  # keeps what was added since
        if now == was or (was["state"] == "absent" and (path in gone or within(path, gone))):
            continue
        if (
            now["state"] == "directory"
            and was["state"] != "directory"
            and {f"{path}/{name}" for name in list_names(system, path)} - gone
        ):
            continue
        gone.add(path)
        back = was["state"] != "absent"
        steps.append(
            Step(
                subject=f"path {path}",
                sentence=f"{path} {'put back as it was' if back else 'removed'}",
                before="absent" if now["state"] == "absent" else "as the cluster had it",
                after="as it was" if back else "",
                apply=partial(restore_file, target, was),
                paths=[path],
            )
        )
    return steps
