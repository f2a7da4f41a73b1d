# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What of a cluster runs on a host, and the steps that end it: etcd's member, kubeadm's work, the kubelet, pods, mounts."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shlex
import signal
import tempfile
import time
from functools import partial
from typing import Any, Collection

from .._host.footprint import MOUNTS
from .._host.record import Record
from .._host.step import Step
from .._host.system import HostError, Result, System
from .._host.units import show_units
from .._kubeadm.etcd import remove_member
from .network import choose_mounts, is_pod_namespace, parse_fstab, parse_mounts

CLUSTER_FILES = (
    "/etc/kubernetes/admin.conf",
    "/etc/kubernetes/kubelet.conf",
    "/etc/kubernetes/bootstrap-kubelet.conf",
    "/etc/kubernetes/manifests/kube-apiserver.yaml",
    "/etc/kubernetes/manifests/etcd.yaml",
    "/var/lib/kubelet/config.yaml",
)
"""What kubeadm init and join leave: a host that has one of these is, or was to be, a node."""

ETCD_MANIFEST = "/etc/kubernetes/manifests/etcd.yaml"
RUNTIME_MOUNTS = (
    "/run/containerd/io.containerd.grpc.v1.cri",
    "/run/containerd/io.containerd.runtime.v2.task/k8s.io",
    "/var/lib/containerd/io.containerd.grpc.v1.cri",
)
"""The parts of containerd's folders that belong to Kubernetes alone, also where others use the same containerd."""

NAMESPACE = "k8s.io"
KUBEADM_SECONDS = 240
UNMOUNT_SECONDS = 20
COMMAND_SECONDS = 60


class NothingReset(HostError):
    """The reset stopped before it changed this host."""


def bounded(system: System, seconds: int, *command: str) -> Result:
    """Run a command that may hang (a dead file server, a runtime that does not answer) for at most *seconds*."""
    return system.run("timeout", "--kill-after=5", str(seconds), *command)


def list_names(system: System, folder: str) -> list[str]:
    """Return the sorted names in a folder of the host; none where it is absent."""
    try:
        return sorted(os.listdir(system.path(folder)))
    except OSError:
        return []


def cluster_files(system: System) -> list[str]:
    """Return those of CLUSTER_FILES that there are."""
    return [path for path in CLUSTER_FILES if os.path.exists(system.path(path))]


def owns_runtime(record: Record) -> bool:
    """Whether containerd came with the cluster: then all that it holds goes, and not Kubernetes' part alone."""
    return record.footprint.get("folders", {}).get("/var/lib/containerd") is None


# --- etcd ---------------------------------------------------------------------------------------------------------------


def parse_etcd_manifest(text: str) -> dict[str, Any]:
    """Return ``name``, ``addresses`` and ``endpoints`` (client URLs, this host's own last) from kubeadm's etcd.yaml.

    etcd's flags: https://etcd.io/docs/v3.6/op-guide/configuration/
    """
    flags = dict(re.findall(r"^\s*-\s+--([a-z-]+)=(\S+)\s*$", text, re.M))
    hosts = dict.fromkeys(re.findall(r"https://(\[[^\]]+\]|[^:,]+):", flags.get("initial-cluster", "")))
    own = re.findall(r"https://(\[[^\]]+\]|[^:,]+):", flags.get("initial-advertise-peer-urls", ""))
    others = [host for host in hosts if host not in own]
    return {
        "name": flags.get("name", ""),
        "addresses": [host.strip("[]") for host in own],
        "endpoints": [f"https://{host}:2379" for host in [*others, *own]],
    }


def plan_etcd(system: System, cluster_remains: bool) -> list[Step]:
    """The step that takes this host's member out of an etcd that goes on without it."""
    text = system.read(ETCD_MANIFEST)
    if not cluster_remains or text is None:
        return []
    member = parse_etcd_manifest(text)

    def apply() -> None:
        try:
            remove_member(member["endpoints"], member["name"], member["addresses"])
        except HostError as error:
            raise NothingReset(
                f"The etcd member of this control plane cannot be taken out of its cluster, so nothing was reset. {error}"
                " Repair etcd first (its majority has to answer); if the whole cluster is to go, reset all its control planes in one run."
            ) from error

    return [
        Step(
            subject="etcd member",
            sentence=f"etcd member {member['name']} removed from its cluster",
            before=f"{member['name']} {' '.join(member['addresses'])}",
            apply=apply,
        )
    ]


# --- kubeadm and the kubelet ----------------------------------------------------------------------------------------------


