# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the role kubernetes derives from the facts of a host: rules that are written as variables."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar

from harness.core import load_variables, trust_as_template

ROLES = Path(__file__).parents[3] / "roles"
FILES = ("cluster/defaults/main.yml", "kubernetes/defaults/main.yml", "kubernetes/vars/main.yml")

HOST = {
    "os": {"family": "debian", "id": "debian", "codename": "bookworm"},
    "cgroup": {"version": 2},
    "cpus": 2,
    "memory_mb": 4096,
    "cluster": {"member": False, "name": ""},
    "packages": {},
    "units": {},
    "container": "",
    "swap": {"active": [], "fstab": [], "units": [], "zram": False},
    "firewall": {"firewalld": False, "ufw": False, "zones": []},
    "disks": [
        {"path": path, "available_percent": 60.0, "available_mb": 60000}
        for path in ("/var/lib/kubelet", "/var/lib/containerd", "/var/lib/etcd")
    ],
    "network": {
        "gateway": "10.0.0.1",
        "default_address": "10.0.0.5",
        "addresses": [
            {"interface": "eth0", "address": "10.0.0.5", "prefix": 24},
            {"interface": "eth1", "address": "10.9.0.5", "prefix": 24},
        ],
        "resolver": {"usable_path": "/run/systemd/resolve/resolv.conf"},
    },
}


def value(name, host=None, **variables):
    """A variable of the role, for a host that differs from HOST in some keys."""
    loader = DataLoader()
    known = {"inventory_hostname": "w1", "groups": {"kube_control_plane": ["cp1"], "kube_worker": ["w1"]}}
    for path in FILES:
        known.update(load_variables(ROLES / path))
    known.update(variables, kube_host={**HOST, **(host or {})})
    return Templar(loader=loader, variables=known).template(trust_as_template("{{ " + name + " }}"))


@pytest.mark.parametrize(
    ("member", "installed", "wanted", "other"),
    [
        (True, "1.36.3-1.1", "1.36.3", False),
        (True, "1.36.3-1.1", "1.36.30", True),
        (True, "1.36.30-1.1", "1.36.3", True),
        (True, "1.35.4-1.1", "1.36.3", True),
        (True, "0:1.36.3-150500.1.1", "1.36.3", False),
        (False, "1.35.4-1.1", "1.36.3", False),
        (True, "", "1.36.3", False),
    ],
)
def test_only_a_member_of_another_version_is_refused(member, installed, wanted, other):
    host = {"cluster": {"member": member, "name": "one"}, "packages": {"kubelet": installed} if installed else {}}
    assert bool(value("__kubernetes_other_version", host, kube_version=wanted)) is other


def disk(percent, megabytes):
    return [
        {"path": "/var/lib/kubelet", "available_percent": 90.0, "available_mb": 99999},
        {"path": "/var/lib/containerd", "available_percent": percent, "available_mb": megabytes},
    ]


@pytest.mark.parametrize(
    ("percent", "megabytes", "member", "amounts"),
    [
        (14.0, 60000, False, True),
        (14.0, 60000, True, False),
        (14.0, 9000, False, False),
        (60.0, 60000, False, False),
        (24.9, 10240, False, True),
    ],
)
def test_thresholds_are_amounts_where_percentages_would_mean_pressure(percent, megabytes, member, amounts):
    host = {"disks": disk(percent, megabytes), "cluster": {"member": member, "name": ""}}
    assert bool(value("__kubernetes_amounts", host)) is amounts
    assert any(f"Disk: {percent} %" in note for note in value("__kubernetes_notes", host)) is amounts


def test_thresholds_as_amounts_leave_the_others_as_they_are():
    config = value("__kubernetes_disk_config")
    assert config["evictionHard"] == {"nodefs.available": "2Gi", "imagefs.available": "3Gi"}
    assert config["mergeDefaultEvictionSettings"] is True
    assert config["imageGCLowThresholdPercent"] < config["imageGCHighThresholdPercent"] == 100


