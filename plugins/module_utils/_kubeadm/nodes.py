# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reconciliation of all nodes of a cluster in one call: the core of the module nodes."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Mapping

from .._host.system import HostError
from .._kube.api import ApiError, Client, Unreachable
from .._kube.progress import tell
from . import coredns, labels, serving_certificates, serving_requests
from .admin import connect, has_kubeconfig
from .config import CONTROL_PLANE_TAINT, node_taints
from .issue_credentials import MANAGER, revoke

INVENTORY_CHANGE = "names and addresses of the nodes recorded, for the approval of serving certificates"
PARTS = ("name", "addresses", "host_names")
OWNED_TAINTS = [labels.taint_key(CONTROL_PLANE_TAINT)]


class NodeReconciler:
    """The desired state of all nodes, and the progress towards it.

    :ivar waiting: what is missing, for each node that is not reconciled yet.
    """

    def __init__(self, params: Mapping[str, Any], dry: bool) -> None:
        """Prepare.

        :param params: of the module nodes.
        :param dry: change nothing.
        """
        self.params = params
        self.dry = dry
        self.desired = {node["name"]: dict(node, schedulable=params["schedulable"]) for node in params["nodes"]}
        self.labelled: set[str] = set()
        self.serving: set[str] = set()
        self.approved: list[str] = []
        self.refused: dict[str, tuple[str, str]] = {}
        self.waiting: dict[str, str] = {}
        self.changes: list[str] = []
        self.summary: dict[str, dict[str, Any]] = {}
        self.dns_managed = False

    def reconcile(self, client: Client) -> bool:
        """Do what is possible now and return whether all nodes are reconciled.

        :raises ApiError: the API server rejects a request.
        :raises Unreachable: it does not respond.
        """
        self.waiting = {}
        live = {node["metadata"]["name"]: node for node in client.items("/api/v1/nodes")}
        self.summary = {name: labels.summarize(node) for name, node in sorted(live.items())}
        self.dns_managed = coredns.is_managed(client)
        for name, node in self.desired.items():
            if name not in live:
                self.waiting[name] = "it has not registered"
            elif name not in self.labelled:
                self._reconcile_labels(client, node, live[name])
        if self.params["serving_certificates"]:
            self._record_inventory(client, live)
            self._approve_requests(client)
            self._check_kubelets([name for name in self.desired if name in live and name not in self.serving])
        return not self.waiting

    def _reconcile_labels(self, client: Client, node: Mapping[str, Any], live: Mapping[str, Any]) -> None:
        owned = OWNED_TAINTS if node["control_plane"] else []
        patch, changes = labels.node_patch(live, node["labels"], node_taints(node, node["control_plane"]), owned)
        if patch and not self.dry:
            try:
                client.patch(f"/api/v1/nodes/{node['name']}", patch)
            except ApiError as error:
                if error.status != 409:
                    raise
                # The kubelet or a controller has modified the Node in the meantime: read it again.
                self.waiting[node["name"]] = (
                    "its labels and taints could not be set, because the Node was modified at the same time"
                )
                return
        self.labelled.add(node["name"])
        self.changes += [f"{node['name']}: {change}" for change in changes]

    def _record_inventory(self, client: Client, live: Mapping[str, Any]) -> None:
        """Record the names and addresses of the nodes, by which renewed certificates are approved. A run may know only some of the nodes."""
        path, key = serving_requests.INVENTORY, serving_requests.INVENTORY_KEY
        recorded = ((client.find(path) or {}).get("data") or {}).get(key)
        before = json.loads(recorded) if recorded else {}
        after = {name: node for name, node in before.items() if name in live or name in self.desired}
        after.update({name: {part: node[part] for part in PARTS} for name, node in self.desired.items()})
        if after != before:
            self.changes.append(INVENTORY_CHANGE)
            metadata = {"name": path.rpartition("/")[2], "namespace": "kube-system"}
            content = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}
            content["data"] = {key: json.dumps(after, indent=2, sort_keys=True) + "\n"}
            if not self.dry:
                client.apply(path, content, MANAGER, force=True, dry_run=False)

    def _approve_requests(self, client: Client) -> None:
        self.refused = {}
        acceptable: dict[str, str] = {}
        for request in filter(serving_requests.is_pending, client.items(serving_requests.REQUESTS)):
            name, node = request["metadata"]["name"], serving_requests.requesting_node(request)
            reason = serving_requests.refusal(request, self.desired.get(node))
            if reason:
                self.refused[name] = (node, reason)
            else:
                acceptable[name] = node
        if acceptable and not self.dry:
            client.each(lambda name: serving_certificates.approve(client, name), acceptable)
        for node in acceptable.values():
            self._approve_node(node)

    def _approve_node(self, name: str) -> None:
        if name not in self.approved:
            self.approved.append(name)
            self.changes.append(f"{name}: serving certificate approved")

    def _check_kubelets(self, names: list[str]) -> None:
        addresses = {name: self.desired[name]["addresses"][0] for name in names if self.desired[name]["addresses"]}
        ca_file = self.params["ca_file"]
        with ThreadPoolExecutor(max_workers=16) as pool:
            problems = pool.map(lambda one: serving_certificates.kubelet_problem(one, ca_file), addresses.values())
        for name, problem in zip(addresses, problems):
            if not problem:
                self.serving.add(name)
                continue
            refusals = "; ".join(reason for node, reason in self.refused.values() if node == name)
            self.waiting[name] = f"its kubelet does not serve with a certificate of the cluster: {problem}" + (
                f". Its certificate signing request was not approved: {refusals}" if refusals else ""
            )

    def predict(self) -> None:
        """Add the changes of nodes that have not registered or wait for a certificate, in check mode."""
        for name in self.waiting:
            node = self.desired[name]
            if name not in self.labelled:
                # A node registers with its taints: only labels and annotations are missing.
                taints = node_taints(node, node["control_plane"])
                new: dict[str, Any] = {"metadata": {"name": name}, "spec": {"taints": taints}}
                changes = labels.node_patch(new, node["labels"], taints, OWNED_TAINTS)[1]
                self.changes += [f"{name}: {change}" for change in changes]
            if self.params["serving_certificates"]:
                self._approve_node(name)

    def result(self) -> dict[str, Any]:
        """Return the result of the module."""
        return {
            "changed": bool(self.changes),
            "changes": self.changes,
            "nodes": self.summary,
            "approved": self.approved,
            "refused": [f"{name} of {node or 'no node'}: {why}" for name, (node, why) in sorted(self.refused.items())],
            "dns_managed": self.dns_managed,
            "unknown": sorted(set(self.summary) - set(self.desired)),
            "diff": {
                "before": "",
                "after": "".join(change + "\n" for change in self.changes),
                "after_header": "changes of nodes",
            },
        }


