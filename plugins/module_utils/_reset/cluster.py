# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Steps that stop the parts of a cluster on a host: the etcd member, kubeadm's work, units and the container runtime."""

from __future__ import annotations

import json
import os
import re
import tempfile
from functools import partial
from typing import Any

from .._host.record import Record
from .._host.step import Step
from .._host.system import HostError, Result, System, coded
from .._host.units import show_units
from .._kubeadm.etcd import remove_member

ETCD_MANIFEST = "/etc/kubernetes/manifests/etcd.yaml"
API_SERVER = "/etc/kubernetes/manifests/kube-apiserver.yaml"
CLUSTER_FILES = (
    "/etc/kubernetes/admin.conf",
    "/etc/kubernetes/kubelet.conf",
    "/etc/kubernetes/bootstrap-kubelet.conf",
    "/etc/kubernetes/manifests/kube-apiserver.yaml",
    ETCD_MANIFEST,
    "/var/lib/kubelet/config.yaml",
)
"""Files that kubeadm init and join create: a host with one of them is a node, or a failed attempt at one."""

RUNTIME_MOUNTS = (
    "/run/containerd/io.containerd.grpc.v1.cri",
    "/run/containerd/io.containerd.runtime.v2.task/k8s.io",
    "/var/lib/containerd/io.containerd.grpc.v1.cri",
)
"""The folders of containerd that only Kubernetes uses, also where other software uses the same containerd."""

NAMESPACE = "k8s.io"
RUNTIME_UNIT = "containerd.service"
KUBEADM_SECONDS = 240
COMMAND_SECONDS = 60
REMOVAL_SECONDS = 240


class NothingReset(HostError):
    """The reset stopped before it changed this host."""


def bounded(system: System, seconds: int, *command: str) -> Result:
    """Run a command that may hang (file server down, runtime not responding) for a limited number of seconds."""
    return system.run("timeout", "--kill-after=5", str(seconds), *command)


def cluster_files(system: System) -> list[str]:
    """Return those of CLUSTER_FILES that exist."""
    return [path for path in CLUSTER_FILES if system.exists(path)]


def owns_runtime(record: Record) -> bool:
    """Return whether containerd was installed with the cluster; otherwise only what Kubernetes created in it is removed."""
    return record.footprint.get("folders", {}).get("/var/lib/containerd") is None


# --- etcd ---------------------------------------------------------------------------------------------------------------


def parse_etcd_manifest(text: str) -> dict[str, Any]:
    """Return ``name``, ``addresses`` and ``endpoints`` (client URLs, this host's last) of the member in kubeadm's etcd.yaml.

    Flags: https://etcd.io/docs/v3.6/op-guide/configuration/
    """
    flags = dict(re.findall(r"^\s*-\s+--([a-z-]+)=(\S+)\s*$", text, re.M))
    hosts = dict.fromkeys(re.findall(r"https://(\[[^\]]+\]|[^:,]+):", flags.get("initial-cluster", "")))
    local = re.findall(r"https://(\[[^\]]+\]|[^:,]+):", flags.get("initial-advertise-peer-urls", ""))
    others = [host for host in hosts if host not in local]
    return {
        "name": flags.get("name", ""),
        "addresses": [host.strip("[]") for host in local],
        "endpoints": [f"https://{host}:2379" for host in [*others, *local]],
    }


def plan_etcd(system: System, cluster_remains: bool) -> list[Step]:
    """Return the step that removes this host's etcd member, where the rest of the cluster is kept."""
    text = system.read(ETCD_MANIFEST)
    if not cluster_remains or text is None:
        return []
    member = parse_etcd_manifest(text)
    kind = "control plane" if system.exists(API_SERVER) else "host of an external etcd"

    def apply() -> None:
        try:
            remove_member(member["endpoints"], member["name"], member["addresses"])
        except HostError as error:
            text = (
                f"The etcd member '{member['name']}', which runs on this {kind}, cannot be removed from its cluster, so nothing was reset. {error}"
                " Repair etcd first (a majority of its members must respond). To remove the whole cluster, reset all its hosts in one run."
            )
            raise NothingReset(coded(text, "etcd_failed")) from error

    sentence = f"etcd member {member['name']} removed from its cluster"
    return [Step("etcd member", sentence, apply, before=f"{member['name']} {' '.join(member['addresses'])}")]


# --- kubeadm and the kubelet ----------------------------------------------------------------------------------------------


def reset_configuration(cri_socket: str) -> dict[str, Any]:
    """Return kubeadm's ResetConfiguration (v1beta4).

    The etcd member has already been removed, or all of etcd is: kubeadm must not query a cluster that may not exist any more.
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
    """Return the step that runs ``kubeadm reset``, where kubeadm is installed and has created something."""
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
                f"kubeadm reset failed with exit code {result.code}; the reset removed the rest without it. Its last output: {result.tail}"
            )

    return [Step("kubeadm reset", "kubeadm reset run", apply, before="\n".join(found))]


def plan_stop(system: System, name: str) -> list[Step]:
    """Return the step that stops a unit, unless it is stopped."""
    state = show_units(system, [name])[name].get("ActiveState", "inactive")
    if state in ("inactive", "failed"):
        return []
    return [Step(f"unit {name} stop", f"unit {name} stopped", partial(_stop, system, name), state, "inactive")]


def _stop(system: System, name: str) -> None:
    if bounded(system, COMMAND_SECONDS, "systemctl", "stop", name).code != 0:
        system.run("systemctl", "kill", "--signal=SIGKILL", name)
        system.must("systemctl", "stop", name)


# --- the runtime ----------------------------------------------------------------------------------------------------------


def plan_runtime(system: System, record: Record) -> list[Step]:
    """Return the steps that clear the container runtime.

    A containerd that was installed with the cluster is stopped; its folders are removed later. In one that existed before, the containers
    and images of Kubernetes are removed; it is started for that if necessary.
    """
    if owns_runtime(record):
        return plan_stop(system, RUNTIME_UNIT)
    shown = show_units(system, [RUNTIME_UNIT])[RUNTIME_UNIT]
    if shown.get("LoadState") != "loaded" or not system.has("ctr"):
        return []
    if shown.get("ActiveState") != "active":
        if not any(system.names(folder) for folder in RUNTIME_MOUNTS):
            return []
        start = partial(system.must, "systemctl", "start", RUNTIME_UNIT)
        sentence = f"unit {RUNTIME_UNIT} started, to remove its containers"
        return [Step(f"unit {RUNTIME_UNIT} start", sentence, start, before="inactive", after="active")]
    steps = []
    # Without --sync, containerd removes the layers later; the rest of the reset stops it meanwhile, and it never resumes that.
    for kind, options in (("containers", ()), ("images", ("--sync",))):
        names = bounded(system, COMMAND_SECONDS, "ctr", "-n", NAMESPACE, kind, "ls", "-q").out.split()
        if names:

            def apply(kind: str = kind, options: tuple[str, ...] = options, names: list[str] = names) -> None:
                if kind == "containers":
                    bounded(system, COMMAND_SECONDS, "ctr", "-n", NAMESPACE, "tasks", "rm", "--force", *names)
                bounded(system, REMOVAL_SECONDS, "ctr", "-n", NAMESPACE, kind, "rm", *options, *names)

            sentence = f"{kind} of Kubernetes removed: {len(names)}"
            steps.append(Step(f"{kind} in {NAMESPACE}", sentence, apply, before="\n".join(names)))
    return steps
