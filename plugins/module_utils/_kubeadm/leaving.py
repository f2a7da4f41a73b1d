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

    :ivar members: names of the voting members of etcd, and whether each is healthy.
    :ivar unstarted: peer URL of members that never started, by their address: they were added, and have no name yet.
    :ivar external: whether etcd runs on hosts of its own, which are no nodes.
    """

    nodes: dict[str, Any] = field(default_factory=dict)
    pods: list[dict[str, Any]] = field(default_factory=list)
    budgets: list[dict[str, Any]] = field(default_factory=list)
    members: dict[str, bool] = field(default_factory=dict)
    unstarted: dict[str, str] = field(default_factory=dict)
    external: bool = False


def resolve(
    names: Iterable[str], hosts: Mapping[str, str], seen: Seen, addresses: Mapping[str, Iterable[str]] | None = None
) -> tuple[list[dict[str, Any]], list[str]]:
    """Return the nodes that are meant, and why some names mean none.

    :param names: of hosts in the inventory, or of nodes, or the address or the peer URL of a member of etcd that never started.
    :param hosts: name of the node by the name of its host.
    :param addresses: of the hosts, by their names.
    :returns: for each node ``name``, ``host`` (in the inventory, "" if it is not there), ``control_plane``, ``registered``, ``ready`` and
        ``unstarted`` (addresses of its member of etcd if that never started).
    """
    by_name = {name: host for host, name in hosts.items()}
    found: dict[str, dict[str, Any]] = {}
    refused = []
    for asked in names:
        name = hosts.get(asked, asked)
        host, node = by_name.get(name, ""), seen.nodes.get(name)
        known = {etcd.address_of(one) for one in [asked, *((addresses or {}).get(host) or [])]}
        unstarted = sorted(known & set(seen.unstarted))
        if not host and node is None and not unstarted:
            left = f", and members of etcd that never started {', '.join(sorted(seen.unstarted.values()))}"
            refused.append(
                f"'{asked}' is neither a host of the inventory nor a node of the cluster. Evidence: the nodes are"
                f" {', '.join(sorted(seen.nodes))}{left if seen.unstarted else ''}. Correct the name. [slipway:unknown_node]"
            )
            continue
        labels = (node or {"metadata": {}})["metadata"].get("labels") or {}
        found[name] = {
            "name": name,
            "host": host,
            "control_plane": CONTROL_PLANE in labels or name in seen.members,
            "registered": node is not None,
            "ready": node is not None and is_ready(node),
            "unstarted": unstarted,
        }
    return list(found.values()), refused


def refuse_removal(leaving: Iterable[Mapping[str, Any]], seen: Seen, force: bool) -> list[str]:
    """Return every reason why these nodes must not leave the cluster, in one list."""
    leaving = list(leaving)
    names = {node["name"] for node in leaving}
    names |= {seen.unstarted[address] for node in leaving for address in node["unstarted"]}
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
    """Return every reason why these hosts must not be rebooted, one control plane or member of an external etcd at a time, in one list.

    One or two members of etcd cannot do without one, whatever their state, so that the API is not available meanwhile.
    """
    leaving = list(leaving)
    refused = [
        f"Host '{node['host']}' is not a node of the cluster. Evidence: there is no Node '{node['name']}'. Run slipway.kube.cluster first."
        " [slipway:host_not_a_node]"
        for node in leaving
        if not node["registered"] and not (seen.external and node["name"] in seen.members)
    ]
    needed, kind = len(seen.members) // 2 + 1, "" if seen.external else "control plane "
    for node in leaving:
        others = {name: fine for name, fine in seen.members.items() if name != node["name"]}
        ill = ", ".join(name for name, fine in others.items() if not fine)
        if node["name"] in seen.members and ill and sum(others.values()) < needed:
            refused.append(
                f"etcd would have no quorum while {kind}'{node['name']}' reboots. Evidence: of the {len(others)} other members,"
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


def read_members(pki: str = etcd.PKI) -> tuple[dict[str, bool], dict[str, str]]:
    """Return the voting members of etcd and whether each is healthy, and those that never started, see :class:`Seen`.

    Both are empty on a host without credentials for etcd. A learner does not count for the quorum.
    """
    members: dict[str, bool] = {}
    unstarted: dict[str, str] = {}
    for member in etcd.list_members(etcd.find_endpoint(pki), pki) if etcd.has_credentials(pki) else []:
        urls, peers = member.get("clientURLs") or [], member.get("peerURLs") or [""]
        if not member.get("name"):
            unstarted.update({etcd.address_of(peer): peers[0] for peer in peers})
        if not member.get("isLearner"):
            members[member.get("name") or peers[0]] = bool(urls) and not etcd.member_errors(urls[0], pki)
    return members, unstarted


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
        *read_members(),
        bool(etcd.external_servers()),
    )
    nodes, refused = resolve(params["names"], params["hosts"], seen, params["addresses"])
    if params["purpose"] == "remove":
        refused += refuse_removal(nodes, seen, params["force"])
    elif params["purpose"] == "reboot":
        refused += refuse_reboot(nodes, seen, params["force"])
    return {"changed": False, "nodes": nodes, "refused": refused}
