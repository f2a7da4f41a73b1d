# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plays of an upgrade that goes through other minor versions: their hosts, and the version that reaches the roles."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar

from harness.core import load_variables, trust_as_template

ROOT = Path(__file__).parents[3]
GROUPS = {"kube_control_plane": ["cp1", "cp2"], "kube_worker": ["w1"], "kube_cluster": ["cp1", "cp2", "w1"]}
NEVER = "!all"


def node(host: str, needed: bool = True) -> dict[str, Any]:
    return {"host": host, "needed": needed}


def plan(*through: str) -> dict[str, Any]:
    last = [node("cp1", needed=False), node("cp2"), node("w1")]
    steps = [{"version": version, "nodes": [node("cp2"), node("w1")]} for version in through]
    return {"through": steps, "version": "1.37.2", "nodes": last}


def evaluate(value: Any, **variables: Any) -> Any:
    return Templar(loader=DataLoader(), variables=variables).template(value)


@pytest.mark.parametrize(
    ("planned", "first", "second"),
    [
        ({}, False, False),
        ({"w1": plan("1.36.3")}, True, False),  # --limit to workers: the plan is not known to the control planes
        ({"cp2": plan()}, False, False),
        ({"cp1": plan("1.36.3")}, True, False),
        ({"cp2": plan("1.35.4", "1.36.3")}, True, True),
    ],
)
def test_plays_have_hosts_only_for_versions_of_the_plan(planned: dict[str, Any], first: bool, second: bool) -> None:
    plays = [
        play for play in load_variables(ROOT / "playbooks/upgrade.yml") if "__upgrade_number" in play.get("vars", {})
    ]
    assert len(plays) == 2
    hostvars = {name: {"__upgrade_plan": planned[name]} if name in planned else {} for name in GROUPS["kube_cluster"]}
    for play, needed in zip(plays, (first, second)):
        found = {
            key: evaluate(play[key], groups=GROUPS, hostvars=hostvars, **play["vars"]) for key in ("hosts", "serial")
        }
        # An empty list would be all hosts.
        assert found["hosts"] == (["kube_control_plane", "kube_worker"] if needed else NEVER)
        assert found["serial"] == [1, 1, "100%"]


@pytest.mark.parametrize(
    ("through", "number", "version", "host", "needed"),
    [
        ([], None, "1.37.2", "cp2", True),
        ([], None, "1.37.2", "cp1", False),
        (["1.36.3"], 0, "1.36.3", "w1", True),
        (["1.36.3"], 0, "1.36.3", "cp1", None),
        (["1.35.4", "1.36.3"], 1, "1.36.3", "cp2", True),
        (["1.35.4", "1.36.3"], None, "1.37.2", "w1", True),
    ],
)
def test_the_version_and_the_node_of_a_play(
    through: list[str], number: int | None, version: str, host: str, needed: bool | None
) -> None:
    own = load_variables(ROOT / "roles/upgrade/vars/main.yml")
    play = {} if number is None else {"__upgrade_number": number}
    known = {**own, **play, "__upgrade_plan": plan(*through), "inventory_hostname": host}
    assert evaluate(own["__upgrade_version"], **known) == version
    assert evaluate(own["__upgrade_node"], **known).get("needed") is needed
    assert evaluate(own["__upgrade_first"], **known) == {"version": [*through, "1.37.2"][0], "host": "cp2"}


def test_kubeadm_of_a_version_in_between_comes_from_its_own_repository() -> None:
    tasks = load_variables(ROOT / "roles/upgrade/tasks/node.yml")
    install = next(task for part in tasks for task in part.get("block", []) if task["name"] == "Install kubeadm")
    defaults = load_variables(ROOT / "roles/cluster/defaults/main.yml")
    known = {**defaults, **load_variables(ROOT / "roles/kubernetes/vars/main.yml"), **install["vars"]}
    known.update(__upgrade_version="1.36.3", kube_host={"os": {"family": "debian"}})
    packages = evaluate(known["__kubernetes_packages"], **known)
    assert {one["version"] for one in packages if "version" in one} == {"1.36.3"}
    url = evaluate(trust_as_template("{{ kube_kubernetes_repository.deb_url }}"), **known)
    assert url == "https://pkgs.k8s.io/core:/stable:/v1.36/deb/"
    assert evaluate(defaults["kube_version"], **known) == "1.37.2"
