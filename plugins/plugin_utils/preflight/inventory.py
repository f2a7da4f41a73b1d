# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Checks of the inventory that run before any host is contacted: groups, names, versions and values of variables."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from ...module_utils._host.facts.proxies import without_login
from ...module_utils._kube.versions import minor_of, parse_version
from .names import suggest, suggest_variable
from .problem import ALL_NODES, CONTROL_PLANE, ETCD, STANDBY, WORKER, Checks, Cluster, Finding, Host
from .syntax import dns_name_error, label_value_error, qualified_name_error, shared_values

CHECKS = Checks()

# A cluster has one value of each of these.
CLUSTER_WIDE = (
    "kube_cluster_name",
    "kube_control_plane_endpoint",
    "kube_control_plane_vip",
    "kube_api_port",
    "kube_pod_subnet",
    "kube_service_subnet",
    "kube_dns_domain",
    "kube_dns_forwarders",
    "kube_dns_stub_domains",
    "kube_dns_hosts",
    "kube_dns_replicas",
    "kube_expected_nodes",
    "kube_network_plugin",
    "kube_proxy_mode",
    "kube_image_registry",
    "kube_addons",
    "kube_addons_set",
    "kube_addons_settings",
)
GROUPS = (ALL_NODES, CONTROL_PLANE, WORKER, ETCD, STANDBY)
FROM_STANDBY = "__kube_from_standby"
"""Set by the role scale: the host of the pool is a worker in this run, because it is a node."""
TAINT_EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")
PROXY_KEYS = {"http", "https", "no_proxy"}
MIRROR_KEYS = {"url", "override_path", "capabilities", "ca", "skip_verify", "header", "client"}


@CHECKS.cluster("variables")
def check_wrong_values(cluster: Cluster) -> Iterator[Finding]:
    """Every variable has a value that its role's specification allows."""
    for host, name, error in cluster.wrong:
        yield (
            host,
            f"The value of the variable {name} is not valid.",
            error,
            "Correct its value in the inventory or on the command line.",
        )


@CHECKS.cluster("variables")
def check_variables(cluster: Cluster) -> Iterator[Finding]:
    """Every variable that the checks read can be evaluated."""
    # Variables that refer to the row of an unsupported version are not reported besides the version itself.
    unsupported = {problem.host for problem in check_version(cluster)}
    for host, name, error in cluster.broken:
        if host not in unsupported:
            yield (
                host,
                f"The value of the variable {name} is not valid.",
                error,
                "Correct its value in the inventory or on the command line.",
            )


@CHECKS.cluster("groups")
def check_groups(cluster: Cluster) -> Iterator[Finding]:
    """There is a control plane, and a node on which pods can run."""
    if not cluster.control_planes:
        yield (
            "",
            "The inventory has no control plane.",
            f"the group {CONTROL_PLANE} {'is empty' if CONTROL_PLANE in cluster.groups else 'is not in the inventory'}",
            f"Add at least one host, or an existing group as a child, to the group {CONTROL_PLANE}.",
        )
    elif not cluster.workers and all(
        str(host.variables.get("control_plane_schedulable")).lower() == "false" for host in cluster.control_planes
    ):
        yield (
            "",
            "There are no workers and control planes are not schedulable, so no workload can run.",
            f"the group {WORKER} is empty or not in the inventory, and control_plane_schedulable is false",
            f"Add hosts to the group {WORKER}, or set control_plane_schedulable: auto.",
            "warning",
        )


@CHECKS.cluster("groups")
def check_group_members(cluster: Cluster) -> Iterator[Finding]:
    """Every host of the cluster is in the group of all nodes, and in the group that says what it becomes."""
    every, standby = cluster.members.get(ALL_NODES, []), cluster.members.get(STANDBY, [])
    for name in dict.fromkeys((*cluster.hosts, *standby)):
        if name not in every:
            group = STANDBY if name in standby else f"kube_{cluster.hosts[name].role}"
            yield (
                name,
                f"A host of the cluster is not in the group {ALL_NODES}, so it would not be prepared.",
                f"it is in {group}, but not in {ALL_NODES}",
                f"Make the group {group} a child of {ALL_NODES}.",
            )
    for name in every:
        if name not in cluster.hosts and name not in standby:
            yield (
                name,
                f"A host of the group {ALL_NODES} is neither a control plane nor a worker nor a member of etcd, so it would be prepared and never join.",
                f"its groups are {', '.join(group for group, hosts in cluster.members.items() if name in hosts and group != 'all')}",
                f"Add it to {CONTROL_PLANE}, {WORKER} or {ETCD}, or remove it from {ALL_NODES}.",
            )
    for group, hosts in cluster.members.items():
        right = suggest(group, GROUPS) if group not in GROUPS else ""
        left_out = [name for name in hosts if right and name not in cluster.members.get(right, [])]
        if left_out or (right and not hosts and not cluster.members.get(right)):
            yield (
                "",
                f"The inventory has a group {group}, which has no effect.",
                f"the most similar group is {right}; {', '.join(left_out) or 'no host'} is not in it",
                f"Rename it to {right}, or make it a child of {right}.",
            )


