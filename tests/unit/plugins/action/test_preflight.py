# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The variables of all hosts: defaults, inventory and play, in the precedence of Ansible."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.parsing.dataloader import DataLoader

from ansible_collections.slipway.kube.plugins.action.preflight import refused, summary
from ansible_collections.slipway.kube.plugins.plugin_utils.preflight.problem import Problem
from ansible_collections.slipway.kube.plugins.plugin_utils.preflight.variables import Variables

try:
    from ansible.template import trust_as_template
except ImportError:  # ansible-core before 2.19 trusts everything

    def trust_as_template(text: str) -> str:
        return text


class HostVars(dict):
    """Stands for the object of this name in Ansible, which returns the raw variables of a host."""

    def raw_get(self, host: str) -> dict[str, Any]:
        return self.get(host, {})


GROUPS = {"all": ["cp1", "w1"], "kube_cluster": ["cp1", "w1"], "kube_control_plane": ["cp1"], "kube_worker": ["w1"]}


@pytest.fixture
def make():
    """Variables as the task of the host ``current`` sees them, with what the play sets."""

    def make(
        hostvars: dict[str, dict[str, Any]], current: str = "localhost", groups: Any = None, **play: Any
    ) -> Variables:
        for name, values in hostvars.items():
            values.setdefault("inventory_hostname", name)
        known = HostVars(hostvars)
        own = {"inventory_hostname": current, **known.raw_get(current), **play}
        own.update(hostvars=known, groups=groups or GROUPS, ansible_play_hosts_all=list(hostvars))
        return Variables(DataLoader(), own)

    return make


def test_defaults_inventory_and_templates(make):
    cluster = make({"cp1": {"kube_version": "1.35.4", "ansible_host": "10.0.0.1"}, "w1": {}}).cluster()
    cp1, w1 = cluster.hosts["cp1"], cluster.hosts["w1"]
    assert (cp1.variables["kube_version"], w1.variables["kube_version"]) == ("1.35.4", "1.37.2")
    assert (cp1.address, w1.address) == ("10.0.0.1", "w1")
    assert (cp1.variables["kube_node_name"], w1.variables["kube_node_name"]) == ("cp1", "w1")
    assert cp1.variables["kube_component_versions"]["pause"] == "3.10.1"
    assert (cp1.control_plane, cp1.worker, w1.control_plane, w1.worker) == (True, False, False, True)
    assert cluster.broken == []


def test_a_host_s_variable_may_refer_to_others(make):
    template = trust_as_template("{{ site_network }}.0/16")
    cluster = make(
        {"cp1": {"kube_pod_subnet": template, "site_network": "10.9.0"}, "w1": {"kube_pod_subnet": template}}
    ).cluster()
    assert cluster.hosts["cp1"].variables["kube_pod_subnet"] == "10.9.0.0/16"
    ((host, name, error),) = cluster.broken
    assert (host, name) == ("w1", "kube_pod_subnet")
    assert "site_network" in error


def test_variables_of_the_play_apply_to_all_hosts(make):
    cluster = make({"cp1": {"kube_version": "1.36.3"}, "w1": {}}, current="cp1", kube_version="1.36.1").cluster()
    assert {host.variables["kube_version"] for host in cluster.hosts.values()} == {"1.36.1"}


def test_the_current_host_s_own_variables_do_not_leak_to_others(make):
    cluster = make({"cp1": {"kube_node_ip": "10.0.0.1"}, "w1": {}}, current="cp1").cluster()
    assert cluster.hosts["w1"].variables["kube_node_ip"] == ""


def test_an_empty_inventory(make):
    cluster = make({}, groups={"all": [], "ungrouped": []}).cluster()
    assert cluster.hosts == {}


def test_facts_and_failures(make):
    facts = {"os": {"id": "debian"}, "cluster": {}}
    failed = {"failed": True, "msg": "Task failed: Incorrect sudo password"}
    cluster = make({"cp1": {"kube_host": facts}, "w1": {"kube_host": failed}}).cluster()
    assert (cluster.hosts["cp1"].facts, cluster.hosts["cp1"].failure) == (facts, "")
    assert (cluster.hosts["w1"].facts, cluster.hosts["w1"].failure) == ({}, "Incorrect sudo password")