def test_a_common_host_gets_few_settings():
    assert value("__kubernetes_kubelet_config") == {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "resolvConf": "/run/systemd/resolve/resolv.conf",
        "serverTLSBootstrap": True,
    }
    assert value("__kubernetes_notes") == []


@pytest.mark.parametrize(
    ("host", "variables", "settings"),
    [
        ({"cgroup": {"version": 1}}, {}, {"failCgroupV1": False}),
        ({}, {"kubernetes_swap": "kept"}, {"failSwapOn": False, "memorySwap": {"swapBehavior": "LimitedSwap"}}),
        ({"container": "docker", "swap": {"active": [{"device": "/dev/sda2"}]}}, {}, {"failSwapOn": False}),
        (
            {},
            {"kubernetes_eviction_hard": {"memory.available": "1Gi"}},
            {"evictionHard": {"memory.available": "1Gi"}, "mergeDefaultEvictionSettings": True},
        ),
        (
            {},
            {"kubernetes_system_reserved": {"cpu": "1"}, "kubernetes_kube_reserved": {"cpu": "2"}},
            {"systemReserved": {"cpu": "1"}, "kubeReserved": {"cpu": "2"}},
        ),
        (
            {},
            {"kubernetes_kubelet_config": {"maxPods": 50, "serverTLSBootstrap": False}},
            {"maxPods": 50, "serverTLSBootstrap": False},
        ),
    ],
)
def test_what_the_host_and_its_owner_ask_for_is_set(host, variables, settings):
    config = value("__kubernetes_kubelet_config", host, **variables)
    assert {key: config[key] for key in settings} == settings


@pytest.mark.parametrize(
    ("member", "variables", "written"),
    [(False, {}, True), (True, {}, False), (False, {"kubernetes_reserve": "false"}, False)],
)
def test_a_new_node_keeps_a_part_of_its_host_for_the_system(member, variables, written):
    host = {"cluster": {"member": member, "name": ""}}
    assert bool(value("__kubernetes_reserves", host, **variables)) is written
    assert value("__kubernetes_reserved_config", host)["kubeReserved"] == {"cpu": "70m", "memory": "1024Mi"}


def test_a_host_whose_resolver_is_a_loopback_gets_a_file_of_its_own():
    host = {"network": dict(HOST["network"], resolver={"usable_path": ""})}
    assert value("__kubernetes_kubelet_config", host)["resolvConf"] == "/etc/kubernetes/resolv.conf"
    assert value("__kubernetes_nameservers", host) == ["10.0.0.1"]
    assert "DNS of pods forwards names outside the cluster to 10.0.0.1" in value("__kubernetes_notes", host)[0]
    assert value("__kubernetes_nameservers", host, kubernetes_nameservers=["9.9.9.9"]) == ["9.9.9.9"]
    assert value("__kubernetes_notes", host, kubernetes_nameservers=["9.9.9.9"]) == []


def test_arguments_of_the_kubelet_name_the_drop_ins_and_the_address():
    drop_ins = {"config-dir": "/etc/kubernetes/kubelet.conf.d"}
    assert value("__kubernetes_kubelet_arguments") == {**drop_ins, "node-ip": "10.0.0.5"}
    more = value("__kubernetes_kubelet_arguments", kube_node_ip="10.9.9.9", kubernetes_kubelet_arguments={"v": 4})
    assert more == {**drop_ins, "node-ip": "10.9.9.9", "v": 4}


@pytest.mark.parametrize(("host", "control_plane"), [("cp1", True), ("w1", False)])
def test_firewalld_opens_what_the_node_has(host, control_plane):
    firewall = value("__kubernetes_firewall", inventory_hostname=host, kubernetes_firewalld_extra_ports=["9100/tcp"])
    assert ({"2379-2380/tcp", "6443/tcp"} <= set(firewall["ports"])) is control_plane
    assert {"10250/tcp", "30000-32767/tcp", "4789/udp", "9100/tcp"} <= set(firewall["ports"])
    assert firewall["trusted"] == ["192.168.0.0/16"]
    assert firewall["protocols"] == []


