# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The nodes whose kubelets get their settings first."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleUndefinedVariable

from ansible_collections.slipway.kube.plugins.plugin_utils.cluster.kubelet_trials import kubelet_trials


def host(member: bool | None = True, **variables: Any) -> dict[str, Any]:
    facts = {} if member is None else {"kube_host": {"cluster": {"member": member}}}
    return {**facts, "inventory_hostname": "any", "kube_version": "1.37.2", **variables}


PODS = {"kubernetes_kubelet_config": {"maxPods": 200}}


@pytest.mark.parametrize(
    ("hostvars", "trials"),
    [
        ({}, []),
        ({"cp1": host(False), "w1": host(None)}, []),  # a new cluster: no kubelet runs yet
        ({"cp1": host(), "cp2": host(), "w1": host()}, ["cp1"]),
        ({"cp1": host(None), "cp2": host(), "w1": host()}, ["cp2"]),
        ({"cp1": host(), "w1": host(**PODS), "w2": host(**PODS)}, ["cp1", "w1"]),
        ({"cp1": host(), "w1": host(False, **PODS), "w2": host(**PODS)}, ["cp1", "w2"]),
        (
            {"cp1": host(kubernetes_kubelet_config={1: "x", "maxPods": 9}), "w1": host()},
            ["cp1", "w1"],
        ),  # refused elsewhere
        # Settings of each host are no reason to try them on all at once.
        ({f"w{number}": host(kubernetes_system_reserved={"cpu": str(number)}) for number in range(1, 5)}, ["w1", "w2"]),
    ],
)
def test_one_node_of_each_kind_goes_first(hostvars: dict[str, Any], trials: list[str]) -> None:
    assert kubelet_trials(hostvars, hostvars) == trials


def test_hosts_that_are_not_in_the_run_are_not_chosen() -> None:
    assert kubelet_trials({"cp1": host(), "w1": host()}, ["w1"]) == ["w1"]


class HostVariables(dict):
    """Variables of a host as Ansible gives them: each is templated when it is read, without the defaults of roles."""

    def __getitem__(self, name: str) -> Any:
        if name == "kubernetes_nameservers":
            raise AnsibleUndefinedVariable("'kube_dns_forwarders' is undefined")
        return super().__getitem__(name)


def test_settings_that_are_made_of_defaults_of_roles_are_no_reason_to_fail() -> None:
    made = {"kubernetes_nameservers": "{{ kube_dns_forwarders }}"}
    hostvars = {name: HostVariables(host(**made, **more)) for name, more in (("cp1", {}), ("cp2", {}), ("w1", PODS))}
    assert kubelet_trials(hostvars, hostvars) == ["cp1", "w1"]
