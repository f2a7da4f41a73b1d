# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts, nodes and pods as the plan of an upgrade gets them."""

from __future__ import annotations

from typing import Any

from ansible_collections.slipway.kube.plugins.module_utils._kubeadm.removal import CORDONED_BY

ETCD = {"1.35": "3.6.6", "1.36": "3.6.8"}


def host(name: str, version: str, **changes: Any) -> dict[str, Any]:
    """Return a host, a control plane if its name begins with cp, whose packages and static pods have a version."""
    names = ("kube-apiserver", "kube-controller-manager", "kube-scheduler")
    etcd = ETCD.get(version.rpartition(".")[0], "3.7.0")
    return {
        "host": name,
        "name": name,
        "address": "192.0.2.1",
        "api_port": 6443,
        "control_plane": name.startswith("cp"),
        "in_run": True,
        "kubeadm": version,
        "kubelet": version,
        "components": {**dict.fromkeys(names, version), "etcd": etcd} if name.startswith("cp") else {},
        "containerd": "2.2.3",
        "containerd_wanted": "2.2.3",
        "interrupted": "",
        "disks": [{"path": "/var/lib/kubelet", "available_mb": 9000}, {"path": "/var/lib/etcd", "available_mb": 9000}],
        **changes,
    }


def node(version: str, ready: bool = True, cordoned: str = "") -> dict[str, Any]:
    """Return a Node whose kubelet has a version.

    :param cordoned: reason for which this collection cordoned it.
    """
    annotations = {CORDONED_BY: cordoned} if cordoned else {}
    return {
        "metadata": {"annotations": annotations},
        "spec": {"unschedulable": True} if cordoned else {},
        "status": {
            "nodeInfo": {"kubeletVersion": f"v{version}"},
            "conditions": [{"type": "Ready", "status": "True" if ready else "False", "message": "PLEG is not healthy"}],
        },
    }


def pod(name: str, on: str = "w1", owner: str = "ReplicaSet") -> dict[str, Any]:
    """Return a pod of the application web on a node."""
    owners = [{"kind": owner, "name": name, "controller": True}] if owner else []
    metadata = {"name": name, "namespace": "shop", "labels": {"app": "web"}, "ownerReferences": owners}
    return {"metadata": metadata, "spec": {"nodeName": on, "volumes": []}, "status": {"phase": "Running"}}
