# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of an inventory: what a person reads, what Ansible reads, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from ansible.parsing.dataloader import DataLoader
from jsonschema import Draft202012Validator

from ansible_collections.slipway.kube.plugins.plugin_utils.errors import InputError
from ansible_collections.slipway.kube.plugins.plugin_utils.inventory.check import problems_of
from ansible_collections.slipway.kube.plugins.plugin_utils.inventory.description import Description, describe_addresses
from ansible_collections.slipway.kube.plugins.plugin_utils.inventory.render import (
    HOSTS,
    SETTINGS,
    VARIABLES,
    render,
)
from ansible_collections.slipway.kube.plugins.plugin_utils.preflight.variables import Variables

ROOT = Path(__file__).resolve().parents[5]
SCHEMA = json.loads((ROOT / "docs" / "group_vars.schema.json").read_text())


class HostVars(dict):
    """Stands for the object of this name in Ansible."""

    def raw_get(self, host: str) -> dict:
        return self.get(host, {})


def files_of(description: Description, schema: str = "") -> dict[str, str]:
    known = {"hostvars": HostVars(), "groups": {}, "inventory_hostname": "localhost"}
    description.variables.setdefault("kube_version", "1.37.2")
    return render(description, Variables(DataLoader(), known).defaults_of(SETTINGS, description.variables), schema)


def test_hosts_are_read_as_they_were_given() -> None:
    description = describe_addresses(
        ["192.0.2.11"], ["192.0.2.21", "gpu1=192.0.2.31", "node5.example.com", "big=fd00::5", "w9"]
    )
    assert yaml.safe_load(files_of(description)[HOSTS])["kube_cluster"]["children"] == {
        "kube_control_plane": {"hosts": {"cp1": {"ansible_host": "192.0.2.11"}}},
        "kube_worker": {
            "hosts": {
                "w1": {"ansible_host": "192.0.2.21"},
                "gpu1": {"ansible_host": "192.0.2.31"},
                "node5": {"ansible_host": "node5.example.com"},
                "big": {"ansible_host": "fd00::5"},
                "w9": {},
            }
        },
    }
    assert "# One control plane and 5 workers." in files_of(description)[HOSTS]


@pytest.mark.parametrize(
    ("control_planes", "workers", "said"),
    [
        ([], ["192.0.2.21"], "No control plane is given"),
        (["a=192.0.2.1", "a=192.0.2.2"], [], "Two hosts are called a"),
        (["admin@192.0.2.1"], [], "'admin@192.0.2.1' is not a host"),
        (["192.0.2.1/24"], [], "'192.0.2.1/24' is not a host"),
        (["a="], [], "'a=' is not a host"),
        ([""], [], "'' is not a host"),
    ],
)
def test_what_is_no_host_is_refused(control_planes: list[str], workers: list[str], said: str) -> None:
    with pytest.raises(InputError, match=said):
        describe_addresses(control_planes, workers)


def test_the_variables_say_what_is_set_and_the_defaults() -> None:
    description = describe_addresses(["192.0.2.11"], [])
    description.variables.update(kube_network_plugin="flannel", kubernetes_reserve=True)
    description.notes.append("find out the user")
    text = files_of(description, "../docs/group_vars.schema.json")[VARIABLES]
    assert yaml.safe_load(text) == {
        "kube_version": "1.37.2",
        "kube_network_plugin": "flannel",
        "kubernetes_reserve": True,
    }
    assert not list(Draft202012Validator(SCHEMA).iter_errors(yaml.safe_load(text)))
    lines = text.splitlines()
    assert lines[1] == "# yaml-language-server: $schema=../docs/group_vars.schema.json"
    assert "# TO DO: find out the user" in lines and "# kube_pod_subnet: 10.244.0.0/16" in lines
    assert max(map(len, lines)) <= 160
    # With all comments taken away, the settings are those of the collection, with their defaults.
    commented = {
        line.removeprefix("# ") for line in lines if line.removeprefix("# ").partition(":")[0] in SCHEMA["properties"]
    }
    shown = yaml.safe_load("\n".join(sorted(commented)))
    assert set(shown) == {*SETTINGS, "kubernetes_reserve"} - {"ansible_user"}
    assert not list(Draft202012Validator(SCHEMA).iter_errors(shown))


def test_the_files_are_checked_as_cluster_checks_them() -> None:
    assert problems_of(files_of(describe_addresses(["192.0.2.11"], ["192.0.2.21"]))) == []
    several = describe_addresses(["192.0.2.11", "192.0.2.12", "192.0.2.13"], [])
    assert [problem.check for problem in problems_of(files_of(several))] == ["endpoint"]
    several.variables["kube_control_plane_vip"] = "192.0.2.100"
    assert problems_of(files_of(several)) == []
    twice = describe_addresses(["192.0.2.11"], ["192.0.2.11"])
    twice.variables["kube_proxy_mode"] = "userspace"
    assert {problem.check for problem in problems_of(files_of(twice))} == {"addresses", "variables"}
