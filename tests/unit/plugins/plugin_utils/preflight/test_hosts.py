# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Checks of each host: each reports its problem, and nothing on a suitable host or a member."""

from __future__ import annotations

import pytest

from ansible_collections.slipway.kube.plugins.module_utils._host.facts.system import describe_os
from ansible_collections.slipway.kube.plugins.plugin_utils.preflight import hosts, kernel
from ansible_collections.slipway.kube.plugins.plugin_utils.preflight.checks import check_hosts


def test_suitable_hosts_have_no_problem(cluster):
    assert check_hosts(cluster) == []


def test_healthy_members_have_no_problem(members):
    for host in members.hosts.values():
        # Requirements of the installation only, and effects of being a member.
        host.facts["ports"] = {"6443": "kube-apiserver(1)", "10250": "kubelet(2)"}
        host.facts["cgroup"] = {"version": 1, "controllers": ["cpu", "cpuset", "memory", "pids"]}
        host.facts["capabilities"] = {"sys_resource": False, "missing": ["sys_resource"]}
        host.facts["memory_mb"] = 900
        host.facts["reach"] = {
            "http://mirror/deb/kubernetes": {"kind": "deb", "ok": False, "status": 0, "error": "connection refused"}
        }
    assert check_hosts(members) == []


def test_a_host_that_could_not_be_inspected(cluster, findings):
    cluster.hosts["w1"].facts, cluster.hosts["w1"].failure = {}, "Incorrect sudo password"
    problems = check_hosts(cluster)
    assert findings(problems) == [("reachable", "w1", "error")]
    assert problems[0].evidence == "Incorrect sudo password"


def test_other_hosts_are_reported_beside_a_host_that_could_not_be_inspected(cluster, findings):
    cluster.hosts["w1"].facts, cluster.hosts["w1"].failure = {}, "connection refused"
    cluster.hosts["w2"].facts["architecture"] = "riscv64"
    assert findings(check_hosts(cluster)) == [("reachable", "w1", "error"), ("architecture", "w2", "error")]


def test_a_host_that_is_not_in_this_play_is_no_problem(cluster):
    cluster.hosts["w1"].facts = {}
    assert check_hosts(cluster) == []


def test_privileges(cluster, findings):
    cluster.hosts["w1"].facts["privileged"] = False
    assert findings(hosts.CHECKS.run(cluster)) == [("privileges", "w1", "error")]


@pytest.mark.parametrize(
    ("identifier", "like", "version", "problem"),
    [
        ("debian", "", "12", None),
        ("debian", "", "13", None),
        ("debian", "", "14", ("untested_os", "warning")),
        ("debian", "", "11", ("os", "error")),
        ("debian", "", "", ("os", "error")),
        ("ubuntu", "debian", "24.04", None),
        ("ubuntu", "debian", "22.04", None),
        ("ubuntu", "debian", "24.10", ("untested_os", "warning")),
        ("ubuntu", "debian", "20.04", ("os", "error")),
        ("rhel", "fedora", "9.4", None),
        ("rocky", "rhel centos fedora", "9.4", None),
        ("centos", "rhel fedora", "10", None),
        ("almalinux", "rhel centos fedora", "11.0", ("untested_os", "warning")),
        ("rocky", "rhel centos fedora", "8.10", ("os", "error")),
        ("eurolinux", "rhel fedora centos", "9.4", ("untested_os", "warning")),
        ("eurolinux", "rhel fedora centos", "8.4", ("os", "error")),
        # Relatives whose releases are numbered in their own way.
        ("linuxmint", "ubuntu debian", "22", ("untested_os", "error")),
        ("amzn", "fedora", "2023", ("untested_os", "error")),
        ("fedora", "", "41", ("untested_os", "error")),
        ("alpine", "", "3.20", ("os", "error")),
    ],
)
def test_operating_systems(cluster, findings, identifier, like, version, problem):
    fields = {"ID": identifier, "ID_LIKE": like, "VERSION_ID": version}
    cluster.hosts["w1"].facts["os"] = describe_os(fields)
    problems = [found for found in check_hosts(cluster) if found.check in ("os", "untested_os")]
    assert findings(problems) == ([(problem[0], "w1", problem[1])] if problem else [])


def test_no_systemd(cluster):
    host = cluster.hosts["w1"]
    host.facts["init"] = "sh"
    assert [problem.what for problem in hosts.check_os(cluster)] == ["The host does not run systemd."]


def test_cpus_count_for_control_planes_only(cluster, findings):
    for host in cluster.hosts.values():
        host.facts["cpus"] = 1
    assert findings(hosts.CHECKS.run(cluster)) == [("cpus", "cp1", "error")]


def test_memory(cluster, findings):
    for host in cluster.hosts.values():
        host.facts["memory_mb"] = 1699
    assert findings(hosts.CHECKS.run(cluster)) == [
        ("memory", "cp1", "error"),
        ("memory", "w1", "warning"),
        ("memory", "w2", "warning"),
    ]


