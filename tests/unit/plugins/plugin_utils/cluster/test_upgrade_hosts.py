# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan of an upgrade gets what it needs of each host, whether facts about it are known or not."""

from __future__ import annotations

from ansible_collections.slipway.kube.plugins.plugin_utils.cluster.upgrade_hosts import upgrade_hosts

FACTS = {
    "network": {"default_address": "192.0.2.11"},
    "packages": {"kubeadm": "1.37.2-1.1", "containerd.io": "2.2.3-1~debian.13~trixie", "containerd": "1.7.24~ds1-6"},
    "cluster": {"member": True, "kubelet_version": "1.36.3", "components": {"etcd": "3.6.8"}},
    "record": {"upgrade": "apply 1.37.2", "operation": ""},
    "disks": [{"path": "/var/lib/etcd", "available_mb": 9000, "filesystem": "/"}],
}


def test_hosts_control_planes_first():
    hostvars = {
        "cp1": {"kube_host": FACTS},
        "w1": {
            "kube_host": FACTS,
            "kube_node_name": "worker-1",
            "containerd_package": "containerd",
            "containerd_version": 1.7,
        },
        "w2": {},
    }
    first, second, third = upgrade_hosts(
        hostvars, ["cp1"], ["w1", "w2"], ["cp1", "w1", "w2"], "2.3.0", "containerd.io", 7443
    )
    assert first == {
        "host": "cp1",
        "name": "cp1",
        "address": "192.0.2.11",
        "api_port": 7443,
        "control_plane": True,
        "in_run": True,
        "kubeadm": "1.37.2",
        "kubelet": "1.36.3",
        "components": {"etcd": "3.6.8"},
        "containerd": "2.2.3",
        "containerd_wanted": "2.3.0",
        "interrupted": "apply 1.37.2",
        "disks": [{"path": "/var/lib/etcd", "available_mb": 9000}],
    }
    assert (second["name"], second["containerd"], second["containerd_wanted"]) == ("worker-1", "1.7.24", "1.7")
    assert (third["in_run"], third["kubelet"], third["disks"]) == (False, "", [])


def test_a_host_outside_the_run_is_known_and_not_upgraded():
    (only,) = upgrade_hosts({"cp1": {"kube_host": FACTS}}, ["cp1"], [], [], "2.3.0", "containerd.io", 6443)
    assert not only["in_run"] and only["kubelet"] == "1.36.3"
