# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An inventory from a running cluster: only reads, and says what the API does not tell."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import yaml

from ...module_utils._kube.api import ApiError, Client
from ...module_utils._kube.pod_networks import find_pod_network
from .description import Description, Member

ROLE_LABELS = ("node-role.kubernetes.io/control-plane", "node-role.kubernetes.io/master")
SYSTEM = "/api/v1/namespaces/kube-system/configmaps"
SLICE = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices/kubernetes"
PLUGINS = {"Calico": "calico", "Flannel": "flannel", "Cilium": "cilium"}
# Field of kubeadm's ClusterConfiguration, and the variable that sets it.
FIELDS = {
    ("clusterName",): "kube_cluster_name",
    ("controlPlaneEndpoint",): "kube_control_plane_endpoint",
    ("networking", "podSubnet"): "kube_pod_subnet",
    ("networking", "serviceSubnet"): "kube_service_subnet",
    ("networking", "dnsDomain"): "kube_dns_domain",
    ("imageRepository",): "kube_image_registry",
    ("apiServer", "certSANs"): "control_plane_cert_sans",
}


def read_cluster(client: Client) -> Description:
    """Return the description of the cluster that a client talks to.

    :raises ApiError: the nodes cannot be read.
    :raises Unreachable: the API server does not answer.
    """
    notes: list[str] = []
    nodes = client.items("/api/v1/nodes")
    configuration = read_document(client, "kubeadm-config", "ClusterConfiguration", notes)
    proxy = read_document(client, "kube-proxy", "config.conf", notes)
    try:
        daemon_sets = [one["metadata"]["name"] for one in client.items("/apis/apps/v1/daemonsets")]
    except ApiError as error:
        daemon_sets = []
        notes.append(f"the DaemonSets cannot be read ({error}), so the pod network is not known.")
    variables = from_configuration(configuration)
    variables["kube_version"] = version_of(nodes, configuration, notes)
    if proxy:
        variables["kube_proxy_mode"] = proxy.get("mode") or "iptables"
    variables["kube_network_plugin"] = plugin_of(daemon_sets, notes)
    try:
        ports = (client.find(SLICE) or {}).get("ports") or []
    except ApiError:
        ports = []
    if ports:
        variables["kube_api_port"] = ports[0]["port"]
    else:
        notes.append("kube_api_port: the port of the API servers is not known; 6443 is assumed.")
    if (configuration.get("etcd") or {}).get("external"):
        notes.append(
            "etcd is external. Add its hosts to the group kube_etcd if this collection made it; another one is not taken over."
        )
    found = [name for name, value in variables.items() if value not in (None, "", [])]
    return Description(
        "slipway.kube.inventory from a running cluster",
        members_of(nodes, notes),
        {name: variables[name] for name in found},
        notes,
    )


def read_document(client: Client, name: str, key: str, notes: list[str]) -> dict[str, Any]:
    """Return a YAML document of a ConfigMap in kube-system; empty, with a note, if there is none."""
    try:
        content = client.find(f"{SYSTEM}/{name}")
        document = yaml.safe_load(((content or {}).get("data") or {}).get(key) or "")
    except (ApiError, yaml.YAMLError) as error:
        document, reason = None, str(error)
    else:
        reason = "it does not exist" if content is None else f"it has no {key}"
    if isinstance(document, dict):
        return document
    what = "networks, endpoint and name of the cluster" if name == "kubeadm-config" else "mode of kube-proxy"
    notes.append(f"the ConfigMap kube-system/{name} cannot be used ({reason}), so the {what} are the defaults.")
    return {}


def from_configuration(configuration: Mapping[str, Any]) -> dict[str, Any]:
    """Return the variables of a ClusterConfiguration of kubeadm, any version of its API."""
    variables = {}
    for path, name in FIELDS.items():
        value: Any = configuration
        for key in path:
            value = (value or {}).get(key)
        if value not in (None, "", []):
            variables[name] = value
    return variables


def version_of(nodes: Iterable[Mapping[str, Any]], configuration: Mapping[str, Any], notes: list[str]) -> str:
    """Return the version of the cluster; nodes with another one are noted."""
    kubelets: dict[str, list[str]] = {}
    for node in nodes:
        version = node["status"]["nodeInfo"]["kubeletVersion"].removeprefix("v")
        kubelets.setdefault(version, []).append(node["metadata"]["name"])
    version = str(configuration.get("kubernetesVersion") or "").removeprefix("v") or max(kubelets, default="")
    others = {found: names for found, names in kubelets.items() if found != version}
    if others:
        where = "; ".join(f"{found} on {', '.join(names)}" for found, names in sorted(others.items()))
        notes.append(f"the kubelets do not all have version {version}: {where}.")
    return version


def plugin_of(daemon_sets: Iterable[str], notes: list[str]) -> str:
    """Return the value of kube_network_plugin."""
    network = find_pod_network(daemon_sets)
    plugin = PLUGINS.get(network.name, "none") if network else "none"
    if plugin == "none":
        which = f"{network.name}, which this collection does not install" if network else "not one that is known"
        notes.append(f"the pod network is {which}, so kube_network_plugin is none.")
    if plugin == "cilium":
        notes.append(
            "kube_network_cilium_values: repeat the values with which Cilium was installed (helm get values cilium --namespace kube-system), or set "
            "kube_network_plugin to none to leave it alone."
        )
    return plugin


def members_of(nodes: Iterable[Mapping[str, Any]], notes: list[str]) -> list[Member]:
    """Return the hosts of nodes, control planes first. Labels without a prefix and taints that no controller sets are kept."""
    members = []
    for node in nodes:
        name, labels = node["metadata"]["name"], node["metadata"].get("labels") or {}
        addresses = [one["address"] for one in node["status"].get("addresses") or [] if one["type"] == "InternalIP"]
        variables: dict[str, Any] = {"ansible_host": addresses[0]} if addresses else {}
        if not addresses:
            notes.append(f"ansible_host of {name}: the node has no internal address.")
        if len(addresses) > 1:
            variables["kube_node_ip"] = ",".join(addresses)
        if own := {key: value for key, value in labels.items() if "/" not in key}:
            variables["kube_node_labels"] = own
        if taints := own_taints(node):
            variables["kube_node_taints"] = taints
        runtime = str(node["status"]["nodeInfo"].get("containerRuntimeVersion") or "")
        if not runtime.startswith("containerd://"):
            notes.append(f"{name} runs {runtime or 'an unknown container runtime'}; this collection uses containerd.")
        members.append(Member(name, any(label in labels for label in ROLE_LABELS), variables))
    if not any(member.control_plane for member in members):
        notes.append("no node is labelled as a control plane; a provider may run the control planes.")
    return sorted(members, key=lambda member: (not member.control_plane, member.name))


def own_taints(node: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return the taints of a node that neither kubeadm nor the controllers of Kubernetes set."""
    taints = (node.get("spec") or {}).get("taints") or []
    keys = ("key", "value", "effect")
    return [
        {key: taint[key] for key in keys if taint.get(key)} for taint in taints if "kubernetes.io/" not in taint["key"]
    ]
