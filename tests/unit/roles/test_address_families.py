# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Networks and addresses with two address families in the variables of the roles. Blanks around the comma are allowed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar

from harness.core import load_variables, trust_as_template

ROLES = Path(__file__).parents[3] / "roles"
DUAL = {
    "kube_pod_subnet": "192.168.0.0/16, fd00:10:244::/56",
    "kube_service_subnet": "10.96.0.0/12, fd00:10:96::/112",
    "kube_node_ip": "10.0.0.5, fd00::5",
}
HOST = {
    "network": {"default_address": "10.0.0.5", "addresses": []},
    "firewall": {"zones": []},
    "os": {"family": "debian", "id": "debian", "codename": "bookworm"},
    "units": {},
}


def value(role: str, expression: str, **variables: Any) -> Any:
    """Return the value of an expression with the variables of a role."""
    known = {"inventory_hostname": "w1", "groups": {"kube_control_plane": ["cp1"]}, "kube_host": HOST}
    for path in (
        "cluster/defaults/main.yml",
        "cluster/vars/main.yml",
        f"{role}/defaults/main.yml",
        f"{role}/vars/main.yml",
    ):
        if (ROLES / path).exists():
            known.update(load_variables(ROLES / path))
    known.update(variables)
    return Templar(loader=DataLoader(), variables=known).template(trust_as_template("{{ " + expression + " }}"))


def test_the_kubelet_gets_both_addresses_and_firewalld_trusts_both_networks() -> None:
    assert value("kubernetes", "__kubernetes_kubelet_arguments", **DUAL)["node-ip"] == "10.0.0.5,fd00::5"
    trusted = value("kubernetes", "__kubernetes_firewall", **DUAL)["trusted"]
    assert trusted == ["192.168.0.0/16", "fd00:10:244::/56"]


def test_every_network_and_address_is_reached_without_the_proxy() -> None:
    direct = value("containerd", "__containerd_direct", **DUAL)
    expected = {"192.168.0.0/16", "fd00:10:244::/56", "10.96.0.0/12", "fd00:10:96::/112", "10.0.0.5", "fd00::5"}
    assert expected <= set(direct)


@pytest.mark.parametrize(
    ("endpoint", "name"),
    [
        ("[fd00::2]:6443", "fd00::2"),
        ("[fd00::2]", "fd00::2"),
        ("fd00::2", "fd00::2"),
        ("10.0.0.2:6443", "10.0.0.2"),
        ("api.example.com", "api.example.com"),
        ("api.example.com:6443", "api.example.com"),
        ("", None),
    ],
)
def test_the_endpoint_is_reached_without_the_proxy(endpoint: str, name: str | None) -> None:
    with_it = value("containerd", "__kube_no_proxy", kube_control_plane_endpoint=endpoint)
    without = value("containerd", "__kube_no_proxy", kube_control_plane_endpoint="")
    assert [entry for entry in with_it if entry not in without] == ([name] if name else [])


def test_preflight_knows_everything_that_the_roles_reach_without_the_proxy() -> None:
    known = {"kube_no_proxy": [".lan"], "kube_control_plane_endpoint": "[fd00::2]:6443", **DUAL}
    direct = value("containerd", "__kube_no_proxy", **known)
    assert value("preflight", "__preflight_source_variables.kube_no_proxy", **known) == direct
    assert {".lan", "fd00::2", "fd00:10:96::/112"} <= set(direct)


@pytest.mark.parametrize(
    ("pods", "pools"),
    [
        ("192.168.0.0/16", {"default-ipv4-ippool": "192.168.0.0/16"}),
        ("FD00::/56", {"default-ipv6-ippool": "FD00::/56"}),
        (DUAL["kube_pod_subnet"], {"default-ipv4-ippool": "192.168.0.0/16", "default-ipv6-ippool": "fd00:10:244::/56"}),
    ],
)
def test_a_pool_of_each_family_is_compared_with_the_inventory(pods: str, pools: dict[str, str]) -> None:
    rules = [
        rule for rule in value("network", "__network_refuse_when", kube_pod_subnet=pods) if rule["kind"] == "IPPool"
    ]
    assert {rule["name"]: rule["fields"]["spec.cidr"] for rule in rules} == {
        name: [cidr, cidr.lower()] for name, cidr in pools.items()
    }
    assert all(rule["fields"]["spec.vxlanMode"] == ["Always"] for rule in rules)
    assert all(pods.partition(",")[0] in rule["why"] for rule in rules)


@pytest.mark.parametrize(("pods", "forwards"), [("192.168.0.0/16", False), (DUAL["kube_pod_subnet"], True)])
def test_ipv6_is_forwarded_if_pods_have_it(pods: str, forwards: bool) -> None:
    (layer,) = [
        task for task in yaml.safe_load((ROLES / "kernel/tasks/main.yml").read_text()) if "sysctls" in str(task)
    ]
    expression = layer["slipway.kube.host_layer"]["sysctls"]["values"].strip()[2:-2]
    found = value("kernel", expression, kube_pod_subnet=pods)
    # kubeadm checks the second one; the kernel copies the first one to it only when that changes.
    names = ("net.ipv6.conf.all.forwarding", "net.ipv6.conf.default.forwarding")
    assert [found.get(name) for name in names] == ([1, 1] if forwards else [None, None])


def test_a_kubeconfig_may_name_either_address_of_a_control_plane() -> None:
    hostvars = {"cp1": {"kube_node_ip": DUAL["kube_node_ip"], "ansible_host": "cp1.example.com"}}
    endpoints = value("reset", "__reset_endpoints", hostvars=hostvars)
    assert endpoints == ["cp1.example.com", "10.0.0.5", "fd00::5"]
