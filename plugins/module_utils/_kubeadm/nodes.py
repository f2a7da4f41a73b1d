# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All nodes of a cluster in one call: what the module nodes does on a control plane."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Mapping

from .._host.system import HostError
from .._kube.api import ApiError, Client, Unreachable
from . import labels, serving_certificates
from .admin import connect, has_kubeconfig
from .config import CONTROL_PLANE_TAINT, node_taints
from .issue_credentials import remove_all


class Nodes:
    """All nodes of one call, brought step by step to where they should be."""

    def __init__(self, params: Mapping[str, Any], dry: bool) -> None:
        self.params = params
        self.dry = dry
        self.wanted = {node["name"]: dict(node, schedulable=params["schedulable"]) for node in params["nodes"]}
        self.described: set[str] = set()
        self.serving: set[str] = set()
        self.approved: list[str] = []
        self.refused: dict[str, tuple[str, str]] = {}
        self.waiting: dict[str, str] = {}
        self.changes: list[str] = []
        self.summary: dict[str, dict[str, Any]] = {}

    def step(self, client: Client) -> bool:
        """Do what can be done now; whether all is done. ``waiting`` says for each node what is missing.

        :raises ApiError: the API server refuses a request.
        :raises Unreachable: it does not answer.
        """
        self.waiting = {}
        have = {node["metadata"]["name"]: node for node in client.items("/api/v1/nodes")}
        self.summary = {name: labels.summarize(node) for name, node in sorted(have.items())}
        for name, node in self.wanted.items():
            if name not in have:
                self.waiting[name] = "it has not registered"
            elif name not in self.described:
                self.describe(client, node, have[name])
        if self.params["serving_certificates"]:
            self.approve(client)
            self.look_at_kubelets([name for name in self.wanted if name in have and name not in self.serving])
        return not self.waiting

    def describe(self, client: Client, node: Mapping[str, Any], have: Mapping[str, Any]) -> None:
        """Labels and taints of one node."""
        owned = [labels.taint_key(CONTROL_PLANE_TAINT)] if node["control_plane"] else []
        patch, said = labels.change_node(have, node["labels"], node_taints(node, node["control_plane"]), owned)
        if patch and not self.dry:
            try:
                client.patch(f"/api/v1/nodes/{node['name']}", patch)
            except ApiError as error:
                # Another one (the kubelet, a controller) wrote to the node in between: look again.
                if error.status == 409:
                    self.waiting[node["name"]] = "its labels and taints: others kept changing it"
                    return
                raise
        self.described.add(node["name"])
        self.changes += [f"{node['name']}: {words}" for words in said]

    def approve(self, client: Client) -> None:
        """Decide on all requests for serving certificates."""
        pending = [
            item for item in client.items(serving_certificates.REQUESTS) if serving_certificates.is_pending(item)
        ]
        self.refused = {}
        good: dict[str, str] = {}
        for request in pending:
            node = serving_certificates.requestor(request)
            why = serving_certificates.refuse(request, self.wanted.get(node))
            if why:
                self.refused[request["metadata"]["name"]] = (node, why)
            else:
                good[request["metadata"]["name"]] = node
        if good and not self.dry:
            client.each(lambda name: serving_certificates.approve(client, name), good)
        for node in good.values():
            if node not in self.approved:
                self.approved.append(node)
                self.changes.append(f"{node}: serving certificate approved")

    def look_at_kubelets(self, names: list[str]) -> None:
        """See which kubelets prove themselves by the cluster's CA."""
        asked = [name for name in names if self.wanted[name]["addresses"]]
        with ThreadPoolExecutor(max_workers=16) as pool:
            answers = pool.map(
                lambda name: serving_certificates.serves(self.wanted[name]["addresses"][0], self.params["ca_file"]),
                asked,
            )
        for name, why in zip(asked, answers):
            if not why:
                self.serving.add(name)
                continue
            refusal = "; ".join(reason for node, reason in self.refused.values() if node == name)
            self.waiting[name] = f"its kubelet does not serve with a certificate of the cluster: {why}" + (
                f". Its request was not approved: {refusal}" if refusal else ""
            )

    def predict(self) -> None:
        """For check mode: what is missing on nodes that are not there yet, or that wait for a certificate."""
        for name in self.waiting:
            node = self.wanted[name]
            if name not in self.described:
                blank: dict[str, Any] = {"metadata": {"name": name}, "spec": {}}
                taints = node_taints(node, node["control_plane"])
                # The node registers with its taints: only what is noted and labelled is left to do.
                blank["spec"]["taints"] = taints
                owned = [labels.taint_key(CONTROL_PLANE_TAINT)]
                self.changes += [
                    f"{name}: {words}" for words in labels.change_node(blank, node["labels"], taints, owned)[1]
                ]
            if self.params["serving_certificates"] and name not in self.approved:
                self.approved.append(name)
                self.changes.append(f"{name}: serving certificate approved")

    def result(self) -> dict[str, Any]:
        """The module's result."""
        return {
            "changed": bool(self.changes),
            "changes": self.changes,
            "nodes": self.summary,
            "approved": self.approved,
            "refused": [f"{name} of {node or 'no node'}: {why}" for name, (node, why) in sorted(self.refused.items())],
            "unknown": sorted(set(self.summary) - set(self.wanted)),
            "diff": {
                "before": "",
                "after": "".join(words + "\n" for words in self.changes),
                "after_header": "changes of nodes",
            },
        }


def converge(params: Mapping[str, Any], check_mode: bool) -> dict[str, Any]:
    """Bring all nodes to where they should be; the module's result."""
    names = [node["name"] for node in params["nodes"]]
    double = sorted({name for name in names if names.count(name) > 1})
    if double:
        raise HostError(
            f"The name {', '.join(double)} is given to more than one node. Give each host its own kube_node_name."
        )
    nodes = Nodes(params, check_mode)
    if not has_kubeconfig(params["kubeconfig"], check_mode):
        nodes.waiting = dict.fromkeys(nodes.wanted, "")
        nodes.predict()
        return nodes.result()
    client = connect(params["kubeconfig"], params["server"])
    if params["end_joining"]:
        nodes.changes += [f"Secret {name} removed." for name in remove_all(client, check_mode)]
    if check_mode:
        nodes.step(client)
        nodes.predict()
        return nodes.result()
    impatient = connect(params["kubeconfig"], params["server"], patience=0)  # the loop below repeats the whole step
    end = time.monotonic() + params["timeout"]
    problem = ""
    while True:
        try:
            if nodes.step(impatient):
                return nodes.result()
            problem = ""
        except (ApiError, Unreachable) as error:
            problem = str(error)
        if time.monotonic() > end:
            break
        time.sleep(1)
    lines = [f"- {name}: {why}" for name, why in sorted(nodes.waiting.items())]
    raise HostError(
        "\n".join(
            [
                f"Not all nodes are as they should be after {params['timeout']} seconds:",
                *([f"- {problem}"] if problem else []),
                *lines,
            ]
            + [
                "Remedy: see 'journalctl -u kubelet' on these hosts, and that a control plane reaches them on port 10250;"
                " where a certificate asks for a wrong address, correct kube_node_ip."
            ]
        )
    )