def test_variables_of_the_roles_are_known(make):
    known = make({"cp1": {}, "w1": {}}).known
    assert known["kube_version"] == "cluster"
    assert known["preflight_waive"] == "preflight"
    assert "kube_host" not in known


def test_the_message_names_the_checks_to_waive():
    problems = [
        Problem("mtu", "w1", "M", "", "", "warning"),
        Problem("os", "w1", "O", "", ""),
        Problem("os", "w2", "O", "", ""),
    ]
    line = summary(problems)
    assert "1 error and 1 warning" in line
    assert "preflight_waive: [os]" in line


def test_what_depends_on_the_version_is_evaluated_for_each_that_an_upgrade_goes_through(make):
    facts = {"os": {"id": "debian"}, "cluster": {"kubelet_version": "1.35.4"}}
    hostvars = {"cp1": {"kube_host": facts}, "w1": {"kube_host": facts, "upgrade_through": ["1.36.1"]}}
    cluster = make(hostvars, current="cp1", preflight_upgrade=True).cluster()
    (values,) = cluster.hosts["cp1"].variables["between"]
    assert values["kube_version"] == "1.36.3" and values["kube_component_versions"]["coredns"] == "1.14.2"
    assert values["kube_kubernetes_repository"]["deb_url"] == "https://pkgs.k8s.io/core:/stable:/v1.36/deb/"
    assert [one["kube_version"] for one in cluster.hosts["w1"].variables["between"]] == ["1.36.1"]
    assert make(hostvars, current="cp1").cluster().hosts["cp1"].variables["between"] == []


def test_a_repository_of_a_version_in_between_is_the_one_that_the_role_would_use(make):
    """The role sets kube_minor only: kube_version may come from the command line, which precedes what a role sets."""
    facts = {"os": {"id": "debian"}, "cluster": {"kubelet_version": "1.35.4"}}
    url = trust_as_template("http://mirror/{{ kube_version }}/{{ kube_minor }}")
    hostvars = {"cp1": {"kube_host": facts, "kube_kubernetes_repository": {"deb_url": url}}, "w1": {}}
    (values,) = make(hostvars, current="cp1", preflight_upgrade=True).cluster().hosts["cp1"].variables["between"]
    assert values["kube_version"] == "1.36.3" and values["kube_component_versions"]["coredns"] == "1.14.2"
    assert values["kube_kubernetes_repository"]["deb_url"] == "http://mirror/1.37.2/1.36"


def test_candidates_are_seen_as_workers_and_others_stay_what_they_are(make):
    groups = {**GROUPS, "kube_cluster": ["cp1", "w1", "s1"], "kube_standby": ["s1"]}
    variables = make({"cp1": {}, "w1": {}, "s1": {}}, groups=groups)
    assert list(variables.cluster().hosts) == ["cp1", "w1"]
    cluster = variables.cluster(["s1"])
    assert [(host.name, host.worker) for host in cluster.hosts.values()] == [("cp1", False), ("w1", True), ("s1", True)]
    assert groups["kube_worker"] == ["w1"]


def test_only_errors_of_candidates_are_reasons_against_them():
    problems = [
        Problem("swap", "s1", "Swap is on.", "/dev/sda2", "Set swap_state."),
        Problem("cpus", "s1", "There are few CPUs.", "1", "Add one.", "warning"),
        Problem("disk", "s1", "The disk is full.", "1 MB", "Free some space."),
        Problem("clock", "w1", "The clock is wrong.", "9 s", "Synchronize it."),
        Problem("version", "", "The version is unknown.", "1.99", "Correct it."),
    ]
    assert refused(problems, ["s1", "s2"]) == {
        "s1": "Swap is on (/dev/sda2). Set swap_state. [slipway:swap] The disk is full (1 MB). Free some space. [slipway:disk]"
    }