def test_firewalld_uses_the_zone_of_the_interface_with_the_node_s_address():
    zones = [{"zone": "public", "interfaces": ["eth0"]}, {"zone": "internal", "interfaces": ["eth1"]}]
    host = {"firewall": {"firewalld": True, "ufw": False, "zones": zones}}
    assert value("__kubernetes_firewall", host)["zone"] == "public"
    assert value("__kubernetes_firewall", host, kube_node_ip="10.9.0.5,fd00::5")["zone"] == "internal"
    host["firewall"]["zones"] = zones[:1]
    assert value("__kubernetes_firewall", host, kube_node_ip="10.9.0.5")["zone"] == ""


def test_firewalld_lets_ip_in_ip_pass():
    assert value("__kubernetes_firewall", kube_network_calico_encapsulation="IPIPCrossSubnet")["protocols"] == ["4"]
    firewall = value(
        "__kubernetes_firewall", kube_network_plugin="flannel", kube_network_calico_encapsulation="IPIPCrossSubnet"
    )
    assert firewall["protocols"] == []


@pytest.mark.parametrize(
    ("plugin", "interfaces"),
    [
        ("calico", {"cali*", "tunl*", "vxlan.calico", "vxlan-v6.calico", "wireguard.cali", "wg-v6.cali"}),
        ("flannel", {"flannel*", "cni*", "veth*"}),
        ("cilium", {"cilium*", "lxc*"}),
    ],
)
def test_networkmanager_leaves_the_interfaces_of_pods_alone(plugin, interfaces):
    host = {"units": {"NetworkManager.service": {"active": True, "enabled": True, "masked": False}}}
    (file,) = value("__kubernetes_network_manager", host, kube_network_plugin=plugin)
    section, setting = file["content"].strip().splitlines()[-2:]
    # With += the file adds to the devices that other files list.
    name, equals, devices = setting.partition("+=")
    assert (section, name, equals) == ("[keyfile]", "unmanaged-devices", "+=")
    assert set(devices.split(";")) == {f"interface-name:{interface}" for interface in interfaces}
    assert "+ __kubernetes_network_manager" in load_variables(ROLES / "kubernetes/vars/main.yml")["__kubernetes_files"]
    (unit,) = [item for item in value("__kubernetes_units", host) if item["name"] == "NetworkManager.service"]
    assert unit["restart_when_newer"] == [file["path"]] and "state" not in unit


@pytest.mark.parametrize("host", [{}, {"units": {"NetworkManager.service": {"masked": True}}}])
def test_networkmanager_is_configured_only_where_it_can_run(host):
    assert value("__kubernetes_network_manager", host) == []
    assert [unit["name"] for unit in value("__kubernetes_units", host)] == ["kubelet.service"]
    running = {"units": {"NetworkManager.service": {"masked": False}}}
    assert value("__kubernetes_network_manager", running, kube_network_plugin="none") == []


def test_a_control_plane_has_the_timer_that_approves_serving_certificates():
    units = value("__kubernetes_units", inventory_hostname="cp1", kubernetes_serving_certificates="false")
    assert [unit["name"] for unit in units] == ["kubelet.service", "slipway-serving-certificates.timer"]
    assert (units[1]["enabled"], units[1]["state"]) == (False, "stopped")


@pytest.mark.parametrize(
    ("name", "member", "removed", "started"),
    [
        ("etcd1", False, False, True),
        ("etcd1", True, False, True),
        ("w1", False, True, False),
        ("w1", True, False, False),
    ],
)
def test_the_kubelet_of_a_host_that_was_prepared_for_etcd_can_join_a_cluster(name, member, removed, started):
    groups = {"kube_control_plane": ["cp1"], "kube_worker": ["w1"], "kube_etcd": ["etcd1"]}
    known = {"host": {"cluster": {"member": member, "name": ""}}, "inventory_hostname": name, "groups": groups}
    dropin = "/etc/systemd/system/kubelet.service.d/20-slipway-etcd.conf"
    assert value("__kubernetes_joining_files", **known) == ([{"path": dropin, "state": "absent"}] if removed else [])
    unit = value("__kubernetes_units", **known)[0]
    # Otherwise it goes on without a cluster, and on its port.
    assert (dropin in unit["restart_when_newer"]) is (removed or started)
    assert ("/var/lib/kubelet/config.yaml" in unit["restart_when_newer"]) is started is ("state" in unit)
    assert "__kubernetes_joining_files" in load_variables(ROLES / "kubernetes/vars/main.yml")["__kubernetes_files"]


