# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Draining a node, letting pods run on it again, and removing it from the cluster: the core of the module node.

Which pods are evicted follows ``kubectl drain --ignore-daemonsets --delete-emptydir-data``
(https://kubernetes.io/docs/tasks/administer-cluster/safely-drain-node/).
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Iterable, Mapping

from .._host.system import HostError
from .._kube.api import ApiError, Client, Unreachable
from .._kube.progress import tell
from .._kube.readiness import condition
from .._kube.versions import minor_of
from .._kube.x509 import ca_cert_hash
from . import credentials, etcd
from .admin import connect, has_kubeconfig
from .budgets import BUDGETS, MIRROR, controller_kind, has_local_data, is_bare, is_ending, is_evicted, obstacles, title
from .issue_credentials import LEASES, NODES

# Who cordoned a node that nobody had cordoned before, so that only this one is undone.
CORDONED_BY = "slipway.kube/cordoned-by"


# Seconds for which the static pods of a control plane must have been ready.
SETTLED = 12


@dataclass
class Draining:
    """How a node is drained.

    :param timeout: seconds.
    :param force: whether pods without a controller are evicted, which nothing starts again.
    :param reason: recorded on the node if this call cordons it, see :func:`uncordon`.
    """

    timeout: int = 300
    force: bool = False
    reason: str = ""


def is_ready(node: Mapping[str, Any]) -> bool:
    """Return whether the kubelet of a node works."""
    return condition(node, "Ready").get("status") == "True"


def is_lost(node: Mapping[str, Any]) -> bool:
    """Return whether nothing was heard of the kubelet of a node for so long that its pods cannot be expected to end.

    A kubelet that reports itself not ready ends pods all the same (https://kubernetes.io/docs/reference/node/node-status/#condition).
    """
    return condition(node, "Ready").get("status") == "Unknown"


def cordoned_by(node: Mapping[str, Any]) -> str:
    """Return the recorded reason for which a node is cordoned, "" if an administrator did it or it is not cordoned."""
    annotation = (node.get("metadata", {}).get("annotations") or {}).get(CORDONED_BY, "")
    return annotation if node.get("spec", {}).get("unschedulable") else ""


def cordon(client: Client, node: Mapping[str, Any], reason: str, dry: bool) -> list[str]:
    """Cordon a node and return what was changed. An administrator who cordons it as well owns it from then on."""
    patch: dict[str, Any] = {}
    if not node["spec"].get("unschedulable"):
        patch = {"spec": {"unschedulable": True}, "metadata": {"annotations": {CORDONED_BY: reason or None}}}
    elif cordoned_by(node) and not reason:
        patch = {"metadata": {"annotations": {CORDONED_BY: None}}}
    if patch and not dry:
        client.patch(f"{NODES}/{node['metadata']['name']}", patch)
    return [f"node {node['metadata']['name']} cordoned"] if patch else []


def uncordon(client: Client, name: str, reason: str, dry: bool) -> list[str]:
    """Let pods run on a node again and return what was changed.

    :param reason: only if it was cordoned for this reason; "" for any.
    """
    node = client.find(f"{NODES}/{name}")
    if node is None or not node["spec"].get("unschedulable") or reason and cordoned_by(node) != reason:
        return []
    if not dry:
        patch = {"spec": {"unschedulable": None}, "metadata": {"annotations": {CORDONED_BY: None}}}
        client.patch(f"{NODES}/{name}", patch)
    return [f"node {name} uncordoned"]


def wait_until_ready(
    client: Client, name: str, version: str, timeout: int, boot_id: str = "", settled: float = SETTLED
) -> None:
    """Wait until a node is Ready, its kubelet runs a version, and it was seen since a boot.

    A kubelet of another minor version starts the static pods of a control plane anew some seconds after its own start, so these must have
    been ready for a while.

    :param version: of the kubelet, "" for any.
    :param timeout: seconds.
    :param boot_id: of the current boot, "" for any. Until the kubelet reports, the API server knows the state before the boot.
    :param settled: seconds for which static pods must have been ready.
    :raises HostError: it is not in time.
    """
    end, since = time.monotonic() + timeout, 0.0
    while True:
        try:
            problem, static = _not_ready(client, name, version, boot_id)
        except (ApiError, Unreachable) as error:
            problem, static = str(error), True
        now = time.monotonic()
        since = 0.0 if problem else since or now
        if since and (not static or now - since >= settled):
            return
        tell(f"waits for node {name}", problem or "its static pods are ready, and must stay so for a moment")
        if now > end and problem:
            raise HostError(
                f"Node '{name}' is not ready{f' with version {version}' if version else ''} after {timeout} seconds; it stays cordoned."
                f" Evidence: {problem}."
                " Remedy: see 'journalctl -u kubelet' on its host, then run again. [slipway:node_not_ready]"
            )
        time.sleep(1)


def _not_ready(client: Client, name: str, version: str, boot_id: str) -> tuple[str, bool]:
    """Return what a node lacks, "" if nothing, and whether it has static pods."""
    node: Mapping[str, Any] = client.find(f"{NODES}/{name}") or {"metadata": {"name": name}}
    info = node.get("status", {}).get("nodeInfo", {})
    running = info.get("kubeletVersion", "").lstrip("v")
    pods = client.items("/api/v1/pods", {"fieldSelector": f"spec.nodeName={name}"})
    static = [pod for pod in pods if MIRROR in (pod["metadata"].get("annotations") or {})]
    if boot_id and info.get("bootID") != boot_id:
        return "its kubelet has not reported since the boot", bool(static)
    if version not in ("", running) or not is_ready(node):
        return f"its kubelet is {running or 'unknown'}, and the node is {'' if is_ready(node) else 'not '}Ready", bool(
            static
        )
    starting = [title(pod) for pod in static if not is_ready(pod)]
    return f"static pods are not ready: {', '.join(starting)}" if starting else "", bool(static)


def evict(client: Client, pods: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Request the eviction of pods that are not being deleted yet.

    :returns: for each pod that must not be evicted now, why: a PodDisruptionBudget allows no disruption (429), or several select it (500).
    """
    blocked = {}
    for pod in pods:
        metadata = pod["metadata"]
        if metadata.get("deletionTimestamp"):
            continue
        body = {
            "apiVersion": "policy/v1",
            "kind": "Eviction",
            "metadata": {"name": metadata["name"], "namespace": metadata["namespace"]},
            "deleteOptions": {"preconditions": {"uid": metadata["uid"]}},
        }
        try:
            client.create(f"/api/v1/namespaces/{metadata['namespace']}/pods/{metadata['name']}/eviction", body)
        except ApiError as error:
            if error.status not in (404, 409, 429, 500):
                raise
            if error.status in (429, 500):
                blocked[title(pod)] = " ".join([error.message, *(cause.get("message", "") for cause in error.causes)])
    return blocked


def notes_on(name: str, pods: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return what an administrator should know about the pods of a node that is drained."""
    pods = list(pods)
    groups = {
        "stay on node {}, they belong to DaemonSets": [pod for pod in pods if controller_kind(pod) == "DaemonSet"],
        "lose the data of their emptyDir volumes on node {}": [
            pod for pod in pods if is_evicted(pod) and has_local_data(pod)
        ],
        "have no controller and are not started again after their eviction from node {}": list(filter(is_bare, pods)),
    }
    return [f"pods {', '.join(map(title, found))} {text.format(name)}" for text, found in groups.items() if found]


def drain(client: Client, name: str, how: Draining, dry: bool) -> tuple[list[str], list[str]]:
    """Cordon a node and evict its pods, and wait until they have ended.

    The pods of a node that is not Ready when the drain begins, or that is lost meanwhile, are not waited for: they cannot end.

    :returns: what was changed and what an administrator should know, as sentences.
    :raises HostError: a pod has no controller and *how* does not force its eviction, or pods are left on the node after the timeout.
    """
    node = client.find(f"{NODES}/{name}")
    if node is None:
        return [], []
    works = is_ready(node)
    on_node = {"fieldSelector": f"spec.nodeName={name}"}
    found = client.items("/api/v1/pods", on_node)
    notes, bare = notes_on(name, found), [title(pod) for pod in found if is_bare(pod)]
    if bare and not how.force:
        raise HostError(
            f"Node '{name}' was not drained and nothing was changed: nothing would start these pods again, since they have no controller."
            f" Evidence: {', '.join(bare)}. Delete them, or force their eviction. [slipway:pods_without_controller]"
        )
    changes = cordon(client, node, how.reason, dry)
    client.patience = 0  # the loop repeats all requests
    pods: list[Any] | None
    evicted: list[str] = []
    end = time.monotonic() + how.timeout
    while True:
        blocked, problem, pods = {}, "", None
        try:
            pods = [pod for pod in client.items("/api/v1/pods", on_node) if is_evicted(pod) or is_ending(pod)]
            evicted += [title(pod) for pod in filter(is_evicted, pods) if title(pod) not in evicted]
            blocked = {} if dry else evict(client, pods)
            node = client.find(f"{NODES}/{name}") or node  # its host may be lost by now
        except (ApiError, Unreachable) as error:
            if isinstance(error, ApiError) and not client.is_transient(error):
                raise
            problem = str(error)
        waiting = pods is None or blocked or pods and works and not is_lost(node)
        left = [f"{pod}: {blocked.get(pod, 'terminating')}" for pod in map(title, pods or [])]
        tell(f"drains node {name}: {len(left)} of {len(evicted)} pods have not ended yet", *left)
        if dry or not waiting:
            return [*changes, *(f"pod {pod} evicted from node {name}" for pod in evicted)], notes
        if time.monotonic() > end:
            raise HostError(_not_drained(client, name, how, pods or [], blocked, problem))
        time.sleep(1)


def _not_drained(
    client: Client, name: str, how: Draining, pods: list[Any], blocked: Mapping[str, str], problem: str
) -> str:
    reasons = [f"{pod}: {blocked.get(pod, 'it has not ended yet')}" for pod in map(title, pods)]
    try:
        reasons += obstacles([pod for pod in pods if title(pod) in blocked], client.items(BUDGETS))
    except (ApiError, Unreachable):
        pass  # the responses to the evictions name the budgets as well
    # Who gives a reason uncordons the node by it.
    cordoned = ("", "") if how.reason else ("; it stays cordoned", f" 'kubectl uncordon {name}' uncordons it.")
    return (
        f"Node '{name}' was not drained within {how.timeout} seconds{cordoned[0]}. Evidence: {'; '.join(reasons[:8]) or problem}. Remedy: give"
        f" the applications room on other nodes, or relax their PodDisruptionBudgets, and run again.{cordoned[1]} [slipway:drain_timeout]"
    )


def check_stopped(client: Client, name: str, machine_id: str) -> Mapping[str, Any] | None:
    """Return a Node whose host runs no kubelet, None if there is no such Node.

    :raises HostError: a machine is running under this name.
    """
    node = client.find(f"{NODES}/{name}")
    if node is None:
        return None
    reason = credentials.reason_to_keep_node(node, client.find(f"{LEASES}/{name}") or {}, machine_id, time.time())
    if reason and not machine_id:
        raise HostError(
            f"Node '{name}' was not deleted: its kubelet runs, although its host was not reset. Evidence: the node is Ready. Make the host"
            " reachable for Ansible, or switch it off and run again in a minute. [slipway:node_still_runs]"
        )
    if reason:
        raise HostError(f"Node '{name}' was not deleted: {reason} [slipway:node_still_runs]")
    return node


def remove(client: Client, name: str, machine_id: str, dry: bool) -> list[str]:
    """Delete the Node of a host that no longer runs a kubelet, and return what was changed, as sentences.

    :param machine_id: /etc/machine-id of the host, "" if unknown.
    :raises HostError: another machine is running under this name.
    """
    node = check_stopped(client, name, machine_id)
    if node is None:
        return []
    if not dry:
        client.delete(f"{NODES}/{name}", uid=node["metadata"].get("uid"))
    return [f"node {name} deleted"]


def converge(params: Mapping[str, Any], check_mode: bool) -> dict[str, Any]:
    """Drain, uncordon or remove a node and return the result of the module.

    :raises HostError: this host is not a control plane of the expected cluster, or the node cannot be drained or removed.
    """
    has_kubeconfig(params["kubeconfig"], False)
    ca_file = Path(params["ca_file"])
    here = ca_cert_hash(ca_file.read_text()) if ca_file.exists() else ""
    if params["ca_cert_hash"] and here != params["ca_cert_hash"]:
        raise HostError(
            f"Node '{params['name']}' does not belong to the cluster of this control plane; nothing was changed. Evidence: the CA of its"
            f" cluster is {params['ca_cert_hash']}, the CA of this control plane is {here or 'unknown'}. Correct the inventory. [slipway:other_cluster]"
        )
    client = connect(params["kubeconfig"], params["server"])
    client.administrator = True  # control planes are restarted while nodes are upgraded
    changes: list[str] = []
    notes: list[str] = []
    if params["state"] == "drained":
        how = Draining(params["timeout"], params["force"], params["reason"])
        changes, notes = drain(client, params["name"], how, check_mode)
    elif params["state"] == "uncordoned":
        if (params["version"] or params["boot_id"]) and not check_mode:
            patch = bool(params["previous"]) and minor_of(params["previous"]) == minor_of(params["version"])
            settled = 0 if patch else SETTLED
            wait_until_ready(client, params["name"], params["version"], params["timeout"], params["boot_id"], settled)
        changes = uncordon(client, params["name"], params["reason"], check_mode)
    else:
        check_stopped(client, params["name"], params["machine_id"])
        if params["etcd_member"] and etcd.has_credentials():
            removed = etcd.remove_member([etcd.find_endpoint()], params["name"], params["addresses"], dry=check_mode)
            changes = [f"{member} removed" for member in removed]
        changes += remove(client, params["name"], params["machine_id"], check_mode)
    return {
        "changed": bool(changes),
        "changes": changes,
        "notes": notes,
        "diff": {
            "before": "",
            "after": "".join(f"{change}\n" for change in changes),
            "after_header": "changes of nodes",
        },
    }
