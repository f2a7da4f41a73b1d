# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which ports a node needs: one table for preflight and for firewalld."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from ansible_collections.slipway.kube.plugins.filter.node_ports import node_ports
from ansible_collections.slipway.kube.plugins.modules.host_info import DOCUMENTATION
from ansible_collections.slipway.kube.plugins.plugin_utils.network.ports import Node

ROLES = Path(__file__).parents[5] / "roles"
EVERYWHERE = ["10250/tcp", "10256/tcp", "30000-32767/tcp", "30000-32767/udp"]


@pytest.mark.parametrize(
    ("settings", "ports", "protocols"),
    [
        ({"plugin": "none"}, [], []),
        ({"plugin": "none", "control_plane": True, "api_port": 7443}, ["7443/tcp", "2379-2380/tcp"], []),
        ({"plugin": "flannel"}, ["8472/udp"], []),
        ({"plugin": "flannel", "flannel_backend": "host-gw"}, [], []),
        ({"plugin": "cilium"}, ["8472/udp", "4240/tcp"], []),
        ({"plugin": "cilium", "cilium_encapsulation": "geneve"}, ["6081/udp", "4240/tcp"], []),
        ({"plugin": "cilium", "cilium_encapsulation": "none"}, ["4240/tcp"], []),
        ({"plugin": "calico"}, ["4789/udp"], []),
        ({"plugin": "calico", "bgp": True}, ["179/tcp", "4789/udp"], []),
        ({"plugin": "calico", "encapsulation": "IPIPCrossSubnet"}, ["179/tcp"], ["4"]),
        ({"plugin": "calico", "encapsulation": "None", "wireguard": True}, ["179/tcp", "51820-51821/udp"], []),
        ({"plugin": "none", "vip": True}, [], []),
        ({"plugin": "none", "control_plane": True, "vip": True}, ["6443/tcp", "2379-2380/tcp"], ["112"]),
    ],
)
def test_a_firewall_opens_what_others_connect_to(settings, ports, protocols):
    needed = node_ports(settings.pop("plugin"), **settings)
    assert sorted(needed["open"]) == sorted([*EVERYWHERE, *ports])
    assert needed["protocols"] == protocols


def test_the_ports_on_which_components_listen_must_be_free():
    assert node_ports("calico")["listening"] == [10250, 10256]
    control_plane = node_ports("calico", control_plane=True)["listening"]
    assert sorted(control_plane) == [2379, 2380, 6443, 10250, 10256, 10257, 10259]
    assert yaml.safe_load(DOCUMENTATION)["options"]["ports"]["default"] == sorted(control_plane)


def test_an_external_etcd_has_its_ports_on_hosts_of_its_own():
    assert node_ports("calico", etcd=True, external_etcd=True) == {
        "open": ["2379-2380/tcp"],
        "protocols": [],
        "listening": [2379, 2380, 10250],
    }
    control_plane = node_ports("none", control_plane=True, external_etcd=True)
    assert "2379-2380/tcp" not in control_plane["open"] and 2379 not in control_plane["listening"]


def test_settings_that_are_not_known_are_the_defaults_of_role_network():
    defaults = yaml.safe_load((ROLES / "network/defaults/main.yml").read_text())
    known = {name: defaults[f"kube_network_calico_{name}"] for name in ("encapsulation", "wireguard")}
    for plugin in ("calico", "flannel"):
        assert (
            Node(plugin).ports == Node(plugin, **known, flannel_backend=defaults["kube_network_flannel_backend"]).ports
        )
