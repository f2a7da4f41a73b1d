# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the plan of an upgrade needs of each host of the inventory."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ...module_utils._host.facts.cluster import package_upstream
from .choose_control_plane import cluster_nodes


def upgrade_hosts(
    hostvars: Mapping[str, Any],
    control_planes: Iterable[str],
    workers: Iterable[str],
    in_run: Iterable[str],
    containerd_version: str,
    containerd_package: str,
    api_port: int,
) -> list[dict[str, Any]]:
    """Return the hosts as the module upgrade_plan expects them, control planes first.

    :param in_run: hosts of this run, which --limit can reduce.
    :param containerd_version: of hosts without a variable of that name; so is *containerd_package*.
    """
    included = set(in_run)
    found = []
    for node in cluster_nodes(hostvars, control_planes, workers):
        facts, variables = node["facts"], hostvars[node["host"]]
        packages, cluster = facts.get("packages") or {}, facts.get("cluster") or {}
        package = str(variables.get("containerd_package") or containerd_package)
        disks = [{key: disk[key] for key in ("path", "available_mb")} for disk in facts.get("disks") or []]
        found.append(
            {
                "host": node["host"],
                "name": node["desired"]["name"],
                "address": node["address"],
                "api_port": api_port,
                "control_plane": node["control_plane"],
                "in_run": node["host"] in included and bool(facts),
                "kubeadm": package_upstream(packages.get("kubeadm", "")),
                "kubelet": cluster.get("kubelet_version", ""),
                "components": cluster.get("components") or {},
                "containerd": package_upstream(packages.get(package, "")),
                "containerd_wanted": str(variables.get("containerd_version") or containerd_version),
                "interrupted": (facts.get("record") or {}).get("upgrade", ""),
                "disks": disks,
            }
        )
    return found
