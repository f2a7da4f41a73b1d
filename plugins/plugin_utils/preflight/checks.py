# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""All of preflight: which checks there are, and what they need to know."""

from __future__ import annotations

from . import fleet, hosts, inventory, membership, sources
from .problem import Cluster, Problem

# By these names a check is waived; the argument specification of the role and the module's documentation list the same.
NAMES = (
    # the inventory
    "variables",
    "variable_names",
    "groups",
    "groups_disjoint",
    "etcd_quorum",
    "addresses",
    "node_names",
    "host_names",
    "networks",
    "service_dns",
    "dns_domain",
    "endpoint",
    "version",
    "version_skew",
    "cluster_variables",
    "choices",
    "registry_mirrors",
    "labels_taints",
    # each host
    "reachable",
    "privileges",
    "os",
    "architecture",
    "cpus",
    "memory",
    "disk",
    "ports",
    "swap",
    "cgroup",
    "kernel",
    "resolver",
    "selinux",
    "firewall",
    "capabilities",
    "runtimes",
    "installed",
    # hosts among each other
    "machine_id",
    "mac_address",
    "product_uuid",
    "node_address",
    "clock",
    "mtu",
    "gateway",
    # the cluster they are in
    "record",
    "other_cluster",
    "unmarked_member",
    "leftovers",
    "role",
    "version_change",
    "unhealthy",
    "endpoint_change",
    "user_kubeconfig",
    # the sources
    "repository",
    "source_version",
    "registry",
    "mirror_image",
    "endpoint_reach",
)

# Variables of the collection whose values the checks judge by.
VARIABLES = (
    "ansible_port",
    "containerd_package",
    "containerd_proxy",
    "containerd_version",
    "control_plane_kubeconfig_users",
    "control_plane_schedulable",
    "kube_api_port",
    "kube_cluster_name",
    "kube_component_versions",
    "kube_containerd_repository",
    "kube_control_plane_endpoint",
    "kube_dns_domain",
    "kube_image_registry",
    "kube_kubernetes_repository",
    "kube_network_calico_encapsulation",
    "kube_network_calico_wireguard",
    "kube_network_flannel_backend",
    "kube_network_plugin",
    "kube_node_ip",
    "kube_node_labels",
    "kube_node_name",
    "kube_node_taints",
    "kube_pod_subnet",
    "kube_proxy_mode",
    "kube_record_dir",
    "kube_registry_mirrors",
    "kube_service_subnet",
    "kube_version",
    "kube_versions",
    "kubernetes_eviction_hard",
    "kubernetes_firewalld",
    "kubernetes_nameservers",
    "preflight_clock_tolerance",
    "preflight_waive",
    "swap_state",
)


def judge_inventory(cluster: Cluster) -> list[Problem]:
    """All problems that can be told without touching a host."""
    return [problem for check in inventory.CHECKS.values() for problem in check(cluster)]


def judge_hosts(cluster: Cluster) -> list[Problem]:
    """All problems of the hosts that were looked at, and of those that could not be."""
    problems = list(hosts.check_host(cluster))
    for check in (*fleet.CHECKS.values(), *membership.CHECKS.values(), sources.check_sources):
        problems.extend(check(cluster))
    return problems