def converge(params: Mapping[str, Any], check_mode: bool) -> dict[str, Any]:
    """Reconcile all nodes and return the result of the module.

    :raises HostError: this host is not a control plane, a name is used twice, or not all nodes are reconciled in time.
    """
    names = [node["name"] for node in params["nodes"]]
    duplicates = sorted({name for name in names if names.count(name) > 1})
    if duplicates:
        raise HostError(
            f"Several nodes have the same name: {', '.join(duplicates)}. Set a unique kube_node_name for each host."
            " [slipway:node_names]"
        )
    nodes = NodeReconciler(params, check_mode)
    if not has_kubeconfig(params["kubeconfig"], check_mode):
        nodes.waiting = dict.fromkeys(nodes.desired, "")
        nodes.changes += [INVENTORY_CHANGE] if params["serving_certificates"] else []
        nodes.predict()
        return nodes.result()
    client = connect(params["kubeconfig"], params["server"])
    if params["end_joining"]:
        nodes.changes += [f"Secret {name} deleted." for name in revoke(client, check_mode)]
    if check_mode:
        nodes.reconcile(client)
        nodes.predict()
        return nodes.result()
    impatient = connect(params["kubeconfig"], params["server"], patience=0)  # the loop below repeats all requests
    end = time.monotonic() + params["timeout"]
    while True:
        problem = ""
        try:
            if nodes.reconcile(impatient):
                return nodes.result()
        except (ApiError, Unreachable) as error:
            problem = str(error)
        tell("waits for the nodes", problem)
        if time.monotonic() > end:
            raise HostError(_timeout_message(nodes, problem))
        time.sleep(1)


def _timeout_message(nodes: NodeReconciler, problem: str) -> str:
    lines = [f"Not all nodes were reconciled within {nodes.params['timeout']} seconds:"]
    lines += [f"- {problem}"] if problem else []
    lines += [f"- {name}: {reason}" for name, reason in sorted(nodes.waiting.items())]
    lines.append(
        "Remedy: see 'journalctl -u kubelet' on these hosts, and check that the control plane can reach them on port 10250."
        " If a request contains a wrong address, correct kube_node_ip. [slipway:nodes_timeout]"
    )
    return "\n".join(lines)
