# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Steps that end the processes of pods and remove their control groups."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import signal
import time
from functools import partial

from .._host.step import Step
from .._host.system import HostError, System
from .cluster import NAMESPACE, plan_stop

END_SECONDS = 20


def is_pod_process(arguments: list[str], groups: str, same_namespace: bool) -> bool:
    """Return whether a process belongs to a pod, or is the containerd shim of one.

    :param groups: its /proc/PID/cgroup; the kubelet puts pods below /kubepods.
    :param same_namespace: whether it runs in the host's PID namespace. The pods of a cluster that runs in a container of this host (kind)
        do not belong to this host's cluster.
    """
    if re.search(r"^[^:]*:[^:]*:/kubepods(\.slice)?(/|$)", groups, re.M):
        return True
    shim = bool(arguments) and os.path.basename(arguments[0]).startswith("containerd-shim")
    return shim and same_namespace and ("-namespace", NAMESPACE) in zip(arguments, arguments[1:])


def pod_processes(system: System) -> dict[int, str]:
    """Return the processes of pods by PID, with the start of their command line."""
    found = {}
    host_namespace = _link(system, "/proc/self/ns/pid")
    for name in system.names("/proc"):
        if not name.isdigit():
            continue
        with contextlib.suppress(HostError, OSError):  # the process has ended meanwhile
            arguments = (system.read(f"/proc/{name}/cmdline") or "").rstrip("\0").split("\0")
            groups = system.read(f"/proc/{name}/cgroup") or ""
            same_namespace = _link(system, f"/proc/{name}/ns/pid") == host_namespace
            if arguments != [""] and is_pod_process(arguments, groups, same_namespace):
                found[int(name)] = shlex.join(arguments)[:100]
    return found


def _link(system: System, path: str) -> str:
    try:
        return os.readlink(system.path(path))
    except OSError:
        return ""


def plan_processes(system: System) -> list[Step]:
    """Return the steps that end the processes of pods and remove their slice and control groups."""
    steps = []
    found = pod_processes(system)
    if found:
        before = "\n".join(found[pid] for pid in sorted(found))
        sentence = f"pod processes terminated: {len(found)}"
        steps.append(Step("processes of pods", sentence, partial(_end_processes, system), before))
    steps += plan_stop(system, "kubepods.slice")
    groups = pod_groups(system)
    if groups:
        sentence = f"control groups of pods removed: {len(groups)}"
        steps.append(Step("control groups of pods", sentence, partial(_remove_groups, system), "\n".join(groups)))
    return steps


def _end_processes(system: System) -> None:
    """Kill the processes of pods until none is left; more may be starting while the first ones are killed."""
    deadline = time.monotonic() + END_SECONDS
    while True:
        found = pod_processes(system)
        if not found:
            return
        if time.monotonic() > deadline:
            listed = ", ".join(f"{pid} ({text})" for pid, text in list(found.items())[:3])
            raise HostError(
                f"Processes of pods do not end. Evidence: {listed}."
                " They wait for a disk or a file server: make it available again, or reboot the host, and reset again. [slipway:reset_processes]"
            )
        # Shims first: they would otherwise wait for a runtime that is stopped.
        for pid in sorted(found, key=lambda pid: "containerd-shim" not in found[pid]):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.2)


def pod_groups(system: System) -> list[str]:
    """Return the control groups of pods below /sys/fs/cgroup (v1 and v2), inner ones first."""
    base = "/sys/fs/cgroup"
    tops = [
        f"{root}/{name}"
        for root in [base, *(f"{base}/{name}" for name in system.names(base))]
        if not os.path.islink(system.path(root))
        for name in ("kubepods", "kubepods.slice")
    ]
    return [
        folder if system.root == "/" else "/" + os.path.relpath(folder, system.root)
        for top in tops
        for folder, _names, _files in os.walk(system.path(top), topdown=False)
    ]


def _remove_groups(system: System) -> None:
    for group in pod_groups(system):
        with contextlib.suppress(OSError):  # the next round reports what is left
            os.rmdir(system.path(group))