def reset_configuration(cri_socket: str) -> dict[str, Any]:
    """Return kubeadm's ResetConfiguration (v1beta4).

    The etcd member is out by now, or the whole of etcd goes: kubeadm is not to ask a cluster that may be gone already.
    """
    return {
        "apiVersion": "kubeadm.k8s.io/v1beta4",
        "kind": "ResetConfiguration",
        "force": True,
        "criSocket": cri_socket,
        "cleanupTmpDir": True,
        "skipPhases": ["remove-etcd-member"],
        "ignorePreflightErrors": ["all"],
    }


def plan_kubeadm(system: System, cri_socket: str, notes: list[str]) -> list[Step]:
    """The step that runs ``kubeadm reset`` where there is a kubeadm and something that it made."""
    found = cluster_files(system)
    if not found or not system.has("kubeadm"):
        return []

    def apply() -> None:
        with tempfile.TemporaryDirectory(prefix="slipway-reset-") as folder:
            path = os.path.join(folder, "reset.json")
            with open(path, "w", encoding="utf-8") as handle:
                json.dump(reset_configuration(cri_socket), handle)
            absent = os.path.join(folder, "no-kubeconfig")
            result = bounded(system, KUBEADM_SECONDS, "kubeadm", "reset", "--config", path, "--kubeconfig", absent)
        if result.code != 0:
            notes.append(
                f"kubeadm reset ended with code {result.code}; what it left was removed without it. Its last words: {result.tail}"
            )

    return [Step(subject="kubeadm reset", sentence="kubeadm reset run", before="\n".join(found), apply=apply)]


def plan_stop(system: System, name: str) -> list[Step]:
    """The step that stops a unit that is there and not stopped."""
    shown = show_units(system, [name])[name]
    state = shown.get("ActiveState", "inactive")
    if state in ("inactive", "failed"):
        return []
    return [
        Step(
            subject=f"unit {name} stop",
            sentence=f"unit {name} stopped",
            before=state,
            after="inactive",
            apply=partial(_stop, system, name),
        )
    ]


def _stop(system: System, name: str) -> None:
    if bounded(system, COMMAND_SECONDS, "systemctl", "stop", name).code != 0:
        system.run("systemctl", "kill", "--signal=SIGKILL", name)
        system.must("systemctl", "stop", name)


# --- pods -----------------------------------------------------------------------------------------------------------------


def is_pod_process(arguments: list[str], groups: str, same_namespace: bool) -> bool:
    """Whether a process is one of a pod, or containerd's shim of one.

    ``groups`` is its /proc/PID/cgroup: the kubelet puts pods below /kubepods. ``same_namespace``: whether it runs in the host's own
    process namespace; what a cluster inside a container of this host runs (kind) is not this host's.
    """
    if re.search(r"^[^:]*:[^:]*:/kubepods(\.slice)?(/|$)", groups, re.M):
        return True
    shim = bool(arguments) and os.path.basename(arguments[0]).startswith("containerd-shim")
    return shim and same_namespace and ("-namespace", NAMESPACE) in zip(arguments, arguments[1:])


def pod_processes(system: System) -> dict[int, str]:
    """Return the processes of pods by id, with the beginning of their command line."""
    found = {}
    own = _link(system, "/proc/self/ns/pid")
    for name in list_names(system, "/proc"):
        if not name.isdigit():
            continue
        with contextlib.suppress(HostError, OSError):  # it ended while we looked
            arguments = (system.read(f"/proc/{name}/cmdline") or "").rstrip("\0").split("\0")
            groups = system.read(f"/proc/{name}/cgroup") or ""
            if arguments != [""] and is_pod_process(arguments, groups, _link(system, f"/proc/{name}/ns/pid") == own):
                found[int(name)] = shlex.join(arguments)[:100]
    return found


def _link(system: System, path: str) -> str:
    try:
        return os.readlink(system.path(path))
    except OSError:
        return ""


def plan_processes(system: System) -> list[Step]:
    """The steps that end the processes of pods and take away the slice that held them."""
    steps = []
    found = pod_processes(system)
    if found:
        steps.append(
            Step(
                subject="processes of pods",
                sentence=f"processes of pods ended: {len(found)}",
                before="\n".join(found[pid] for pid in sorted(found)),
                apply=partial(_end_processes, system),
            )
        )
    steps += plan_stop(system, "kubepods.slice")
    groups = pod_groups(system)
    if groups:
        steps.append(
            Step(
                subject="control groups of pods",
                sentence=f"control groups of pods removed: {len(groups)}",
                before="\n".join(groups),
                apply=partial(_remove_groups, system),
            )
        )
    return steps


def _end_processes(system: System) -> None:
    # Shims first: they would otherwise report, and wait for a runtime that is gone. A second look finds what was being started.
    deadline = time.monotonic() + 20
    while True:
        found = pod_processes(system)
        if not found:
            return
        if time.monotonic() > deadline:
            listed = ", ".join(f"{pid} ({text})" for pid, text in list(found.items())[:3])
            raise HostError(
                f"Processes of pods do not end. Evidence: {listed}."
                " They wait for a disk or a file server: bring it back, or reboot, and reset again."
            )
        for pid in sorted(found, key=lambda pid: "containerd-shim" not in found[pid]):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.2)


