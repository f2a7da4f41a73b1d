# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Inventory rules: what cannot work is refused before any host is touched. Pure functions from a Cluster to problems."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from ...module_utils._kube.versions import minor_of, parse_version
from . import networks
from .problem import CONTROL_PLANE, WORKER, Cluster, Problem
from .syntax import (
    duplicates,
    explain_label_value,
    explain_name,
    explain_qualified_name,
    suggest_variable,
)

# A cluster has one value of each of these.
CLUSTER_WIDE = (
    "kube_cluster_name",
    "kube_control_plane_endpoint",
    "kube_api_port",
    "kube_pod_subnet",
    "kube_service_subnet",
    "kube_dns_domain",
    "kube_network_plugin",
    "kube_proxy_mode",
    "kube_image_registry",
)
NETWORK_PLUGINS = ("calico", "flannel", "none")
PROXY_MODES = ("nftables", "iptables", "ipvs")
TAINT_EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")
MIRROR_KEYS = {"url", "override_path", "capabilities", "ca", "skip_verify", "header", "client"}


def check_variables(cluster: Cluster) -> Iterator[Problem]:
    """A variable of the collection that cannot be evaluated."""
    # An unsupported version has no row in the table: that is told by its own check, not by all that refers to the row.
    unversioned = {problem.host for problem in check_version(cluster)}
    for host, name, error in cluster.broken:
        if host in unversioned:
            continue
        yield Problem(
            "variables",
            host,
            f"The variable {name} cannot be evaluated.",
            error,
            "Correct its value in the inventory.",
        )


def check_groups(cluster: Cluster) -> Iterator[Problem]:
    """There is a control plane, and somewhere for pods to run."""
    group = CONTROL_PLANE
    if not cluster.control_planes:
        yield Problem(
            "groups",
            "",
            "There is no control plane.",
            f"the group {group} {'is empty' if group in cluster.groups else 'is not in the inventory'}",
            f"Put at least one host, or a group of your own as its child, into the group {group}.",
        )
    elif not cluster.workers and all(
        str(host.want.get("control_plane_schedulable")) == "False" for host in cluster.control_planes
    ):
        yield Problem(
            "groups",
            "",
            "There is no worker and control planes take no pods, so none but the system's own can run.",
            f"the group {WORKER} is empty or not in the inventory, control_plane_schedulable is false",
            f"Put hosts into the group {WORKER}, or set control_plane_schedulable: auto.",
            "warning",
        )


def check_groups_disjoint(cluster: Cluster) -> Iterator[Problem]:
    """A host is a control plane or a worker; both only where it is the only one."""
    if len(cluster.hosts) == 1:
        return
    for host in cluster.control_planes:
        if host.worker:
            yield Problem(
                "groups_disjoint",
                host.name,
                "A host is a control plane and a worker in a cluster of several hosts.",
                f"it is in {CONTROL_PLANE} and in {WORKER}",
                f"Leave it in {CONTROL_PLANE} only; control_plane_schedulable decides whether control planes take pods.",
            )


