# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Inventory plugin: the nodes of a running cluster as hosts."""

from __future__ import annotations

DOCUMENTATION = r"""
name: nodes
short_description: The nodes of a running cluster as hosts
version_added: 0.1.0
description:
  - Reads the nodes of a running cluster, whatever tool has created it, and makes a host of each, so that other playbooks and ad hoc commands always have the
    nodes that the cluster has. It changes nothing, and needs the permission to list nodes only.
  - Hosts have the names of their nodes, C(ansible_host) is their first internal address, and C(k8s_node) has what is known of the node, C(name), C(labels),
    C(taints), C(addresses), C(ready), C(unschedulable), C(version), C(os), C(architecture) and C(runtime).
  - All of them are in the group C(kube_cluster), and in C(kube_control_plane) or C(kube_worker). Hosts that are no nodes yet are unknown to a cluster, so
    keep the inventory with which M(slipway.kube.inventory) or you have described it for the playbooks of this collection.
author:
  - slipway.kube authors (@slipway)
extends_documentation_fragment:
  - ansible.builtin.constructed
options:
  plugin:
    description: Makes a file an inventory of this plugin. The name of the file ends with C(nodes.yml) or C(nodes.yaml).
    type: str
    required: true
    choices: [slipway.kube.nodes]
  kubeconfig:
    description: Kubeconfig, relative to the file of the inventory. By default, E(KUBECONFIG) or C(~/.kube/config).
    type: str  # a path would be relative to the working directory
    env:
      - name: K8S_AUTH_KUBECONFIG
  context:
    description: Context of the kubeconfig, by default its current one.
    type: str
    env:
      - name: K8S_AUTH_CONTEXT
"""

EXAMPLES = r"""
# production.nodes.yml
plugin: slipway.kube.nodes
kubeconfig: kubeconfig
groups:
  not_ready: not k8s_node.ready
keyed_groups:
  - prefix: zone
    key: k8s_node.labels['topology.kubernetes.io/zone'] | default('none')
compose:
  ansible_user: "'admin'"
"""

import os
import shutil
from collections.abc import Mapping
from typing import Any

from ansible.errors import AnsibleParserError
from ansible.inventory.data import InventoryData
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.inventory import BaseInventoryPlugin, Constructable
from ansible.utils.unsafe_proxy import wrap_var

from ..module_utils._kube.api import ApiError, Unreachable
from ..module_utils._kube.auth import connect
from ..module_utils._kube.kubeconfig import KubeconfigError
from ..module_utils._kube.readiness import condition
from ..plugin_utils.inventory.adopt import ROLE_LABELS


class InventoryModule(BaseInventoryPlugin, Constructable):
    """Inventory plugin slipway.kube.nodes."""

    NAME = "slipway.kube.nodes"

    def verify_file(self, path: str) -> bool:
        """Return whether a file can be an inventory of this plugin."""
        return bool(super().verify_file(path)) and path.endswith(("nodes.yml", "nodes.yaml"))

    def parse(self, inventory: InventoryData, loader: DataLoader, path: str, cache: bool = True) -> None:
        """Add a host for each node."""
        super().parse(inventory, loader, path, cache)
        in_file = self._read_config_data(path).get("kubeconfig")
        given: dict[str, Any] = {name: self.get_option(name) for name in ("kubeconfig", "context")}
        if in_file:
            given["kubeconfig"] = os.path.join(os.path.dirname(os.path.abspath(path)), os.path.expanduser(in_file))
        try:
            nodes = connect(given, shutil.which).items("/api/v1/nodes")
        except (ApiError, KubeconfigError, Unreachable) as error:
            raise AnsibleParserError(f"{path}: {error}") from error
        for group in ("kube_control_plane", "kube_worker"):
            inventory.add_group(group)
        inventory.add_group("kube_cluster")
        inventory.add_child("kube_cluster", "kube_control_plane")
        inventory.add_child("kube_cluster", "kube_worker")
        for node in nodes:
            self._add(node)

    def _add(self, node: Mapping[str, Any]) -> None:
        known = describe(node)
        name, strict = known["name"], self.get_option("strict")
        control_plane = any(label in known["labels"] for label in ROLE_LABELS)
        self.inventory.add_host(name, group="kube_control_plane" if control_plane else "kube_worker")
        variables: dict[str, Any] = {"k8s_node": known}
        if known["addresses"]:
            variables["ansible_host"] = known["addresses"][0]
        variables = wrap_var(variables)  # a node says what it is, and must not say what the control node runs
        for key, value in variables.items():
            self.inventory.set_variable(name, key, value)
        self._set_composite_vars(self.get_option("compose"), variables, name, strict=strict)
        self._add_host_to_composed_groups(self.get_option("groups"), variables, name, strict=strict)
        self._add_host_to_keyed_groups(self.get_option("keyed_groups"), variables, name, strict=strict)


def describe(node: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is known of a node."""
    metadata, spec, status = (node.get(part) or {} for part in ("metadata", "spec", "status"))
    system = status.get("nodeInfo") or {}
    addresses = status.get("addresses") or []
    return {
        "name": metadata["name"],
        "labels": dict(metadata.get("labels") or {}),
        "taints": list(spec.get("taints") or []),
        "addresses": [one["address"] for one in addresses if one.get("type") == "InternalIP"],
        "ready": condition(dict(node), "Ready").get("status") == "True",
        "unschedulable": bool(spec.get("unschedulable")),
        "version": str(system.get("kubeletVersion") or "").removeprefix("v"),
        "os": system.get("osImage") or "",
        "architecture": system.get("architecture") or "",
        "runtime": system.get("containerRuntimeVersion") or "",
    }
