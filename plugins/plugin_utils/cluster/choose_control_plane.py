# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The nodes of the inventory, and the choice of the reference control plane: the one that the other hosts join through.

It is chosen by the state of the hosts, not by their order in the inventory.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ...module_utils._kubeadm.config import join_endpoint
from . import standby

ETCD_PORT = 2379
HEALTHY, UNHEALTHY, INTERRUPTED, NONE = "healthy", "unhealthy", "interrupted", "none"


def cluster_nodes(
    hostvars: Mapping[str, Any], control_planes: Iterable[str], workers: Iterable[str] = ()
) -> list[dict[str, Any]]:
    """Return the nodes of the inventory, control planes first, each group in inventory order.

    Each node has ``host`` (inventory name), ``control_plane``, ``address`` (its first; "" if unknown), ``etcd`` (URL of its etcd if it is
    a control plane), ``member`` (whether it is a complete member of the cluster), ``facts`` (``kube_host``, or {} if no facts were
    gathered), ``identity`` (as kubeadm_credentials expects it) and ``desired`` (as the module nodes expects it).
    """
    planes = list(control_planes)
    nodes = []
    for host in dict.fromkeys([*planes, *workers]):
        variables = hostvars[host]
        facts = variables.get("kube_host") or {}
        listed = str(variables.get("kube_node_ip") or facts.get("network", {}).get("default_address") or "")
        addresses = [address.strip() for address in listed.split(",") if address.strip()]
        control_plane = host in planes
        identity = {
            "name": str(variables.get("kube_node_name") or host),
            "addresses": addresses,
            "control_plane": control_plane,
        }
        nodes.append(
            {
                "host": host,
                "control_plane": control_plane,
                "address": addresses[0] if addresses else "",
                "etcd": "https://" + join_endpoint(addresses[0], ETCD_PORT) if addresses else "",
                "member": is_member(facts) or bool(variables.get("__kube_joined")),
                "facts": facts,
                "identity": {
                    **identity,
                    "machine_id": facts.get("machine_id") or "",
                    "seen": facts.get("time") or 0.0,
                },
                "desired": {
                    **identity,
                    "host_names": [facts["hostname"]] if facts.get("hostname") else [],
                    "labels": {
                        **({standby.LABEL: "true"} if standby.GROUP in variables.get("group_names", ()) else {}),
                        **(variables.get("kube_node_labels") or {}),
                    },
                    "taints": list(variables.get("kube_node_taints") or []),
                },
            }
        )
    return nodes


def is_member(facts: Mapping[str, Any]) -> bool:
    """Return whether a host is a complete member of a cluster: one with an interrupted operation is not."""
    return bool(facts.get("cluster", {}).get("member")) and not facts.get("record", {}).get("operation")


def choose(nodes: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Choose the reference control plane: ``{host, state, problem}``.

    ``state`` is ``healthy`` (its API server responds), ``unhealthy`` (it belongs to the cluster, but its API server did not respond when facts
    were gathered), ``interrupted`` (its kubeadm init did not finish) or ``none`` (no cluster exists, and it is created there).
    ``problem`` says why there is no usable control plane and why none may be created; it is "" otherwise.
    """
    nodes = list(nodes)
    planes = [node for node in nodes if node["control_plane"]]
    members = [node for node in nodes if is_member(node["facts"])]
    problem = _membership_problem(members)
    if problem:
        return _choice(problem=problem)
    leading = [node for node in members if node["control_plane"]]
    for node in leading:
        if node["facts"]["cluster"].get("healthy"):
            return _choice(node["host"], HEALTHY)
    if leading:
        return _choice(leading[0]["host"], UNHEALTHY)
    if members:
        return _choice(
            problem=f"{_names(members)} belongs to a cluster (endpoint {_endpoint(members[0])}), but no control plane of the inventory does."
            " Add the cluster's control plane to the inventory, or reset the host. [slipway:control_plane_missing]"
        )
    unknown = [node for node in planes if not node["facts"]]
    if unknown:
        return _choice(
            problem=f"{_names(unknown)} could not be inspected, so an existing cluster cannot be ruled out and a second one might be created."
            " Make the host reachable (or run without --limit), or remove it from the inventory. [slipway:control_plane_missing]"
        )
    for node in planes:
        if node["facts"].get("record", {}).get("operation") in ("init", "restore"):
            return _choice(node["host"], INTERRUPTED)
    if planes:
        return _choice(planes[0]["host"], NONE)
    return _choice(
        problem="The inventory has no control plane. Add a host to the group kube_control_plane. [slipway:groups]"
    )


def _membership_problem(members: list[Mapping[str, Any]]) -> str:
    foreign = [node for node in members if not node["facts"].get("record", {}).get("marked")]
    if foreign:
        return (
            f"{_names(foreign)} belongs to a cluster that this collection did not create (endpoint {_endpoint(foreign[0])}, no record on"
            " the host). Remove it from the inventory, or reset it with the tool that created the cluster. [slipway:unmarked_member]"
        )
    if any(node["facts"]["cluster"].get("rotating") for node in members):
        return ""  # until the rotation is finished, the first of two authorities differs between hosts
    hashes = {node["host"]: node["facts"]["cluster"].get("ca_hash", "") for node in members}
    if len(set(hashes.values()) - {""}) > 1:
        shown = "; ".join(f"{host} {digest[:19]}" for host, digest in hashes.items())
        return (
            f"The hosts belong to different clusters, according to the hashes of their CAs: {shown}."
            " Keep only the hosts of one cluster in the inventory, or reset the hosts that are to move to it. [slipway:several_clusters]"
        )
    return ""


def _choice(host: str = "", state: str = NONE, problem: str = "") -> dict[str, str]:
    return {"host": host, "state": state, "problem": problem}


def _endpoint(node: Mapping[str, Any]) -> str:
    return node["facts"]["cluster"].get("endpoint") or "unknown"


def _names(nodes: Iterable[Mapping[str, Any]]) -> str:
    return ", ".join(node["host"] for node in nodes)
