# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A valid cluster of three hosts, in which each test breaks one thing."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from typing import Any

import pytest

from ansible_collections.slipway.kube.plugins.plugin_utils.preflight.problem import Cluster, Host, Problem

VARIABLES: dict[str, Any] = {
    "containerd_package": "containerd.io",
    "containerd_proxy": {},
    "containerd_version": "2.2.3",
    "control_plane_anonymous_paths": ["/livez"],
    "control_plane_audit_log_days": 30,
    "control_plane_audit_log_files": 10,
    "control_plane_audit_log_megabytes": 100,
    "control_plane_etcd_quota_mib": 4096,
    "control_plane_pod_pids_limit": 4096,
    "control_plane_pod_security": {"enforce": "privileged"},
    "control_plane_pod_security_exempt": [],
    "control_plane_schedulable": "auto",
    "control_plane_terminated_pods": 1000,
    "control_plane_tls_min_version": "VersionTLS12",
    "kube_addons": [],
    "kube_addons_adopt": [],
    "kube_addons_paths": [],
    "kube_addons_set": "auto",
    "kube_addons_settings": {},
    "kube_api_port": 6443,
    "kube_cluster_name": "kubernetes",
    "kube_component_versions": {"pause": "3.10.2", "containerd": "2.2.3", "etcd": "3.6.8", "coredns": "1.14.2"},
    "kube_control_plane_endpoint": "api.example.com:6443",
    "kube_control_plane_vip": "",
    "kube_containerd_repository": {
        "deb_url": "http://mirror/deb/containerd",
        "suite": "./",
        "key_url": "http://mirror/deb/key.asc",
    },
    "kube_dns_domain": "cluster.local",
    "kube_http_proxy": "",
    "kube_https_proxy": "",
    "kube_image_registry": "registry.k8s.io",
    "kube_kubernetes_repository": {
        "deb_url": "http://mirror/deb/kubernetes",
        "suite": "/",
        "key_url": "http://mirror/deb/key.asc",
    },
    "kube_network_calico_encapsulation": "VXLAN",
    "kube_network_calico_wireguard": False,
    "kube_network_flannel_backend": "vxlan",
    "kube_network_plugin": "calico",
    "kube_node_ip": "",
    "kube_node_labels": {"disktype": "ssd"},
    "kube_node_taints": [{"key": "dedicated", "value": "gpu", "effect": "NoSchedule"}],
    "kube_pod_subnet": "192.168.0.0/16",
    "kube_proxy_mode": "nftables",
    "kube_record_dir": "/var/lib/slipway",
    "kube_registry_mirrors": {},
    "kube_service_subnet": "10.96.0.0/12",
    "kube_version": "1.36.3",
    "kube_versions": {"1.36": {}, "1.35": {}},
    "kubernetes_eviction_hard": {},
    "kubernetes_firewalld": True,
    "kubernetes_nameservers": [],
    "preflight_clock_tolerance": 30,
    "preflight_waive": [],
    "swap_state": "absent",
    "upgrade_through": [],
    "external_etcd": False,
}


