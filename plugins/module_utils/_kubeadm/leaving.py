# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which nodes are meant by names, and whether they may leave the cluster: the core of the module node_plan.

Quorum: https://etcd.io/docs/v3.6/faq/#what-is-failure-tolerance
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Iterable, Mapping

from .._host.system import HostError
from . import etcd
from .admin import connect
from .budgets import BUDGETS, refuse_drain
from .issue_credentials import NODES
from .removal import is_ready

CONTROL_PLANE = "node-role.kubernetes.io/control-plane"


@dataclass
class Seen:
    """What was read of the cluster.

    :ivar members: names of the members of etcd, and whether each is healthy.
    """

    nodes: dict[str, Any] = field(default_factory=dict)
    pods: list[dict[str, Any]] = field(default_factory=list)
    budgets: list[dict[str, Any]] = field(default_factory=list)
    members: dict[str, bool] = field(default_factory=dict)


def resolve(names: Iterable[str], hosts: Mapping[str, str], seen: Seen) -> tuple[list[dict[str, Any]], list[str]]:
    """Return the nodes that are meant, and why some names mean none.

    :param names: of hosts in the inventory, or of nodes.
    :param hosts: name of the node by the name of its host.
    :returns: for each node ``name``, ``host`` (in the inventory, "" if it is not there), ``control_plane``, ``registered`` and ``ready``.
    """
    by_name = {name: host for host, name in hosts.items()}
    found: dict[str, dict[str, Any]] = {}
    refused = []
    for asked in names:
        name = hosts.get(asked, asked)
        host, node = by_name.get(name, ""), seen.nodes.get(name)
        if not host and node is None:
            refused.append(
                f"'{asked}' is neither a host of the inventory nor a node of the cluster. Evidence: the nodes are"
                f" {', '.join(sorted(seen.nodes))}. Correct the name. [slipway:unknown_node]"
            )
            continue
        labels = (node or {"metadata": {}})["metadata"].get("labels") or {}
        found[name] = {
            "name": name,
            "host": host,
            "control_plane": CONTROL_PLANE in labels or name in seen.members,
            "registered": node is not None,
            "ready": node is not None and is_ready(node),
        }
    return list(found.values()), refused


def refuse_removal(leaving: Iterable[Mapping[str, Any]], seen: Seen, force: bool) -> list[str]:
    """Return every reason why these nodes must not leave the cluster, in one list."""
    leaving = list(leaving)
    names = {node["name"] for node in leaving}
    planes = {name for name, node in seen.nodes.items() if CONTROL_PLANE in (node["metadata"].get("labels") or {})}
    refused = []
    if planes and planes <= names:
        refused.append(
            f"No control plane would be left. Evidence: the cluster has {len(planes)} ({', '.join(sorted(planes))}), and all of them would be"
            " removed. To remove the whole cluster, run slipway.kube.reset. [slipway:no_control_plane_left]"
        )
    left = {name: healthy for name, healthy in seen.members.items() if name not in names}
    if left and left != seen.members:
        refused += refuse_quorum(seen.members, left)
    elif seen.members and not left and not refused:
        refused.append(
            f"No member of etcd would be left, and with it the state of the whole cluster. Evidence: {', '.join(sorted(seen.members))} are all of"
            " them. To remove the whole cluster, run slipway.kube.reset. [slipway:etcd_quorum_lost]"
        )
    return refused + refuse_drain(_pods_on(leaving, seen), seen.budgets, force, "force their eviction")


def refuse_reboot(leaving: Iterable[Mapping[str, Any]], seen: Seen, force: bool) -> list[str]:
    """Return every reason why these nodes must not be rebooted, one control plane at a time, in one list.

    One or two members of etcd cannot do without one, whatever their state, so that the API is not available meanwhile.
    """
    leaving = list(leaving)
    refused = [
        f"Host '{node['host']}' is not a node of the cluster. Evidence: there is no Node '{node['name']}'. Run slipway.kube.cluster first."
        " [slipway:host_not_a_node]"
        for node in leaving
        if not node["registered"]
    ]
    needed = len(seen.members) // 2 + 1
    for node in leaving:
        others = {name: fine for name, fine in seen.members.items() if name != node["name"]}
        ill = ", ".join(name for name, fine in others.items() if not fine)
        if node["name"] in seen.members and ill and sum(others.values()) < needed:
            refused.append(
                f"etcd would have no quorum while control plane '{node['name']}' reboots. Evidence: of the {len(others)} other members,"
                f" {sum(others.values())} are healthy ({ill} is not), and {needed} are needed. Repair that member first. [slipway:etcd_quorum_lost]"
            )
    return refused + refuse_drain(_pods_on(leaving, seen), seen.budgets, force, "force their eviction")


def _pods_on(nodes: Iterable[Mapping[str, Any]], seen: Seen) -> list[dict[str, Any]]:
    """Return the pods on those of the nodes that are Ready."""
    names = {node["name"] for node in nodes if node["ready"]}
    return [pod for pod in seen.pods if pod["spec"].get("nodeName") in names]


def refuse_quorum(members: Mapping[str, bool], left: Mapping[str, bool]) -> list[str]:
    """Return why etcd must not lose those of its members that are not left, [] if it may.

    :param members: all of them, and whether each is healthy.
    """
    healthy, needed = sum(members.values()), len(members) // 2 + 1
    if healthy < needed:
        return [
            f"etcd has no quorum, so no member can be removed. Evidence: {healthy} of {len(members)} members are healthy, and {needed} are needed."
            " Restore a member, or restore etcd from a snapshot. [slipway:etcd_quorum_lost]"
        ]
    after, needed = sum(left.values()), len(left) // 2 + 1
    if after >= needed:
        return []
    ill = ", ".join(name for name, fine in left.items() if not fine)
    return [
        f"etcd would lose its quorum. Evidence: of the {len(left)} members that would be left, {after} are healthy ({ill} is not), and {needed}"
        " are needed. Repair that member, or remove it first. [slipway:etcd_quorum_lost]"
    ]


def read_members(pki: str = etcd.PKI) -> dict[str, bool]:
    """Return the members of etcd and whether each is healthy; {} on a host without credentials for etcd."""
    if not etcd.has_credentials(pki):
        return {}
    members = {}
    for member in etcd.list_members(etcd.find_endpoint(pki), pki):
        urls = member.get("clientURLs") or []
        fine = bool(urls) and not etcd.member_errors(urls[0], pki)
        members[member.get("name") or " ".join(member.get("peerURLs", []))] = fine
    return members


def converge(params: Mapping[str, Any], _check_mode: bool) -> dict[str, Any]:
    """Return the nodes that are meant, and why nothing must be done. Changes nothing.

    :raises HostError: no name is given, or etcd does not respond.
    """
    if not params["names"]:
        raise HostError("No node is given. Name hosts of the inventory or nodes of the cluster. [slipway:unknown_node]")
    client = connect(params["kubeconfig"], params["server"])
    seen = Seen(
        {node["metadata"]["name"]: node for node in client.items(NODES)},
        client.items("/api/v1/pods"),
        client.items(BUDGETS),
        read_members(),
    )
    nodes, refused = resolve(params["names"], params["hosts"], seen)
    if params["purpose"] == "remove":
        refused += refuse_removal(nodes, seen, params["force"])
    elif params["purpose"] == "reboot":
        refused += refuse_reboot(nodes, seen, params["force"])
    return {"changed": False, "nodes": nodes, "refused": refused}