@pytest.mark.parametrize(
    ("available_mb", "eviction", "fires"),
    [
        (16_000, {}, []),
        (14_000, {}, ["imagefs.available 15%"]),
        (9_000, {}, ["nodefs.available 10%", "imagefs.available 15%"]),
        (9_000, {"nodefs.available": "1Gi", "imagefs.available": "1Gi"}, []),
        (9_000, {"memory.available": "100Mi"}, []),
        (9_000, {"nodefs.available": "10Gi"}, ["nodefs.available 10Gi"]),
        (2_000, {"nodefs.available": "1Gi"}, ["full", "full"]),
    ],
)
def test_disk_pressure_is_predicted(cluster, available_mb, eviction, fires):
    host = cluster.hosts["w1"]
    host.variables["kubernetes_eviction_hard"] = eviction
    for disk in host.facts["disks"]:
        disk.update(available_mb=available_mb, available_percent=available_mb / 1000)
    problems = list(hosts.check_disk(cluster))
    assert len(problems) == len(fires)
    assert all(part in problem.what for part, problem in zip(fires, problems))
    assert all(problem.severity == "error" for problem in problems)


def test_inodes(cluster):
    host = cluster.hosts["w1"]
    host.facts["disks"][0]["inodes_free_percent"] = 4.0
    (problem,) = hosts.check_disk(cluster)
    assert "nodefs.inodesFree" in problem.what


def test_a_full_disk_of_a_member_is_warned(members, findings):
    for disk in members.hosts["w1"].facts["disks"]:
        disk.update(available_mb=5_000, available_percent=5.0)
    assert findings(check_hosts(members)) == [("disk", "w1", "warning"), ("disk", "w1", "warning")]


@pytest.mark.parametrize(
    ("threshold", "megabytes"),
    [("10%", 100.0), ("1Gi", 1024.0), ("512Mi", 512.0), ("1048576", 1.0), ("1G", 953.67), ("x", None)],
)
def test_thresholds(threshold, megabytes):
    least = hosts.parse_threshold(threshold, 1000)
    assert least == (None if megabytes is None else pytest.approx(megabytes, abs=0.01))


@pytest.mark.parametrize(
    ("name", "port", "fires"),
    [
        ("cp1", "6443", True),
        ("cp1", "2379", True),
        ("cp1", "10256", True),
        ("w1", "10250", True),
        ("w1", "10257", False),
        ("w1", "6443", False),
    ],
)
def test_taken_ports(cluster, name, port, fires):
    host = cluster.hosts[name]
    host.facts["ports"] = {port: "java(7)"}
    assert bool(list(hosts.check_ports(cluster))) == fires


def test_the_api_port_is_the_one_that_is_set(cluster):
    host = cluster.hosts["cp1"]
    host.variables["kube_api_port"] = 7443
    host.facts["ports"] = {"6443": "java(7)"}
    assert not list(hosts.check_ports(cluster))
    host.facts["ports"] = {"7443": "java(7)"}
    assert list(hosts.check_ports(cluster))


def test_ports_of_an_interrupted_run_are_its_own(cluster):
    host = cluster.hosts["cp1"]
    host.facts["ports"] = {"2379": "etcd(7)", "10257": "kube-controller(8)"}
    assert len(list(hosts.check_ports(cluster))) == 2
    host.facts["record"].update(marked=True, cluster="kubernetes", operation="init")
    assert not list(hosts.check_ports(cluster))
    host.facts["ports"] = {"2379": "java(7)"}
    assert len(list(hosts.check_ports(cluster))) == 1


def test_swap(cluster, findings):
    host = cluster.hosts["w1"]
    host.facts["swap"]["active"] = [{"device": "/dev/sda2", "type": "partition", "size_mb": 975}]
    assert findings(hosts.check_swap(cluster)) == [("swap", "w1", "info")]
    host.variables["swap_state"] = "kept"
    assert findings(hosts.check_swap(cluster)) == []


def test_cgroup_version_1_is_warned(cluster, findings):
    host = cluster.hosts["w1"]
    host.facts["cgroup"]["version"] = 1
    problems = list(kernel.check_cgroup(cluster))
    assert findings(problems) == [("cgroup", "w1", "warning")]
    assert "failCgroupV1" in problems[0].evidence


def test_missing_controllers(cluster, findings):
    host = cluster.hosts["w1"]
    host.facts["cgroup"]["controllers"].remove("memory")
    assert findings(kernel.check_cgroup(cluster)) == [("cgroup", "w1", "error")]