@CHECKS.cluster("groups_disjoint")
def check_groups_disjoint(cluster: Cluster) -> Iterator[Finding]:
    """A host is a control plane or a worker. Only the single host of a cluster may be both."""
    for host in cluster.control_planes:
        if host.worker and len({*cluster.hosts, *cluster.members.get(STANDBY, [])}) > 1:
            yield (
                host.name,
                "A host is both control plane and worker in a cluster of several hosts.",
                f"it is in the groups {CONTROL_PLANE} and {WORKER}",
                f"Remove it from {WORKER}; control_plane_schedulable determines whether control planes run pods.",
            )
    for host in cluster.etcd:
        if host.control_plane or host.worker:
            yield (
                host.name,
                "A member of an external etcd is also a node of the cluster.",
                f"it is in the groups {ETCD} and {CONTROL_PLANE if host.control_plane else WORKER}",
                f"Use a separate host for etcd, or leave out the group {ETCD}: etcd then runs on the control planes.",
            )


@CHECKS.cluster("groups_disjoint")
def check_standby_disjoint(cluster: Cluster) -> Iterator[Finding]:
    """A stand-by host is a node only while it is needed, so it is in no group whose hosts always are."""
    for name in cluster.members.get(STANDBY, []):
        host = cluster.hosts.get(name)
        if host and (host.control_plane or not host.variables.get(FROM_STANDBY)):
            group = CONTROL_PLANE if host.control_plane else WORKER
            yield (
                name,
                "A stand-by host is in a group whose hosts are always nodes.",
                f"it is in the groups {STANDBY} and {group}",
                f"Remove it from {group}, or from {STANDBY} if it shall never leave.",
            )


@CHECKS.cluster("etcd_quorum")
def check_etcd_quorum(cluster: Cluster) -> Iterator[Finding]:
    """The number of etcd members is odd: one more member does not increase the failure tolerance (etcd FAQ, cluster size)."""
    number = len(cluster.etcd)
    if number and number % 2 == 0:
        yield (
            "",
            "The number of etcd members is even.",
            f"{number} members tolerate the loss of {(number - 1) // 2}, as {number - 1} would",
            f"Use an odd number of hosts in the group {ETCD}: 1, 3 or 5.",
            "warning",
        )
    number = 0 if cluster.etcd else len(cluster.control_planes)
    if number and number % 2 == 0:
        yield (
            "",
            "The number of control planes is even.",
            f"{number} control planes tolerate the loss of {(number - 1) // 2}, as {number - 1} would",
            "Use an odd number of control planes, for example 1 or 3.",
            "warning",
        )


@CHECKS.cluster("node_names")
def check_node_names(cluster: Cluster) -> Iterator[Finding]:
    """Node names are valid DNS subdomains (RFC 1123, "Object Names and IDs") and unique."""
    names = {host.name: str(host.variables.get("kube_node_name") or "") for host in cluster.hosts.values()}
    for host, name in names.items():
        if reason := dns_name_error(name):
            yield (
                host,
                "The node's name is not a valid DNS name.",
                f"'{name}' {reason}",
                "Rename the host in the inventory, or set kube_node_name to lowercase letters, digits and '-'.",
            )
    for host, name in shared_values(names):
        remedy = "Set a unique kube_node_name for each host, or remove the variable."
        yield host, "Hosts have the same node name.", f"kube_node_name is {name}", remedy


