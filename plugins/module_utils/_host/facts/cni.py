# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""CNI configurations of a host, and the pod networks and container engines that they belong to."""

from __future__ import annotations

import json
from typing import Any

from .files import Files

FOLDER = "/etc/cni/net.d"
SUFFIXES = (".conf", ".conflist", ".json")
"""Files that a runtime reads; it uses the first one in alphabetical order (https://github.com/containerd/go-cni, loadFromConfDir)."""

PLUGINS = {
    "antrea": "Antrea",
    "calico": "Calico",
    "cilium-cni": "Cilium",
    "flannel": "Flannel",
    "kube-ovn": "Kube-OVN",
    "multus": "Multus",
    "multus-shim": "Multus",
    "ovn-k8s-cni-overlay": "OVN-Kubernetes",
    "weave-net": "Weave",
}
NETWORKS = {"cbr0": "Flannel", "crio": "CRI-O", "kindnet": "kindnet", "podman": "Podman"}
BRIDGES = {"cni-podman": "Podman", "nerdctl": "nerdctl", "kube-bridge": "kube-router"}
"""The owner by the type of a plugin, by the name of the network, and by the beginning of the bridge's name."""

ENGINES = ("CRI-O", "nerdctl", "Podman")
"""Owners that are container engines, whose networks have nothing to do with a cluster."""


def describe_cni(text: str) -> dict[str, str]:
    """Return the ``network`` in a CNI configuration and its ``owner``; empty values where they are unknown."""
    try:
        data: Any = json.loads(text)
    except ValueError:
        data = None
    if not isinstance(data, dict):
        return {"network": "", "owner": ""}
    listed = data.get("plugins")
    plugins = [one for one in (listed if isinstance(listed, list) else [data]) if isinstance(one, dict)]
    network = str(data.get("name") or "")
    bridges = [str(one.get("bridge") or "") for one in plugins]
    owners = [PLUGINS.get(str(one.get("type")), "") for one in plugins]
    owners += [owner for start, owner in BRIDGES.items() for bridge in bridges if bridge.startswith(start)]
    owners.append(NETWORKS.get(network, ""))
    return {"network": network, "owner": next(filter(None, owners), "")}


def gather_cni(files: Files) -> list[dict[str, str]]:
    """Return the key ``cni`` of host_info: ``path``, ``network`` and ``owner`` of each configuration, in the order of a runtime."""
    paths = [f"{FOLDER}/{name}" for name in files.names(FOLDER) if name.endswith(SUFFIXES)]
    return [dict(describe_cni(files.read(path)), path=path) for path in paths]
