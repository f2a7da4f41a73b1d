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


def facts(marked: bool, member: bool) -> str:
    return json.dumps({"record": {"marked": marked}, "cluster": {"member": member}})


HOSTS = f"""
kube_cluster:
  vars: {{ansible_connection: local, ansible_become: false}}
  children:
    kube_control_plane: {{hosts: {{cp1: {{}}}}}}
    kube_standby:
      hosts:
        joined: {{kube_host: {facts(True, True)}}}
        begun: {{kube_host: {facts(True, False)}}}
        free: {{kube_host: {facts(False, False)}}}
        silent: {{kube_host: {{unreachable: true, msg: no route to host}}}}
"""
SHOW = """
- ansible.builtin.import_playbook: {standby}
- hosts: kube_control_plane:kube_worker
  gather_facts: false
  tasks:
    - ansible.builtin.debug: {{msg: "{{{{ group_names | join(' ') }}}}"}}
"""


def test_hosts_of_the_pool_that_are_nodes_are_workers(tmp_path: Path) -> None:
    (tmp_path / "hosts.yml").write_text(HOSTS)
    (tmp_path / "show.yml").write_text(SHOW.format(standby=ROOT / "playbooks" / "standby.yml"))
    command = [str(Path(sys.executable).parent / "ansible-playbook"), "show.yml", "-i", "hosts.yml"]
    environment = {
        **os.environ,
        "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
        "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".cache" / "collections"),
        "ANSIBLE_STDOUT_CALLBACK": "default",
        "SLIPWAY_KUBE_PROGRESS_RUNS_KEEP": "0",
    }
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
    assert dict(re.findall(r'ok: \[(\w+)\] => \{\s*"msg": "([^"]*)"', done.stdout)) == {
        "cp1": "kube_cluster kube_control_plane",
        "joined": "kube_cluster kube_standby kube_worker",
        "begun": "kube_cluster kube_standby kube_worker",
    }


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
