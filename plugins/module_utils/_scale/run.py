# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read a cluster, decide about its stand-by hosts, and record since when nodes are idle: the core of the module scale_plan."""

from __future__ import annotations

import time
from typing import Any, Mapping

from .._diagnosis.view import name_of, namespace_of, spec_of
from .._kube.api import ApiError, Client, now_of
from .._kube.timestamps import seconds_of, to_micro_time
from .._kubeadm.admin import connect
from .._kubeadm.budgets import BUDGETS
from .._kubeadm.issue_credentials import NODES
from .._kubeadm.removal import uncordon
from .fit import Volumes
from .plan import IDLE_SINCE, REASON, Decision, Seen, Settings, decide

LEASES = "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases"
LEASE = "slipway-scale"
DURATION = 3600
"""Seconds after which a run on another control node is taken for ended. It is not renewed: a run is many tasks, between which nothing runs."""


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


def acquire(client: Client, run: str, ended: str) -> str:
    """Let this run be the only one; returns "" or the run that is active.

    :param run: this run.
    :param ended: a run that is known to have ended.
    """
    lease = client.find(f"{LEASES}/{LEASE}")
    holder, renewed = "", 0.0
    if lease:
        holder, renewed = lease["spec"].get("holderIdentity") or "", seconds_of(lease["spec"].get("renewTime"))
    now = now_of(client)
    if holder and holder not in (run, ended) and now - renewed < DURATION:
        return holder
    spec = {
        "holderIdentity": run,
        "leaseDurationSeconds": DURATION,
        "acquireTime": to_micro_time(now),
        "renewTime": to_micro_time(now),
    }
    content = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": LEASE}, "spec": spec}
    try:
        if lease:
            content["metadata"] = {"name": LEASE, "resourceVersion": lease["metadata"]["resourceVersion"]}
            client.replace(f"{LEASES}/{LEASE}", content)
        else:
            client.create(LEASES, content)
    except ApiError as error:
        if error.status != 409:
            raise
        return "another run, which has just started"
    return ""


def release(client: Client, run: str) -> None:
    """Let other runs begin, unless one has begun already."""
    lease = client.find(f"{LEASES}/{LEASE}")
    if lease and lease["spec"].get("holderIdentity") == run:
        client.delete(f"{LEASES}/{LEASE}", version=lease["metadata"]["resourceVersion"])


def converge(params: Mapping[str, Any], check_mode: bool) -> dict[str, Any]:
    """Decide, record it on the nodes, and return the result of the module."""
    client = connect(params["kubeconfig"], params["server"])
    locks = bool(params["run"]) and not check_mode
    if params["state"] == "released":
        if locks:
            release(client, params["run"])
        return {"changed": False}
    active = acquire(client, params["run"], params["ended"]) if locks else ""
    if active:
        nothing: list[str] = []
        return {
            "changed": False,
            "active": active,
            **dict.fromkeys(("changes", "joins", "leaves", "plan", "notes"), nothing),
        }
    settings = Settings(params["minimum"], params["maximum"], params["pending_after"], params["idle_after"])
    decision = decide(read(client), params["hosts"], settings, time.time())
    changes = changes_of(decision)
    if not check_mode:
        for name, since in decision.idle.items():
            client.patch(f"{NODES}/{name}", {"metadata": {"annotations": {IDLE_SINCE: since}}})
        for name in decision.returns:
            uncordon(client, name, REASON, dry=False)
    if locks and not decision.joins and not decision.leaves:
        release(client, params["run"])
    hosts = {host["node"]: host["host"] for host in params["hosts"]}
    plan = [f"{hosts[name]} joins: {why}" for name, why in decision.joins.items()]
    plan += [f"{hosts[name]} stays: {why}" for name, why in decision.returns.items()]
    plan += [f"{hosts[name]} leaves: {why}" for name, why in decision.leaves.items()]
    return {
        "changed": bool(changes),
        "changes": changes,
        "active": "",
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