def pod_groups(system: System) -> list[str]:
    """Return the control groups of pods that are left below /sys/fs/cgroup, inner ones first (cgroup v1 and v2)."""
    base = "/sys/fs/cgroup"
    roots = [f"{base}/{name}" for name in list_names(system, base)]
    tops = [
        f"{root}/{name}"
        for root in [base, *roots]
        if not os.path.islink(system.path(root))
        for name in ("kubepods", "kubepods.slice")
    ]
    found = []
    for top in tops:
        for folder, _names, _files in os.walk(system.path(top), topdown=False):
            found.append(folder if system.root == "/" else "/" + os.path.relpath(folder, system.root))
    return found


def _remove_groups(system: System) -> None:
    for group in pod_groups(system):
        with contextlib.suppress(OSError):  # the next look tells
            os.rmdir(system.path(group))


# --- the runtime ----------------------------------------------------------------------------------------------------------


def plan_runtime(system: System, record: Record) -> list[Step]:
    """The steps that clear the container runtime.

    A containerd that came with the cluster is stopped; its folders go later. In one that was there before, Kubernetes' namespace
    is emptied, for which it is started if need be.
    """
    unit = "containerd.service"
    shown = show_units(system, [unit])[unit]
    if owns_runtime(record):
        return plan_stop(system, unit)
    if shown.get("LoadState") != "loaded" or not system.has("ctr"):
        return []
    if shown.get("ActiveState") != "active":
        if not any(list_names(system, folder) for folder in RUNTIME_MOUNTS):
            return []
        return [
            Step(
                subject=f"unit {unit} start",
                sentence=f"unit {unit} started, to remove its containers",
                before="inactive",
                after="active",
                apply=partial(system.must, "systemctl", "start", unit),
            )
        ]
    steps = []
    for kind, sentence in (
        ("containers", "containers of Kubernetes removed"),
        ("images", "images of Kubernetes removed"),
    ):
        names = bounded(system, COMMAND_SECONDS, "ctr", "-n", NAMESPACE, kind, "ls", "-q").out.split()
        if names:

            def apply(kind: str = kind, names: list[str] = names) -> None:
                if kind == "containers":
                    bounded(system, COMMAND_SECONDS, "ctr", "-n", NAMESPACE, "tasks", "rm", "--force", *names)
                bounded(system, COMMAND_SECONDS, "ctr", "-n", NAMESPACE, kind, "rm", *names)

            steps.append(
                Step(
                    subject=f"{kind} in {NAMESPACE}",
                    sentence=f"{sentence}: {len(names)}",
                    before="\n".join(names),
                    apply=apply,
                )
            )
    return steps


# --- mounts -----------------------------------------------------------------------------------------------------------------


def own_mounts(system: System) -> list[str]:
    """Return the mount points that are the host's own: those of its fstab."""
    return parse_fstab(system.read("/etc/fstab") or "")


def mounts_to_remove(system: System, folders: Collection[str], record: Record) -> list[str]:
    """Return the mount points of pods, their runtime and their network, inner ones first."""
    before = record.footprint.get("mounts", MOUNTS)
    points = [point for point in MOUNTS if point not in before and not list_names(system, point)]  # nobody uses it
    return choose_mounts(parse_mounts(system.read("/proc/self/mountinfo") or ""), folders, own_mounts(system), points)


def plan_mounts(system: System, folders: Collection[str], record: Record) -> list[Step]:
    """The steps that unmount what is mounted below *folders*, and the pods' network namespaces."""
    steps = []
    found = mounts_to_remove(system, folders, record)
    if found:

        def apply() -> None:
            for point in mounts_to_remove(system, folders, record):
                if bounded(system, UNMOUNT_SECONDS, "umount", point).code != 0:
                    # Busy, or its server is gone: out of the tree at once, and for good when its last user ends.
                    bounded(system, UNMOUNT_SECONDS, "umount", "--force", "--lazy", point)

        steps.append(
            Step(
                subject="mounts",
                sentence=f"mounts of pods unmounted: {len(found)}",
                before="\n".join(found),
                apply=apply,
            )
        )
    namespaces = [
        path for path in (f"/run/netns/{name}" for name in list_names(system, "/run/netns")) if is_pod_namespace(path)
    ]
    if namespaces:

        def remove() -> None:
            for path in namespaces:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(system.path(path))

        steps.append(
            Step(
                subject="network namespaces",
                sentence=f"network namespaces of pods removed: {len(namespaces)}",
                before="\n".join(namespaces),
                apply=remove,
            )
        )
    return steps
