# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every playbook that works on workers also finds those of the pool, and leaves the others alone."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
PLAYBOOKS = sorted((ROOT / "playbooks").glob("*.yml"))


def facts(marked: str, member: bool, operation: str = "") -> str:
    """Return what is known of a host.

    :param marked: the cluster that it was prepared for.
    """
    record = {"marked": bool(marked), "cluster": marked, "operation": operation}
    machine = {"os": {}, "architecture": "amd64", "cpus": 2, "memory_mb": 4096, "disks": [{"total_mb": 20000}]}
    return json.dumps({**machine, "record": record, "cluster": {"member": member, "endpoint": "192.0.2.1:6443"}})


HOSTS = f"""
kube_cluster:
  vars: {{ansible_connection: local, ansible_become: false}}
  children:
    kube_control_plane: {{hosts: {{cp1: {{}}}}}}
    kube_standby:
      hosts:
        joined: {{kube_host: {facts("kubernetes", True)}}}
        begun: {{kube_host: {facts("kubernetes", False, "join")}}}
        free: {{kube_host: {facts("", False)}}}
        lent: {{kube_host: {facts("red", True)}}}
        foreign: {{kube_host: {facts("", True)}}}
        silent: {{kube_host: {{unreachable: true, msg: no route to host}}}}
"""
SHOW = """
- ansible.builtin.import_playbook: {standby}
- hosts: kube_control_plane:kube_worker
  gather_facts: false
  tasks:
    - ansible.builtin.debug: {{msg: "{{{{ group_names | join(' ') }}}}"}}
"""


def output_of(folder: Path, playbook: str) -> str:
    (folder / "hosts.yml").write_text(HOSTS)
    (folder / "show.yml").write_text(playbook)
    command = [str(Path(sys.executable).parent / "ansible-playbook"), "show.yml", "-i", "hosts.yml"]
    environment = {
        **os.environ,
        "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
        "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".cache" / "collections"),
        "ANSIBLE_STDOUT_CALLBACK": "default",
        "SLIPWAY_KUBE_PROGRESS_RUNS_KEEP": "0",
    }
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=True).stdout


def test_hosts_of_the_pool_that_are_nodes_are_workers_and_those_of_other_clusters_are_left_alone(
    tmp_path: Path,
) -> None:
    output = output_of(tmp_path, SHOW.format(standby=ROOT / "playbooks" / "standby.yml"))
    assert dict(re.findall(r'ok: \[(\w+)\] => \{\s*"msg": "([^"]*)"', output)) == {
        "cp1": "kube_cluster kube_control_plane",
        "joined": "kube_cluster kube_standby kube_worker",
        "begun": "kube_cluster kube_standby kube_worker",
    }


def test_a_host_of_a_cluster_with_the_default_name_is_known_as_its_node(tmp_path: Path) -> None:
    """hostvars have no defaults of roles."""
    tasks = yaml.safe_load((ROOT / "roles" / "scale" / "tasks" / "main.yml").read_text())
    decide = next(task for task in tasks if task["name"].startswith("Decide"))["slipway.kube.scale_plan"]
    debug = {"ansible.builtin.debug": {"msg": decide["hosts"].replace("}}", "| to_json }}")}}
    play = {"hosts": "cp1", "gather_facts": False, "roles": ["slipway.kube.cluster"], "tasks": [debug]}
    shown = re.search(r'"msg": (\[.*?\n    \]|".*")', output_of(tmp_path, yaml.safe_dump([play])), re.S)
    assert shown
    found = json.loads(shown.group(1))
    hosts = {
        host["host"]: (host["state"], host["problem"])
        for host in (json.loads(found) if isinstance(found, str) else found)
    }
    assert hosts["joined"] == ("node", "") and hosts["begun"] == ("joining", "") and hosts["free"] == ("free", "")
    assert hosts["lent"] == ("node", "it was prepared for cluster 'red'")


@pytest.mark.parametrize("path", PLAYBOOKS, ids=lambda path: path.stem)
def test_a_playbook_that_works_on_workers_finds_them_first(path: Path) -> None:
    plays = yaml.safe_load(path.read_text())
    patterns = [str(play.get("hosts", "")) for play in plays]
    assert not any("kube_cluster" in pattern.split("!")[0].split(":") for pattern in patterns), (
        "it has other hosts as well"
    )
    found = [
        number for number, play in enumerate(plays) if play.get("ansible.builtin.import_playbook") == "standby.yml"
    ]
    first = [number for number, pattern in enumerate(patterns) if "kube_worker" in pattern]
    if first:
        assert found and found[0] < first[0]


@pytest.mark.parametrize("playbook", ["scale", "node_remove"])
def test_all_hosts_that_leave_are_checked_before_the_first_one_is_reset(playbook: str) -> None:
    """The role reset would ask of one host at a time otherwise, and take the others for unreachable."""
    plays = yaml.safe_load((ROOT / "playbooks" / f"{playbook}.yml").read_text())
    leaving = [play for play in plays if "kube_leaving" in str(play.get("hosts"))]
    assert [("serial" in play, play["hosts"] == leaving[0]["hosts"]) for play in leaving] == [
        (False, True),
        (True, True),
    ]
    assert leaving[0]["tasks"][0]["ansible.builtin.import_role"]["tasks_from"] == "confirm.yml"
