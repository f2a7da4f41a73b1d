# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read a cluster, decide about its stand-by hosts, and record since when nodes are idle: the core of the module scale_plan."""

from __future__ import annotations

import time
from typing import Any, Mapping

from .._diagnosis.view import name_of, namespace_of, spec_of
from .._kube.api import Client
from .._kubeadm.admin import connect
from .._kubeadm.budgets import BUDGETS
from .._kubeadm.issue_credentials import NODES
from .._kubeadm.removal import uncordon
from .fit import Volumes
from .plan import IDLE_SINCE, REASON, Decision, Seen, Settings, decide


def read(client: Client) -> Seen:
    """Return what the decision needs of a cluster."""
    nodes, pods, budgets, daemon_sets, volumes, claims = client.each(
        client.items,
        (
            NODES,
            "/api/v1/pods",
            BUDGETS,
            "/apis/apps/v1/daemonsets",
            "/api/v1/persistentvolumes",
            "/api/v1/persistentvolumeclaims",
        ),
    )
    bound = {(namespace_of(one), name_of(one)): spec_of(one).get("volumeName") or "" for one in claims}
    return Seen(
        {name_of(node): node for node in nodes},
        pods,
        budgets,
        daemon_sets,
        Volumes({name_of(one): one for one in volumes}, bound),
    )


def changes_of(decision: Decision) -> list[str]:
    """Return what changes on nodes before hosts join and leave, as sentences."""
    changes = [
        f"node {name}: {f'idle since {since}' if since else 'not idle any more'}"
        for name, since in decision.idle.items()
    ]
    return changes + [f"node {name} uncordoned: {why}" for name, why in decision.returns.items()]


def converge(params: Mapping[str, Any], check_mode: bool) -> dict[str, Any]:
    """Decide, record it on the nodes, and return the result of the module."""
    client = connect(params["kubeconfig"], params["server"])
    settings = Settings(params["minimum"], params["maximum"], params["pending_after"], params["idle_after"])
    decision = decide(read(client), params["hosts"], settings, time.time())
    changes = changes_of(decision)
    if not check_mode:
        for name, since in decision.idle.items():
            client.patch(f"{NODES}/{name}", {"metadata": {"annotations": {IDLE_SINCE: since}}})
        for name in decision.returns:
            uncordon(client, name, REASON, dry=False)
    hosts = {host["node"]: host["host"] for host in params["hosts"]}
    plan = [f"{hosts[name]} joins: {why}" for name, why in decision.joins.items()]
    plan += [f"{hosts[name]} stays: {why}" for name, why in decision.returns.items()]
    plan += [f"{hosts[name]} leaves: {why}" for name, why in decision.leaves.items()]
    return {
        "changed": bool(changes),
        "changes": changes,
        "joins": [hosts[name] for name in decision.joins],
        "leaves": [hosts[name] for name in decision.leaves],
        "plan": plan,
        "notes": decision.notes,
        "diff": {
            "before": "",
            "after": "".join(f"{change}\n" for change in changes),
            "after_header": "changes of nodes",
        },
    }
