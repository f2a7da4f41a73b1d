# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""All preflight checks by stage, and the variables that they read."""

from __future__ import annotations

import difflib
from collections.abc import Iterator

from . import (
    addons,
    firewall,
    fleet,
    hardening,
    hosts,
    inventory,
    kernel,
    kubelet,
    membership,
    networks,
    proxies,
    repositories,
    software,
    sources,
    vip,
)
from .problem import Checks, Cluster, Finding, Host, Problem

CHECKS = Checks()
INVENTORY = (CHECKS, inventory.CHECKS, networks.CHECKS, vip.CHECKS, addons.CHECKS, hardening.CHECKS, kubelet.CHECKS)
HOSTS = (
    hosts.CHECKS,
    kernel.CHECKS,
    firewall.CHECKS,
    software.CHECKS,
    fleet.CHECKS,
    vip.CHECKS,
    membership.CHECKS,
    repositories.CHECKS,
    sources.CHECKS,
    proxies.CHECKS,
    addons.CHECKS,
)


@CHECKS.host("waived_names", facts=False)
def check_waived_names(host: Host) -> Iterator[Finding]:
    """preflight_waive has names of checks; a misspelt one would waive nothing."""
    waived = host.variables.get("preflight_waive") or []
    remedy = "Correct it. Each problem is reported with the name of its check, in brackets."
    if not isinstance(waived, list):
        yield "preflight_waive is invalid.", "it is not a list", remedy
        return
    for name in waived:
        if name not in NAMES:
            similar = difflib.get_close_matches(str(name), NAMES, 1)
            hint = f" (the most similar name is {similar[0]})" if similar and isinstance(name, str) else ""
            yield "preflight_waive has a name that no check has.", f"{name}{hint}", remedy


# Names by which checks are waived. The documentation of role and module lists the same ones.
NAMES = tuple(dict.fromkeys(name for checks in (*INVENTORY, *HOSTS) for name, _check in checks.registered))

# Variables of the collection that the checks read.
VARIABLES = (
    "__kube_from_standby",
    "__kube_restored_ca",
    "ansible_port",
    "containerd_package",
    "containerd_proxy",
    "containerd_version",
    "control_plane_anonymous_paths",
    "control_plane_audit_log_days",
    "control_plane_audit_log_files",
    "control_plane_audit_log_megabytes",
    "control_plane_controller_manager_extra_args",
    "control_plane_etcd_quota_mib",
    "control_plane_kubeconfig_users",
    "control_plane_kubelet_configuration",
    "control_plane_pod_pids_limit",
    "control_plane_pod_security",
    "control_plane_pod_security_exempt",
    "control_plane_schedulable",
    "control_plane_terminated_pods",
    "control_plane_tls_min_version",
    "kube_addons",
    "kube_addons_adopt",
    "kube_addons_paths",
    "kube_addons_set",
    "kube_addons_settings",
    "kube_api_port",
    "kube_cluster_name",
    "kube_component_versions",
    "kube_containerd_repository",
    "kube_control_plane_endpoint",
    "kube_control_plane_vip",
    "kube_dns_domain",
    "kube_dns_forwarders",
    "kube_dns_hosts",
    "kube_dns_stub_domains",
    "kube_expected_nodes",
    "kube_http_proxy",
    "kube_https_proxy",
    "kube_image_registry",
    "kube_kubernetes_repository",
    "kube_move_endpoint",
    "kube_network_calico_bgp",
    "kube_network_calico_encapsulation",
    "kube_network_calico_wireguard",
    "kube_network_cilium_encapsulation",
    "kube_network_flannel_backend",
    "kube_network_plugin",
    "kube_no_proxy",
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
    "kubernetes_kubelet_config",
    "kubernetes_nameservers",
    "preflight_clock_tolerance",
    "preflight_upgrade",
    "preflight_waive",
    "swap_state",
    "upgrade_through",
)


def check_variables(cluster: Cluster) -> list[Problem]:
    """Return the variables that are misspelled or have a wrong value, whatever else is wrong with the inventory."""
    checks = (inventory.check_wrong_values, inventory.check_variable_names)
    return [problem for check in checks for problem in check(cluster)]


def check_inventory(cluster: Cluster) -> list[Problem]:
    """Return all problems that can be found without contacting a host."""
    return [problem for checks in INVENTORY for problem in checks.run(cluster)]


def check_hosts(cluster: Cluster) -> list[Problem]:
    """Return all problems of the inspected hosts, and the hosts that could not be inspected."""
    return [problem for checks in HOSTS for problem in checks.run(cluster)]
