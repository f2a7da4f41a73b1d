# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a reset will destroy, and why it must not begin: asked of all hosts before the first one is changed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

NAMES = {"ca_hash": "CA", "id": "UID of the namespace kube-system"}


def plan(examined: Mapping[str, Mapping[str, Any]], kept: Mapping[str, Mapping[str, Any]], name: str) -> dict[str, Any]:
    """Return ``problems`` (sentences) and ``summary`` (a sentence) of a reset.

    :param examined: for each host of the run, the result of host_reset in check mode; {} for a host that does not answer.
    :param kept: the same for a control plane that is kept, {} where the whole cluster is reset.
    :param name: name of the cluster.
    """
    hosts = {**examined, **kept}
    problems = [
        f"{host}: {result['msg']}" for host, result in hosts.items() if result.get("msg") and "cluster" not in result
    ]
    members = {host: result["cluster"] for host, result in hosts.items() if result.get("cluster")}
    for key in NAMES:
        if len({cluster[key] for cluster in members.values()} - {""}) > 1:
            problems.append(_disagreement(members, key, name))
            break
    return {"problems": problems, "summary": _summary(examined, kept, members, name)}


def _disagreement(members: Mapping[str, Mapping[str, str]], key: str, name: str) -> str:
    groups: dict[str, list[str]] = {}
    for host, cluster in members.items():
        if cluster[key]:
            groups.setdefault(cluster[key], []).append(host)
    shown = "; ".join(f"{', '.join(hosts)}: {NAMES[key]} {value}" for value, hosts in groups.items())
    return (
        f"The hosts belong to different clusters with the name '{name}': {shown}. Keep only the hosts of one cluster in the inventory,"
        " or select the hosts of one with --limit."
    )


def _summary(
    examined: Mapping[str, Mapping[str, Any]],
    kept: Mapping[str, Mapping[str, Any]],
    members: Mapping[str, Mapping[str, str]],
    name: str,
) -> str:
    known = {key: next(filter(None, (one[key] for one in members.values())), "") for key in NAMES}
    marks = [f"{NAMES[key]} {value}" for key, value in known.items() if value]
    cluster = f"the cluster '{name}'" + (f" ({', '.join(marks)})" if marks else "")
    found: Mapping[str, Any] = next(
        (result["contents"] for result in {**kept, **examined}.values() if result.get("contents")), {}
    )
    nodes = [host for host, result in examined.items() if result.get("node")]
    silent = [host for host, result in examined.items() if not result]
    if not any(host in members for host in examined):
        text = f"No host of this run belongs to {cluster}"
    elif kept:
        text = f"{_names(nodes) or 'No node'} leaves {cluster}, which keeps its other nodes"
    else:
        text = f"{cluster[0].upper()}{cluster[1:]} is destroyed with all its data: {_contents(found, nodes)}"
    return text + (f". Not reachable, and not reset: {_names(silent)}." if silent else ".")


def _contents(found: Mapping[str, Any], nodes: list[str]) -> str:
    if not found:
        return f"the nodes on {_names(nodes) or 'no host'}; its API does not answer, so the number of its pods and volumes is unknown"
    return f"nodes {_names(found['nodes'])}, {found['pods']} pods and {found['claims']} PersistentVolumeClaims"


def _names(names: Iterable[str]) -> str:
    return ", ".join(names)