@pytest.mark.parametrize(
    ("want", "feature", "severity"),
    [
        ({}, "overlay", "error"),
        ({}, "vxlan", "error"),
        ({}, "ipip", None),
        ({"kube_network_calico_encapsulation": "IPIP"}, "ipip", "error"),
        ({"kube_network_calico_encapsulation": "IPIPCrossSubnet"}, "ipip", "error"),
        ({"kube_network_calico_encapsulation": "None"}, "vxlan", None),
        ({"kube_network_calico_wireguard": True}, "wireguard", "error"),
        ({}, "wireguard", None),
        ({}, "nf_tables", "error"),
        ({"kube_proxy_mode": "iptables"}, "nf_tables", None),
        ({"kube_proxy_mode": "ipvs"}, "ip_vs", "error"),
        ({}, "ip_vs", None),
        ({"kube_network_plugin": "flannel"}, "vxlan", "error"),
        ({"kube_network_plugin": "flannel", "kube_network_flannel_backend": "host-gw"}, "vxlan", None),
        ({"kube_network_plugin": "cilium"}, "bpf", "error"),
        ({"kube_network_plugin": "cilium"}, "sch_ingress", "error"),
        ({"kube_network_plugin": "cilium"}, "vxlan", "error"),
        ({"kube_network_plugin": "cilium"}, "geneve", None),
        ({"kube_network_plugin": "cilium", "kube_network_cilium_encapsulation": "geneve"}, "geneve", "error"),
        ({"kube_network_plugin": "cilium", "kube_network_cilium_encapsulation": "none"}, "vxlan", None),
        ({}, "cls_bpf", None),
    ],
)
def test_kernel_features(cluster, findings, want, feature, severity):
    host = cluster.hosts["w1"]
    host.variables.update(want)
    host.facts["kernel"]["features"].update(bpf=True, cls_bpf=True, sch_ingress=True, geneve=True)
    host.facts["kernel"]["features"][feature] = False
    assert findings(kernel.check_kernel(cluster)) == ([("kernel", "w1", severity)] if severity else [])


def test_cilium_needs_cgroup_v2_and_a_recent_kernel(cluster, findings):
    host = cluster.hosts["w1"]
    host.variables.update(kube_network_plugin="cilium", kube_proxy_mode="iptables")
    host.facts["kernel"]["features"].update(bpf=True, cls_bpf=True, sch_ingress=True)
    host.facts["kernel"]["release"] = "5.10.0-8-amd64"
    assert not findings(kernel.check_kernel(cluster))
    host.facts["kernel"]["release"] = "5.4.0-200-generic"
    (problem,) = kernel.check_kernel(cluster)
    assert "too old for Cilium" in problem.what and "5.10 or later" in problem.evidence
    host.facts["cgroup"]["version"] = 1
    (problem,) = kernel.check_cgroup(cluster)
    assert (problem.severity, "attaches its programs to cgroup v2" in problem.what) == ("error", True)


def test_an_undetermined_feature_is_warned(cluster, findings):
    host = cluster.hosts["w1"]
    host.facts["kernel"]["features"]["vxlan"] = None
    assert findings(kernel.check_kernel(cluster)) == [("kernel", "w1", "warning")]


def test_kernel_too_old_for_nftables(cluster, findings):
    host = cluster.hosts["w1"]
    host.facts["kernel"]["release"] = "5.10.0-28-amd64"
    assert findings(kernel.check_kernel(cluster)) == [("kernel", "w1", "error")]
    host.variables["kube_proxy_mode"] = "iptables"
    assert findings(kernel.check_kernel(cluster)) == []


def test_resolver_loop(cluster, findings):
    host = cluster.hosts["w1"]
    host.facts["network"]["resolver"].update(
        nameservers=["127.0.0.53"], loopback=True, usable_path="/run/systemd/resolve/resolv.conf"
    )
    assert findings(hosts.check_resolver(cluster)) == []
    host.facts["network"]["resolver"]["usable_path"] = ""
    assert findings(hosts.check_resolver(cluster)) == [("resolver", "w1", "warning")]
    host.variables["kubernetes_nameservers"] = ["10.0.0.1"]
    assert findings(hosts.check_resolver(cluster)) == []


def test_selinux(cluster, findings):
    host = cluster.hosts["w1"]
    host.facts["selinux"] = "enforcing"
    assert findings(hosts.check_selinux(cluster)) == []
    host.facts["selinux"] = "disabled"
    assert findings(hosts.check_selinux(cluster)) == [("selinux", "w1", "info")]


def test_capabilities(cluster, findings):
    host = cluster.hosts["w1"]
    host.facts["capabilities"]["missing"] = ["sys_resource"]
    assert findings(kernel.check_capabilities(cluster)) == [("capabilities", "w1", "info")]
    host.facts["capabilities"]["missing"] = ["sys_resource", "sys_admin"]
    problems = list(kernel.check_capabilities(cluster))
    assert findings(problems) == [("capabilities", "w1", "error")]
    assert "sys_resource" not in problems[0].evidence
