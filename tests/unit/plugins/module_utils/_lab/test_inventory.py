# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The inventory that a lab writes."""

from __future__ import annotations

import shlex

import pytest

from ansible_collections.slipway.kube.plugins.module_utils._lab import inventory, layout

SUBNET = "10.123.0.0/24"


def test_every_host_is_in_its_group_once():
    made = inventory.inventory(layout.hosts(3, 2, True, SUBNET), {"ansible_user": "ops"}, {"a": 1}, {"b": 2})["all"]
    cluster = made["children"]["kube_cluster"]
    assert list(cluster["children"]["kube_control_plane"]["hosts"]) == ["cp1", "cp2", "cp3"]
    assert cluster["children"]["kube_worker"]["hosts"] == {
        "w1": {"ansible_host": "10.123.0.21"},
        "w2": {"ansible_host": "10.123.0.22"},
    }
    assert cluster["vars"] == {"a": 1}
    assert made["children"]["kube_mirror"] == {"hosts": {"mirror": {"ansible_host": "10.123.0.3"}}, "vars": {"b": 2}}
    assert made["vars"] == {"ansible_user": "ops"}


def test_without_a_mirror_there_is_no_group_of_it():
    made = inventory.inventory(layout.hosts(1, 0, False, SUBNET), {}, {}, {})["all"]
    assert "kube_mirror" not in made["children"]
    assert made["children"]["kube_cluster"]["children"]["kube_worker"] == {"hosts": {}}


def test_the_endpoint_is_the_balancer_also_for_one_control_plane():
    assert inventory.endpoint(layout.hosts(1, 0, True, SUBNET), 6443) == "10.123.0.2:6443"
    assert inventory.endpoint(layout.hosts(1, 0, False, SUBNET), 6443) == "10.123.0.2:6443"
    assert inventory.endpoint([], 6443) == ""
    assert inventory.endpoint([{"role": "services", "address": "fd00::2"}], 6443) == "[fd00::2]:6443"


def test_a_host_has_the_variables_that_its_networks_require():
    host = {"name": "w1", "role": "worker", "address": "10.0.0.1", "variables": {"kube_node_ip": "10.0.0.1,fd00::1"}}
    made = inventory.inventory([host], {}, {}, {})["all"]["children"]["kube_cluster"]["children"]["kube_worker"]
    assert made["hosts"] == {"w1": {"ansible_host": "10.0.0.1", "kube_node_ip": "10.0.0.1,fd00::1"}}


def test_host_keys_are_checked_against_the_labs_own_file():
    words = shlex.split(inventory.connection("/home/a b/.lab/lab", "ops")["ansible_ssh_common_args"])
    assert "UserKnownHostsFile=/home/a b/.lab/lab/ssh/known_hosts" in words
    assert "StrictHostKeyChecking=yes" in words


@pytest.mark.parametrize(("port", "url"), [(80, "http://10.123.0.2"), (8080, "http://10.123.0.2:8080")])
def test_the_mirrors_url(port, url):
    assert inventory.mirror_url("10.123.0.2", port) == url
