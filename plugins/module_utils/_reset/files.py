# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Steps that restore a host's folders and files from its record."""

from __future__ import annotations

import contextlib
import os
import shutil
from functools import partial
from typing import Collection

from .._host.facts.cni import ENGINES, gather_cni
from .._host.facts.files import Files
from .._host.footprint import FOLDERS, PARENTS, SHARED
from .._host.package_modes import mode_of
from .._host.record import ABSENT, Record, describe_file, restore_file
from .._host.step import Step
from .._host.swap import restore_fstab
from .._host.system import HostError, System
from .mounts import current_mounts, fstab_mounts, within

FSTAB = "/etc/fstab"


def cluster_folders(record: Record) -> dict[str, list[str]]:
    """Return the folders that the cluster filled, each with the paths in it that existed before and are kept."""
    before = record.footprint.get("folders", {})
    chosen: dict[str, list[str]] = {}
    for path in FOLDERS:
        was = before.get(path)
        if was is not None:
            if path not in SHARED:
                chosen[path] = [path, *(f"{path}/{name}" for name in was)]
        elif not any(within(path, [top]) and not kept for top, kept in chosen.items()):
            chosen[path] = []  # otherwise it is removed with its parent
    return chosen


def packaged_paths(system: System, record: Record, removed: Collection[str]) -> set[str]:
    """Return the paths in FOLDERS that belong to installed packages, except for those that this run removes."""
    info = "/var/lib/dpkg/info"
    lists = [
        name for name in system.names(info) if name.endswith(".list") and name[:-5].partition(":")[0] not in removed
    ]
    lines = [line for name in lists for line in (system.read(f"{info}/{name}") or "").splitlines()]
    if not lists and system.has("rpm"):
        kept = [name for name in record.before["packages"] if name not in removed]
        lines = system.run("rpm", "-ql", *kept).out.splitlines() if kept else []
    return {line for line in lines if line in FOLDERS or within(line, FOLDERS)}


def paths_to_remove(system: System, path: str, trees: Collection[str], nodes: Collection[str]) -> list[str]:
    """Return what to remove at a path, in as few paths as possible.

    :param trees: paths that are kept with everything below them.
    :param nodes: paths of which only the file or folder itself is kept.
    """
    real = system.path(path)
    if path in trees or not os.path.lexists(real) or os.path.basename(path) == "lost+found":
        return []
    trees = [one for one in trees if within(one, [path])]
    nodes = [one for one in nodes if one == path or within(one, [path])]
    if not trees and not nodes:
        return [path]
    if os.path.islink(real) or not os.path.isdir(real):
        return []
    return [found for name in system.names(path) for found in paths_to_remove(system, f"{path}/{name}", trees, nodes)]


def plan_folders(system: System, record: Record, removed: Collection[str]) -> list[Step]:
    """Return the steps that remove what the cluster filled.

    What existed before, what belongs to a package that is kept, networks of container engines, and the host's own mount points are kept.

    :param removed: packages that this run removes.
    """
    mounted = [point for point in current_mounts(system) if point in FOLDERS]
    nodes = packaged_paths(system, record, removed).union(fstab_mounts(system), mounted, engine_networks(system))
    return [
        Step(f"path {path}", f"{path} removed", partial(remove_tree, system, path), before="present", paths=[path])
        for top, kept in cluster_folders(record).items()
        for path in paths_to_remove(system, top, kept[1:], nodes.union(kept[:1]))
    ]


def engine_networks(system: System) -> dict[str, str]:
    """Return the name of each CNI network that belongs to a container engine, such as Podman, by the path of its file."""
    found = gather_cni(Files(system.root))
    return {one["path"]: one["network"] for one in found if one["owner"] in ENGINES}


def remove_tree(system: System, path: str) -> None:
    """Remove a file or a folder with its content; one that does not exist is not an error.

    :raises HostError: something is mounted there. Nothing is removed then, since the mount may hold data of others.
    """
    points = [point for point in current_mounts(system) if point == path or within(point, [path])]
    if points:
        raise HostError(
            f"{path} cannot be removed: {', '.join(points)} is still mounted and may hold data of others."
            f" Unmount it (if it is busy, 'fuser -m {points[0]}' shows which processes use it) and reset again. [slipway:reset_mounted]"
        )
    real = system.path(path)
    with contextlib.suppress(FileNotFoundError):
        if os.path.isdir(real) and not os.path.islink(real):
            shutil.rmtree(real)
        else:
            os.unlink(real)


def plan_modes(system: System, record: Record, removed: Collection[str]) -> list[Step]:
    """Return the steps that restore the permissions of files of packages that are kept.

    :param removed: packages that this run removes.
    """
    steps = []
    for path, was in record.before["modes"].items():
        have, mode = mode_of(system.path(path)), was["mode"]
        if have and have != mode and was["package"] not in removed:
            apply = partial(os.chmod, system.path(path), int(mode, 8))
            steps.append(Step(f"mode {path}", f"{path} has mode {mode} again", apply, f"mode {have}", f"mode {mode}"))
    return steps


def plan_files(system: System, record: Record, removed: Collection[str]) -> list[Step]:
    """Return the steps that restore the recorded files, inner ones first.

    A folder that did not exist before is removed if it is empty.

    :param removed: paths that earlier steps remove.
    """
    steps: list[Step] = []
    gone = set(removed)
    folders = record.footprint.get("folders", {})
    known = {**record.before["files"], **{path: dict(ABSENT) for path in PARENTS if folders.get(path, []) is None}}
    for path, was in sorted(known.items(), key=lambda item: (-item[0].count("/"), item[0])):
        target = os.path.realpath(system.path(path)) if path == FSTAB else system.path(path)
        now = describe_file(target)
        if path == FSTAB and now["state"] == "file":
            was = dict(now, content=restore_fstab(now.get("content", "")))  # keeps lines that were added since
        if now == was or (was["state"] == "absent" and (path in gone or within(path, gone))):
            continue
        replaced = now["state"] == "directory" and was["state"] != "directory"
        if replaced and {f"{path}/{name}" for name in system.names(path)} - gone:
            continue
        gone.add(path)
        existed = was["state"] != "absent"
        steps.append(
            Step(
                f"path {path}",
                f"{path} {'restored' if existed else 'removed'}",
                partial(restore_file, target, was),
                before="absent" if now["state"] == "absent" else "as the cluster left it",
                after="as it was before the cluster" if existed else "",
                paths=[path],
            )
        )
    return steps