@CHECKS.cluster("host_names")
def check_host_names(cluster: Cluster) -> Iterator[Finding]:
    """No host has the name of a group, because Ansible's patterns would match both."""
    for name in cluster.hosts:
        if name in cluster.groups:
            yield (
                name,
                "A host has the same name as a group, so patterns and --limit match both.",
                f"the inventory has a group {name}",
                "Rename the host or the group.",
            )


@CHECKS.host("version", facts=False)
def check_version(host: Host) -> Iterator[Finding]:
    """The desired version is complete and the collection supports its minor version."""
    version = str(host.variables.get("kube_version") or "")
    minors = sorted((str(minor) for minor in host.variables.get("kube_versions") or {}), key=parse_version)
    example = f"{minors[-1] if minors else '1.36'}.0"
    if len(parse_version(version)) != 3:
        yield (
            f"kube_version '{version}' is not a valid version (expected e.g. {example}).",
            "a version has the form MAJOR.MINOR.PATCH",
            f"Specify the complete version in quotes, for example '{example}'.",
        )
    elif minor_of(version) not in minors:
        yield (
            f"Kubernetes {version} is not in the supported range.",
            f"kube_versions has {', '.join(minors) or 'no minor version'}",
            "Choose a version of one of these minor versions, or add the minor version to kube_versions.",
        )


@CHECKS.host("version", facts=False)
def check_upgrade_through(host: Host) -> Iterator[Finding]:
    """The versions that an upgrade goes through are complete, and one of each minor version."""
    versions = host.variables.get("upgrade_through") or []
    minors = [minor_of(version) for version in versions]
    wrong = [str(version) for version in versions if len(parse_version(version)) != 3]
    wrong += [str(version) for version in versions if minors.count(minor_of(version)) > 1 and str(version) not in wrong]
    if wrong:
        yield (
            "upgrade_through must have complete versions, one of each minor version.",
            f"it has {', '.join(wrong)}",
            "Correct it, for example [1.36.3], or leave it out: the versions of kube_versions are used then.",
        )


@CHECKS.cluster("one_version")
def check_version_skew(cluster: Cluster) -> Iterator[Finding]:
    """One run sets up one version of Kubernetes."""
    versions = {host.name: str(host.variables.get("kube_version")) for host in cluster.hosts.values()}
    for name, version in versions.items() if len(set(versions.values())) > 1 else ():
        yield (
            name,
            "Hosts of one cluster have different versions of Kubernetes.",
            f"kube_version is {version}",
            "Set kube_version once for all hosts of the cluster.",
        )


@CHECKS.cluster("cluster_variables")
def check_cluster_variables(cluster: Cluster) -> Iterator[Finding]:
    """Variables of the cluster have the same value on all of its hosts."""
    for variable in CLUSTER_WIDE:
        values = {host.name: str(host.variables.get(variable)) for host in cluster.hosts.values()}
        for name, value in values.items() if len(set(values.values())) > 1 else ():
            what, remedy = (
                f"{variable} differs between hosts of one cluster.",
                "Set it once for all hosts of the cluster.",
            )
            yield name, what, f"it is '{value}'", remedy


@CHECKS.host("choices", facts=False)
def check_choices(host: Host) -> Iterator[Finding]:
    """The mode of kube-proxy is not one that Kubernetes is going to remove."""
    if host.variables.get("kube_proxy_mode") == "ipvs":
        evidence = "deprecated since Kubernetes 1.35"
        yield "The ipvs mode of kube-proxy is deprecated.", evidence, "Use nftables.", "warning"


@CHECKS.host("registry_mirrors", facts=False)
def check_registry_mirrors(host: Host) -> Iterator[Finding]:
    """kube_registry_mirrors has a list of mirrors for each registry, each with a URL."""
    remedy = 'Use the form {"registry.k8s.io": [{"url": "http://mirror/v2/registry.k8s.io", "override_path": true}]}.'
    for error in mirror_errors(host.variables.get("kube_registry_mirrors")):
        yield "kube_registry_mirrors is invalid.", error, remedy