def make_facts(number: int) -> dict[str, Any]:
    """Return the facts of a Debian 12 machine that is ready to become a node."""
    address = f"10.0.0.{10 + number}"
    disk = {
        "filesystem": "ext4",
        "total_mb": 100_000,
        "available_mb": 60_000,
        "available_percent": 60.0,
        "inodes_free_percent": 90.0,
    }
    return {
        "os": {
            "id": "debian",
            "id_like": [],
            "version_id": "12",
            "codename": "bookworm",
            "family": "debian",
            "name": "Debian GNU/Linux 12 (bookworm)",
        },
        "architecture": "amd64",
        "hostname": f"h{number}",
        "kernel": {
            "release": "6.1.0-32-amd64",
            "modules_builtin": [],
            "modules_loaded": [],
            "modules_loadable": True,
            "read_only_sysctls": [],
            "features": dict.fromkeys(
                (
                    "overlay",
                    "br_netfilter",
                    "nf_conntrack",
                    "nf_tables",
                    "vxlan",
                    "ipip",
                    "wireguard",
                    "ip_vs",
                    "ip_vs_rr",
                ),
                True,
            ),
        },
        "cpus": 2,
        "memory_mb": 4000,
        "disks": [{"path": path, **disk} for path in ("/var/lib/kubelet", "/var/lib/containerd", "/var/lib/etcd")],
        "cgroup": {"version": 2, "controllers": ["cpu", "cpuset", "io", "memory", "pids"]},
        "capabilities": {"sys_resource": True, "missing": []},
        "container": "",
        "init": "systemd",
        "swap": {"active": [], "fstab": [], "units": [], "zram": False},
        "selinux": "absent",
        "firewall": {"firewalld": False, "ufw": False, "ufw_rules": [], "zones": []},
        "network": {
            "ipv6": True,
            "default_address": address,
            "default_interface": "eth0",
            "gateway": "10.0.0.1",
            "addresses": [
                {
                    "interface": "eth0",
                    "address": address,
                    "prefix": 24,
                    "family": "ipv4",
                    "mac": f"52:54:00:00:00:{number:02x}",
                    "mtu": 1500,
                }
            ],
            "resolver": {
                "path": "/etc/resolv.conf",
                "nameservers": ["10.0.0.1"],
                "loopback": False,
                "usable_path": "/etc/resolv.conf",
            },
        },
        "privileged": True,
        "machine_id": f"{number:032x}",
        "product_uuid": f"uuid-{number}",
        "time": 1001.0,
        "controller_time": 1000.0,
        "cni": [],
        "ports": {},
        "packages": {"iproute2": "6.1.0-3"},
        "held": [],
        "repositories": [],
        "units": {},
        "cluster": {
            "member": False,
            "role": "",
            "name": "",
            "endpoint": "",
            "ca_hash": "",
            "version": "",
            "kubelet_version": "",
            "healthy": False,
            "bootstrapping": False,
            "manifests": [],
            "rotating": False,
            "etcd_data": False,
            "etcd_servers": [],
            "etcd_ca_hash": "",
            "components": {},
        },
        "kubeconfigs": {},
        "record": {"marked": False, "cluster": "", "operation": "", "readable": True},
        "reach": {},
    }


def join(host: Host) -> None:
    """Make a host a healthy member of the desired cluster."""
    host.facts["cluster"].update(
        member=True,
        role=host.role,
        name="kubernetes",
        endpoint="api.example.com:6443",
        ca_hash="sha256:aa",
        version="1.36.3",
        healthy=True,
    )
    host.facts["record"].update(marked=True, cluster="kubernetes")


def found(problems: Iterable[Problem]) -> list[tuple[str, str, str]]:
    """Return (check, host, severity) of each problem."""
    return [(problem.check, problem.host, problem.severity) for problem in problems]


@pytest.fixture
def cluster() -> Cluster:
    """cp1, w1 and w2, not yet members and without problems."""
    hosts = {}
    for number, name in enumerate(("cp1", "w1", "w2"), 1):
        variables = {**copy.deepcopy(VARIABLES), "kube_node_name": name}
        plane = name == "cp1"
        hosts[name] = Host(
            name, f"10.0.0.{10 + number}", variables, make_facts(number), control_plane=plane, worker=not plane
        )
    known = {name: "cluster" for name in VARIABLES if name.startswith("kube_")}
    known.update({"swap_state": "swap", "kubernetes_eviction_hard": "kubernetes", "kube_network_mtu": "network"})
    return Cluster(
        hosts=hosts,
        members={"all": [*hosts], "kube_cluster": [*hosts], "kube_control_plane": ["cp1"], "kube_worker": ["w1", "w2"]},
        known=known,
        now=1002.0,
    )


@pytest.fixture
def findings() -> Callable[[Iterable[Problem]], list[tuple[str, str, str]]]:
    """See found()."""
    return found


@pytest.fixture
def external(cluster: Cluster) -> Cluster:
    """The same three hosts, of which w2 is etcd1, the member of an external etcd."""
    host = cluster.hosts.pop("w2")
    host.name, host.worker, host.etcd = "etcd1", False, True
    host.variables["kube_node_name"] = "etcd1"
    cluster.hosts["etcd1"] = host
    for one in cluster.hosts.values():
        one.variables["external_etcd"] = True
    everybody = [*cluster.hosts]
    cluster.members.update(all=everybody, kube_cluster=everybody, kube_worker=["w1"], kube_etcd=["etcd1"])
    return cluster


@pytest.fixture
def members(cluster: Cluster) -> Cluster:
    """The same three hosts as healthy members of the cluster."""
    for host in cluster.hosts.values():
        join(host)
    return cluster