def check_etcd_quorum(cluster: Cluster) -> Iterator[Problem]:
    """An even number of etcd members tolerates no more failures than one member less ("FAQ" of etcd, cluster size)."""
    number = len(cluster.control_planes)
    if number and number % 2 == 0:
        yield Problem(
            "etcd_quorum",
            "",
            "The number of control planes is even.",
            "%d control planes tolerate the loss of %d, as %d would" % (number, (number - 1) // 2, number - 1),
            "Use an odd number of control planes, for example 1 or 3.",
            "warning",
        )


def check_node_names(cluster: Cluster) -> Iterator[Problem]:
    """Node names are DNS subdomains (RFC 1123, as "Object Names and IDs" wants) and each is there once."""
    for host in cluster.hosts.values():
        name = str(host.want.get("kube_node_name") or "")
        reason = explain_name(name)
        if reason:
            yield Problem(
                "node_names",
                host.name,
                "The node's name is no DNS name.",
                f"'{name}' {reason}",
                "Rename the host in the inventory, or set kube_node_name to lower case letters, digits and '-'.",
            )
    for name, hosts in duplicates(
        {h.name: str(h.want.get("kube_node_name") or "") for h in cluster.hosts.values()}
    ).items():
        for host_name in hosts:
            yield Problem(
                "node_names",
                host_name,
                "Hosts have the same node name.",
                f"kube_node_name is {name}",
                "Give each host its own kube_node_name, or set none.",
            )


def check_host_names(cluster: Cluster) -> Iterator[Problem]:
    """A host that is called like a group: Ansible's patterns then mean both."""
    for name in cluster.hosts:
        if name in cluster.groups:
            yield Problem(
                "host_names",
                name,
                "A host has the name of a group, so that patterns and --limit mean both.",
                f"the inventory has a group {name}",
                "Rename the host or the group.",
            )


def check_version(cluster: Cluster) -> Iterator[Problem]:
    """The wanted version is written in full and its minor is one that the collection has a row for."""
    for host in cluster.hosts.values():
        version = str(host.want.get("kube_version") or "")
        minors = sorted((str(minor) for minor in host.want.get("kube_versions") or {}), key=parse_version)
        if len(parse_version(version)) != 3:
            evidence, remedy = (
                f"kube_version is '{version}'",
                f"Write it in full and in quotes, for example '{(minors or ['1.36'])[-1]}.0'.",
            )
            yield Problem("version", host.name, "kube_version is no version.", evidence, remedy)
        elif minor_of(version) not in minors:
            yield Problem(
                "version",
                host.name,
                f"Kubernetes {version} is out of the supported range.",
                f"kube_versions has rows for {', '.join(minors) or 'nothing'}",
                "Choose a version of one of these minors, or add a row to kube_versions.",
            )


def check_version_skew(cluster: Cluster) -> Iterator[Problem]:
    """One run makes one version: nodes that differ on purpose are the upgrade's business."""
    versions = {str(host.want.get("kube_version")) for host in cluster.hosts.values()}
    if len(versions) > 1:
        for host in cluster.hosts.values():
            yield Problem(
                "version_skew",
                host.name,
                "The hosts of one cluster want different versions of Kubernetes.",
                f"kube_version is {host.want.get('kube_version')}",
                "Set kube_version once for all hosts of the cluster.",
            )


def check_cluster_variables(cluster: Cluster) -> Iterator[Problem]:
    """What belongs to the cluster has the same value on each of its hosts."""
    for name in CLUSTER_WIDE:
        values = {str(host.want.get(name)) for host in cluster.hosts.values()}
        if len(values) > 1:
            for host in cluster.hosts.values():
                yield Problem(
                    "cluster_variables",
                    host.name,
                    f"{name} differs between hosts of one cluster.",
                    f"it is '{host.want.get(name)}'",
                    "Set it once for all hosts of the cluster.",
                )


def check_choices(cluster: Cluster) -> Iterator[Problem]:
    """Pod network and proxy mode are ones that there are."""
    for host in cluster.hosts.values():
        for name, choices in (("kube_network_plugin", NETWORK_PLUGINS), ("kube_proxy_mode", PROXY_MODES)):
            value = host.want.get(name)
            if value not in choices:
                evidence, remedy = f"it is '{value}'", f"Choose one of {', '.join(choices)}."
                yield Problem("choices", host.name, f"{name} has an unknown value.", evidence, remedy)
            elif value == "ipvs":
                evidence = "deprecated since Kubernetes 1.35"
                yield Problem(
                    "choices", host.name, "kube-proxy's mode ipvs is deprecated.", evidence, "Use nftables.", "warning"
                )


def check_registry_mirrors(cluster: Cluster) -> Iterator[Problem]:
    """kube_registry_mirrors is a list of mirrors for each registry, each with a URL."""
    for host in cluster.hosts.values():
        for evidence in explain_mirrors(host.want.get("kube_registry_mirrors")):
            yield Problem(
                "registry_mirrors",
                host.name,
                "kube_registry_mirrors has not the form that is expected.",
                evidence,
                'Write {"registry.k8s.io": [{"url": "http://mirror/v2/registry.k8s.io", "override_path": true}]}.',
            )


def explain_mirrors(mirrors: Any) -> Iterator[str]:
    """What is wrong with a value of kube_registry_mirrors; never shows a header, which may be secret."""
    if not isinstance(mirrors or {}, dict):
        yield "it is no mapping of registries"
        return
    for registry, entries in (mirrors or {}).items():
        if "/" in str(registry):
            yield f"'{registry}' is no name of a registry: write HOST or HOST:PORT"
        if not isinstance(entries, list) or not entries:
            yield f"{registry} has no list of mirrors"
            continue
        for entry in entries:
            if not isinstance(entry, dict) or not str(entry.get("url", "")).startswith(("http://", "https://")):
                yield f"a mirror of {registry} has no url that starts with http:// or https://"
            elif set(entry) - MIRROR_KEYS:
                yield f"a mirror of {registry} has unknown keys: {', '.join(sorted(set(entry) - MIRROR_KEYS))}"


def check_labels_taints(cluster: Cluster) -> Iterator[Problem]:
    """Labels and taints have the syntax that the API accepts ("Labels and Selectors", "Taints and Tolerations")."""
    remedy = "Keys are [PREFIX/]NAME; names and values have at most 63 letters, digits, '-', '_' or '.'."
    for host in cluster.hosts.values():
        labels, taints = host.want.get("kube_node_labels") or {}, host.want.get("kube_node_taints") or []
        if not isinstance(labels, dict) or not isinstance(taints, list):
            evidence = "kube_node_labels must be a mapping, kube_node_taints a list"
            yield Problem(
                "labels_taints", host.name, "Labels or taints have not the form that is expected.", evidence, remedy
            )
            continue
        for key, value in labels.items():
            reason = explain_qualified_name(str(key)) or explain_label_value(value)
            if reason:
                yield Problem("labels_taints", host.name, "A label is invalid.", f"{key}={value}: {reason}", remedy)
        for taint in taints:
            fields = taint if isinstance(taint, dict) else {}
            reason = explain_qualified_name(str(fields.get("key") or "")) or explain_label_value(
                fields.get("value") or ""
            )
            if fields.get("effect") not in TAINT_EFFECTS:
                reason = f"the effect must be one of {', '.join(TAINT_EFFECTS)}"
            if reason:
                yield Problem("labels_taints", host.name, "A taint is invalid.", f"{taint}: {reason}", remedy)


def check_variable_names(cluster: Cluster) -> Iterator[Problem]:
    """A variable that no role knows but that looks as if one should: it would have no effect, and nobody would notice."""
    for host, names in cluster.variables.items():
        for name in names:
            verdict = suggest_variable(name, cluster.known)
            if verdict is None:
                continue
            yield Problem(
                "variable_names",
                host,
                f"No role has a variable {name}.",
                f"the nearest is {verdict}" if verdict else "none has a name like it",
                "Correct its name." if verdict else "Remove it, or rename it so that it does not start with kube_.",
                "error" if verdict else "warning",
            )


CHECKS: dict[str, Callable[[Cluster], Iterator[Problem]]] = {
    "variables": check_variables,
    "groups": check_groups,
    "groups_disjoint": check_groups_disjoint,
    "etcd_quorum": check_etcd_quorum,
    "addresses": networks.check_addresses,
    "node_names": check_node_names,
    "host_names": check_host_names,
    "networks": networks.check_networks,
    "service_dns": networks.check_service_dns,
    "dns_domain": networks.check_dns_domain,
    "endpoint": networks.check_endpoint,
    "version": check_version,
    "version_skew": check_version_skew,
    "cluster_variables": check_cluster_variables,
    "choices": check_choices,
    "registry_mirrors": check_registry_mirrors,
    "labels_taints": check_labels_taints,
    "variable_names": check_variable_names,
}