def mirror_errors(mirrors: Any) -> Iterator[str]:
    """Yield the errors in a value of kube_registry_mirrors, without headers, which may be secret."""
    if not isinstance(mirrors or {}, dict):
        yield "it is not a mapping of registries"
        return
    for registry, entries in (mirrors or {}).items():
        if "/" in str(registry):
            yield f"'{registry}' is not a valid registry name (expected HOST or HOST:PORT)"
        if not isinstance(entries, list) or not entries:
            yield f"{registry} has no list of mirrors"
            continue
        for entry in entries:
            if not isinstance(entry, dict) or not str(entry.get("url", "")).startswith(("http://", "https://")):
                yield f"a mirror of {registry} has no url that starts with http:// or https://"
            elif set(entry) - MIRROR_KEYS:
                yield f"a mirror of {registry} has unknown keys: {', '.join(sorted(set(entry) - MIRROR_KEYS))}"


@CHECKS.host("proxy", facts=False)
def check_proxy(host: Host) -> Iterator[Finding]:
    """The URL of the proxy can be used by containerd, apt, dnf and Python: http://[USER:PASSWORD@]HOST[:PORT]."""
    for variable in ("kube_http_proxy", "kube_https_proxy"):
        url = str(host.variables.get(variable) or "")
        try:
            parts = urlsplit(url)
            valid = (
                parts.scheme == "http" and bool(parts.hostname) and not parts.path.strip("/") and (parts.port or 1) > 0
            )
        except ValueError:
            valid = False
        if url and (not valid or any(one.isspace() for one in url)):
            yield (
                "The URL of the proxy is not valid.",
                f"{variable} is {without_login(url)} (without its login)",
                "Write http://[USER:PASSWORD@]HOST[:PORT], and special characters of user and password as %XX.",
            )


@CHECKS.host("containerd_proxy", facts=False)
def check_containerd_proxy(host: Host) -> Iterator[Finding]:
    """containerd_proxy has known keys only. Its URLs may hold a password and are not shown."""
    proxy = host.variables.get("containerd_proxy") or {}
    # YAML reads the key "no" as false.
    unknown = (
        sorted("no" if key is False else str(key) for key in set(proxy) - PROXY_KEYS) if isinstance(proxy, dict) else []
    )
    error = ""
    if not isinstance(proxy, dict):
        error = "it is not a mapping"
    elif unknown:
        error = f"unknown keys: {', '.join(unknown)}"
    elif not isinstance(proxy.get("no_proxy") or [], list):
        error = "no_proxy is not a list"
    if error:
        remedy = 'Use the form {"http": "http://proxy:3128", "https": "http://proxy:3128", "no_proxy": ["mirror.example.com"]}.'
        yield "containerd_proxy is invalid.", error, remedy


@CHECKS.host("labels_taints", facts=False)
def check_labels_taints(host: Host) -> Iterator[Finding]:
    """Labels and taints are valid for the API ("Labels and Selectors", "Taints and Tolerations")."""
    remedy = "Keys have the form [PREFIX/]NAME; names and values have at most 63 letters, digits, '-', '_' or '.'."
    labels, taints = host.variables.get("kube_node_labels") or {}, host.variables.get("kube_node_taints") or []
    if not isinstance(labels, dict) or not isinstance(taints, list):
        evidence = "kube_node_labels must be a mapping, kube_node_taints a list"
        yield "Labels or taints have the wrong type.", evidence, remedy
        return
    for key, value in labels.items():
        if reason := qualified_name_error(str(key)) or label_value_error(value):
            yield "A label is invalid.", f"{key}={value}: {reason}", remedy
    for taint in taints:
        fields = taint if isinstance(taint, dict) else {}
        reason = qualified_name_error(str(fields.get("key") or "")) or label_value_error(fields.get("value") or "")
        if fields.get("effect") not in TAINT_EFFECTS:
            reason = f"the effect must be one of {', '.join(TAINT_EFFECTS)}"
        if reason:
            yield "A taint is invalid.", f"{taint}: {reason}", remedy


@CHECKS.cluster("variable_names")
def check_variable_names(cluster: Cluster) -> Iterator[Finding]:
    """No variable looks like a misspelled one of the collection, which would silently have no effect."""
    for host, names in cluster.variable_names.items():
        for name in names:
            suggestion = suggest_variable(name, cluster.known, names)
            if suggestion is not None:
                yield (
                    host,
                    f"No role has a variable {name}.",
                    f"the most similar variable is {suggestion}" if suggestion else "no variable has a similar name",
                    "Correct its name."
                    if suggestion
                    else "Remove it, or rename it so that it does not start with kube_.",
                    "error" if suggestion else "warning",
                )
