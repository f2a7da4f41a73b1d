# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Mounts and network namespaces of pods: which of a host's mounts belong to the cluster, and the steps that remove them."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
from functools import partial
from typing import Collection

from .._host.facts.system import unescape
from .._host.footprint import MOUNTS
from .._host.record import Record
from .._host.step import Step
from .._host.system import System
from .cluster import bounded

UNMOUNT_SECONDS = 20
SHOWN_BY_KERNEL = {"maps.debug", "progs.debug"}
"""Files that the kernel shows in every BPF file system (kernel/bpf/inode.c)."""


def parse_mounts(mountinfo: str) -> list[str]:
    """Return the mount points in /proc/self/mountinfo, the most recent one first."""
    points = [line.split()[4] for line in mountinfo.splitlines() if len(line.split()) > 5]
    return [unescape(point) for point in reversed(points)]


def parse_fstab(text: str) -> list[str]:
    """Return the mount points in /etc/fstab."""
    lines = (line.split() for line in text.splitlines() if not line.lstrip().startswith("#"))
    return [unescape(words[1]) for words in lines if len(words) >= 3 and words[1].startswith("/")]


def within(path: str, folders: Collection[str]) -> bool:
    """Return whether a path is below one of the folders."""
    return any(path.startswith(folder.rstrip("/") + "/") for folder in folders)


def is_pod_namespace(path: str) -> bool:
    """Return whether a path is a network namespace that containerd created for a pod."""
    return re.fullmatch(r"(/var)?/run/netns/cni-[^/]+", path) is not None


def choose_mounts(
    mounts: list[str], folders: Collection[str], fstab: Collection[str], points: Collection[str] = ()
) -> list[str]:
    """Return the mount points to unmount, inner ones first: those below the folders, the network namespaces of pods, and ``points``.

    :param fstab: mount points of the host's fstab; they stay mounted and are only emptied.
    """
    chosen = [
        point
        for point in mounts
        if point not in fstab and (point in points or within(point, folders) or is_pod_namespace(point))
    ]
    return sorted(chosen, key=lambda point: -point.count("/"))


def current_mounts(system: System) -> list[str]:
    """Return the current mount points of the host, the most recent one first."""
    return parse_mounts(system.read("/proc/self/mountinfo") or "")


def fstab_mounts(system: System) -> list[str]:
    """Return the mount points in the host's fstab."""
    return parse_fstab(system.read("/etc/fstab") or "")


def mounts_to_remove(system: System, folders: Collection[str], record: Record) -> list[str]:
    """Return the mount points of pods, of their runtime and of their network, inner ones first."""
    before = record.footprint.get("mounts", MOUNTS)
    unused = [point for point in MOUNTS if point not in before and not pinned(system, point)]
    return choose_mounts(current_mounts(system), folders, fstab_mounts(system), unused)


def pinned(system: System, point: str) -> list[str]:
    """Return the names that programs other than Cilium have created in a BPF file system."""
    folder = f"{point}/tc/globals"
    only_cilium = system.names(f"{point}/tc") == ["globals"] and set(system.names(folder)) <= set(
        cilium_maps(system, folder)
    )
    return sorted(set(system.names(point)) - SHOWN_BY_KERNEL - {"cilium"} - ({"tc"} if only_cilium else set()))


def cilium_maps(system: System, folder: str) -> list[str]:
    """Return the names of Cilium's maps in a folder of a BPF file system."""
    return [name for name in system.names(folder) if name.startswith("cilium_")]


def plan_programs(system: System) -> list[Step]:
    """Return the step that removes the programs and maps that Cilium keeps in the BPF file system."""
    root = MOUNTS[0]

    def found() -> list[str]:
        own = [f"{root}/cilium"] if "cilium" in system.names(root) else []
        return own + [f"{root}/tc/globals/{name}" for name in cilium_maps(system, f"{root}/tc/globals")]

    def remove() -> None:
        for path in found():
            real = system.path(path)
            if os.path.isdir(real):
                shutil.rmtree(real)
            else:
                _unlink_all(system, [path])
        for folder in ("tc/globals", "tc"):
            with contextlib.suppress(OSError):  # it has what belongs to others
                os.rmdir(system.path(f"{root}/{folder}"))

    paths = found()
    if not paths:
        return []
    return [Step("BPF programs", f"programs and maps of Cilium removed: {len(paths)}", remove, "\n".join(paths))]


def plan_mounts(system: System, folders: Collection[str], record: Record, notes: list[str]) -> list[Step]:
    """Return the steps that unmount what is mounted below the folders, and remove the network namespaces of pods."""
    steps = []
    found = mounts_to_remove(system, folders, record)
    mounted = current_mounts(system)
    for point in MOUNTS:
        if point in mounted and point not in record.footprint.get("mounts", MOUNTS) and pinned(system, point):
            notes.append(
                f"{point} stays mounted because other software uses it. Evidence: {', '.join(pinned(system, point))}."
            )
    if found:

        def unmount() -> None:
            for point in mounts_to_remove(system, folders, record):
                if bounded(system, UNMOUNT_SECONDS, "umount", point).code != 0:
                    # Busy, or its file server is down: detach it now; the kernel unmounts it when its last user ends.
                    bounded(system, UNMOUNT_SECONDS, "umount", "--force", "--lazy", point)

        steps.append(Step("mounts", f"mounts of pods unmounted: {len(found)}", unmount, "\n".join(found)))
    paths = [path for path in (f"/run/netns/{name}" for name in system.names("/run/netns")) if is_pod_namespace(path)]
    if paths:
        sentence = f"network namespaces of pods removed: {len(paths)}"
        steps.append(Step("network namespaces", sentence, partial(_unlink_all, system, paths), "\n".join(paths)))
    return steps


def _unlink_all(system: System, paths: list[str]) -> None:
    for path in paths:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(system.path(path))