def test_the_kubelet_of_a_host_of_etcd_belongs_to_no_cluster():
    external = {"kube_control_plane": ["cp1"], "kube_worker": [], "kube_etcd": ["w1"]}
    firewalld = {"firewall": {"firewalld": True, "ufw": False, "zones": []}}
    assert value("__kubernetes_kubelet_config", groups=external)["serverTLSBootstrap"] is False
    config = value("__kubernetes_alone_config", groups=external)
    assert config["address"] == "127.0.0.1" and config["staticPodPath"] == "/etc/kubernetes/manifests"
    assert config["authentication"] == {"anonymous": {"enabled": False}, "webhook": {"enabled": False}}
    firewall = value("__kubernetes_firewall", firewalld, groups=external)
    assert firewall["ports"] == ["2379-2380/tcp"] and firewall["trusted"] == [] and firewall["protocols"] == []
    plane = value(
        "__kubernetes_firewall", firewalld, groups={**external, "kube_etcd": ["etcd1"]}, inventory_hostname="cp1"
    )
    assert "6443/tcp" in plane["ports"] and "2379-2380/tcp" not in plane["ports"]


@pytest.mark.parametrize(("group", "started"), [("kube_worker", False), ("kube_etcd", True)])
def test_only_a_kubelet_without_a_cluster_is_started_by_the_role(group, started):
    (kubelet, *_others) = value(
        "__kubernetes_units",
        groups={group: ["w1"]},
        __kubernetes_alone_files=[{"path": "/var/lib/kubelet/config.yaml"}],
    )
    assert (kubelet.get("state") == "started") is started
    assert ("/var/lib/kubelet/config.yaml" in kubelet["restart_when_newer"]) is started


@pytest.mark.parametrize(
    ("variables", "url"),
    [
        ({}, "http://127.0.0.1:10248/healthz"),
        (
            {"kubernetes_kubelet_config": {"healthzBindAddress": "::1", "healthzPort": 10250}},
            "http://[::1]:10250/healthz",
        ),
        ({"control_plane_kubelet_configuration": {"healthzPort": 10300}}, "http://127.0.0.1:10300/healthz"),
        ({"kubernetes_kubelet_config": {"healthzPort": 0}}, None),
        (
            {"kubernetes_kubelet_arguments": {"healthz-port": "10301", "healthz-bind-address": "127.0.0.2"}},
            "http://127.0.0.2:10301/healthz",
        ),
        ({"kubernetes_kubelet_arguments": {"healthz-port": "0"}}, None),
    ],
)
def test_a_kubelet_that_was_restarted_must_answer(variables, url):
    kubelet = value("__kubernetes_units | first", {"cluster": {"member": True, "name": "one"}}, **variables)
    assert kubelet["name"] == "kubelet.service" and (kubelet.get("health") or {}).get("url") == url


def test_a_kubelet_that_has_not_joined_is_not_waited_for():
    """It ends and is started again every ten seconds: a run that finds it active for a moment must not fail."""
    assert "health" not in value("__kubernetes_units | first")
    groups = {"kube_control_plane": ["cp1"], "kube_etcd": ["w1"]}
    kubelet = value(
        "__kubernetes_units | first",
        groups=groups,
        __kubernetes_alone_files=[],
        control_plane_kubelet_configuration={"healthzPort": 10300},  # of nodes only: kubeadm gives it to them
    )
    assert kubelet["health"]["url"] == "http://127.0.0.1:10248/healthz"
