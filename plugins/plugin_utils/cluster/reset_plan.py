# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a reset will destroy, and why it must not begin: asked of all hosts before the first one is changed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

NOT_JOINED = "is not a node of the cluster"
NAMES = {"ca_hash": "CA", "id": "UID of the namespace kube-system"}


def plan(examined: Mapping[str, Mapping[str, Any]], kept: Mapping[str, Mapping[str, Any]], name: str) -> dict[str, Any]:
    """Return ``problems`` (sentences), ``summary`` (a sentence) and ``keeper`` of a reset.

    The keeper is the control plane that drains the nodes and removes them from the rest of the cluster: ``host`` and ``server`` (URL of its own
    API server), empty where no host that is kept belongs to a cluster.

    :param examined: for each host of the run, the result of host_reset in check mode; {} for a host that does not answer.
    :param kept: the same for each control plane that is kept, with ``unreachable`` for one that does not answer.
    :param name: name of the cluster.
    """
    hosts = {**examined, **kept}
    problems = [
        f"{host}: {result['msg']}" for host, result in examined.items() if result.get("msg") and "cluster" not in result
    ]
    answers = {host: _answer(result) for host, result in kept.items()}
    keeper = next((host for host, answer in answers.items() if not answer), "")
    if not keeper and any(answer != NOT_JOINED for answer in answers.values()):
        problems.append(
            f"No control plane that is kept can drain the nodes and remove them from the cluster. Tried: "
            f"{'; '.join(f'{host} {answer}' for host, answer in answers.items())}. Repair one of them, or reset the whole cluster with a run of"
            " all its hosts, without --limit. [slipway:reset_without_keeper]"
        )
    members = {host: result["cluster"] for host, result in hosts.items() if result.get("cluster")}
    for key in NAMES:
        if len({cluster[key] for cluster in members.values()} - {""}) > 1:
            problems.append(_disagreement(members, key, name))
            break
    return {
        "problems": problems,
        "summary": _summary(examined, kept, members, name),
        "keeper": {"host": keeper, "server": kept[keeper]["api_server"] if keeper else ""},
    }


def _answer(result: Mapping[str, Any]) -> str:
    """Return why a control plane that is kept cannot remove nodes, "" if it can."""
    if result.get("unreachable"):
        return f"is not reachable ({result.get('msg', '')})"
    if "cluster" not in result:
        return f"could not be examined ({result.get('msg', '')})"
    if not result["node"]:
        return NOT_JOINED
    return (
        ""
        if result["contents"]
        else f"has an API server that does not answer ({result['api_error'] or 'it is not a complete control plane'})"
    )


def _disagreement(members: Mapping[str, Mapping[str, str]], key: str, name: str) -> str:
    groups: dict[str, list[str]] = {}
    for host, cluster in members.items():
        if cluster[key]:
            groups.setdefault(cluster[key], []).append(host)
    shown = "; ".join(f"{', '.join(hosts)}: {NAMES[key]} {value}" for value, hosts in groups.items())
    return (
        f"The hosts belong to different clusters with the name '{name}': {shown}. Keep only the hosts of one cluster in the inventory,"
        " or select the hosts of one with --limit. [slipway:several_clusters]"
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
