# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which control plane the others are made from. It is found, not assumed to be the first."""

from __future__ import annotations

from typing import Any, Iterable, Mapping

from ...module_utils._kubeadm.config import join_endpoint

ANSWERS, SILENT, UNFINISHED, NONE = "answers", "silent", "unfinished", "none"


def cluster_nodes(
    hostvars: Mapping[str, Any], control_planes: Iterable[str], workers: Iterable[str] = ()
) -> list[dict[str, Any]]:
    """The cluster as the inventory has it, control planes first, each in inventory order.

    Each item: host (inventory name), control_plane, address (the node's first; "" where not known), etcd (URL of its etcd,
    were it a control plane), member (in the cluster, wholly), look (``kube_host``, or {} where the host was not looked at),
    identity (what kubeadm_credentials wants to know of who joins) and wanted (what the module nodes wants to know).
    """
    nodes = []
    planes = list(control_planes)
    for host in dict.fromkeys([*planes, *workers]):
        variables = hostvars[host]
        look = variables.get("kube_host") or {}
        addresses = str(variables.get("kube_node_ip") or look.get("network", {}).get("default_address") or "").split(
            ","
        )
        addresses = [address.strip() for address in addresses if address.strip()]
        identity = {
            "name": str(variables.get("kube_node_name") or host),
            "addresses": addresses,
            "control_plane": host in planes,
        }
        nodes.append(
            {
                "host": host,
                "control_plane": host in planes,
                "address": addresses[0] if addresses else "",
                "etcd": "https://" + join_endpoint(addresses[0], 2379) if addresses else "",
                "member": is_member({"look": look}) or bool(variables.get("__kube_joined")),
                "look": look,
                "identity": {
                    **identity,
                    "machine_id": look.get("machine_id") or "",
                    "seen": look.get("time") or 0.0,
                },
                "wanted": {
                    **identity,
                    "host_names": [look["hostname"]] if look.get("hostname") else [],
                    "labels": dict(variables.get("kube_node_labels") or {}),
                    "taints": list(variables.get("kube_node_taints") or []),
                },
            }
        )
    return nodes


def is_member(node: Mapping[str, Any]) -> bool:
    """Whether a host is in a cluster, wholly: an operation that was not finished does not count."""
    look = node.get("look") or {}
    return bool(look.get("cluster", {}).get("member")) and not look.get("record", {}).get("operation")


def choose_source(nodes: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Decide which control plane is the source: ``{host, state, problem}``.

    ``state``: ``answers`` (it runs), ``silent`` (it is in the cluster but its API server did not answer when it was looked
    at), ``unfinished`` (its init was interrupted), ``none`` (there is no cluster yet: it is made there). ``problem`` says
    why no control plane may be used or made; "" where one may.
    """
    nodes = list(nodes)
    planes = [node for node in nodes if node["control_plane"]]

    def answer(host: str = "", state: str = NONE, problem: str = "") -> dict[str, str]:
        return {"host": host, "state": state, "problem": problem}

    foreign = [node for node in nodes if is_member(node) and not node["look"].get("record", {}).get("marked")]
    if foreign:
        return answer(
            problem=f"{_names(foreign)} is in a cluster that this collection did not make"
            f" (endpoint {foreign[0]['look']['cluster'].get('endpoint') or 'unknown'}, no record on the host)."
            " Take it out of the inventory, or reset it with the tool that made it."
        )
    members = [node for node in nodes if is_member(node)]
    hashes = {node["look"]["cluster"].get("ca_hash", "") for node in members} - {""}
    if len(hashes) > 1:
        shown = "; ".join(f"{node['host']} {node['look']['cluster'].get('ca_hash', '')[:19]}" for node in members)
        return answer(
            problem=f"The hosts are in different clusters, by the hash of their CA: {shown}."
            " Keep the hosts of one cluster in the inventory, or reset those that are to change over."
        )
    leading = [node for node in members if node["control_plane"]]
    for node in leading:
        if node["look"]["cluster"].get("healthy"):
            return answer(node["host"], ANSWERS)
    if leading:
        return answer(leading[0]["host"], SILENT)
    if members:
        return answer(
            problem=f"{_names(members)} is in a cluster (endpoint {members[0]['look']['cluster'].get('endpoint') or 'unknown'})"
            " of which no control plane of the inventory is a member. Add its control plane to the inventory, or reset the host."
        )
    unseen = [node for node in planes if not node.get("look")]
    if unseen:
        return answer(
            problem=f"{_names(unseen)} was not looked at, so that a cluster there may be cannot be told from none, and a"
            " second one might be made. Make it reachable (or leave out --limit), or take it out of the inventory."
        )
    for node in planes:
        if node["look"].get("record", {}).get("operation") == "init":
            return answer(node["host"], UNFINISHED)
    if planes:
        return answer(planes[0]["host"], NONE)
    return answer(problem="The inventory has no control plane. Put a host into the group kube_control_plane.")


def _names(nodes: Iterable[Mapping[str, Any]]) -> str:
    return ", ".join(node["host"] for node in nodes)
