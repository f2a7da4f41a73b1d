# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tasks of role scale, with stand-ins for its modules: who is left out, who takes the place, and what another run prevents."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.slipway.kube.plugins.module_utils._release.lock import process

ROOT = Path(__file__).resolve().parents[3]
PLAN = """#!/usr/bin/python
import json
import os
from ansible.module_utils.basic import AnsibleModule
kinds = dict(hosts="list", minimum="int", maximum="int", pending_after="int", idle_after="int")
names = ("hosts", "minimum", "maximum", "pending_after", "idle_after", "kubeconfig", "server", "run", "ended", "state")
module = AnsibleModule(argument_spec={name: dict(type=kinds.get(name, "str")) for name in names}, supports_check_mode=True)
params = module.params
with open(os.environ["SCALE_CALLS"], "a") as stream:
    stream.write(json.dumps(dict(params, check=module.check_mode)) + "\\n")
free = [host["host"] for host in params["hosts"] or [] if host["state"] == "free" and not host["problem"]]
active = os.environ.get("SCALE_ACTIVE", "") if params["run"] else ""
if params["ended"] == active:
    active = ""
joins = [] if active else free[:1]
module.exit_json(changed=False, active=active, joins=joins, leaves=[], plan=[name + " joins" for name in joins], notes=[], changes=[])
"""
PREFLIGHT = """
from ansible.plugins.action import ActionBase
class ActionModule(ActionBase):
    BYPASS_HOST_LOOP = True
    def run(self, tmp=None, task_vars=None):
        refused = {name: "Swap is on. [slipway:swap]" for name in self._task.args["candidates"] if name in task_vars["refusing"]}
        return dict(super().run(tmp, task_vars), refused=refused)
"""
PLAY = """
- hosts: kube_control_plane:kube_standby
  gather_facts: false
  roles: [slipway.kube.scale]
  post_tasks:
    - ansible.builtin.copy: {content: "{{ groups['kube_joining'] | default([]) | to_json }}", dest: "{{ playbook_dir }}/joining"}
      delegate_to: localhost
      run_once: true
"""


def facts(member: bool) -> dict[str, Any]:
    cluster = {
        "member": member,
        "healthy": member,
        "endpoint": "192.0.2.1:6443",
        "ca_hash": "sha256:a",
        "role": "control_plane" if member else "",
    }
    record = {"marked": member, "cluster": "kubernetes" if member else "", "operation": ""}
    machine = {"architecture": "amd64", "cpus": 2, "memory_mb": 4096, "disks": [{"total_mb": 20000}], "reach": {}}
    return {"os": {}, **machine, "cluster": cluster, "record": record, "network": {"default_address": "192.0.2.1"}}


def run(
    folder: Path, active: str = "", free: tuple[str, ...] = ("s1", "s2"), **variables: Any
) -> tuple[str, list[dict[str, Any]], list[str]]:
    """Run the role; returns its output, the calls of its module, and the hosts that join."""
    kube = folder / "ansible_collections" / "slipway" / "kube"
    (kube / "plugins").mkdir(parents=True)
    for path in ROOT.iterdir():
        if path.name in ("roles", "meta", "galaxy.yml"):
            (kube / path.name).symlink_to(path)
    for path in (ROOT / "plugins").iterdir():
        if path.name not in ("modules", "action"):
            (kube / "plugins" / path.name).symlink_to(path)
    for kind, name, text in (("modules", "scale_plan.py", PLAN), ("action", "preflight.py", PREFLIGHT)):
        (kube / "plugins" / kind).mkdir()
        for path in (ROOT / "plugins" / kind).iterdir():
            if path.name != name:
                (kube / "plugins" / kind / path.name).symlink_to(path)
        (kube / "plugins" / kind / name).write_text(text)
    groups = {
        "kube_control_plane": {"hosts": {"cp1": {"kube_host": facts(True)}}},
        "kube_standby": {"hosts": {name: {"kube_host": facts(name not in free)} for name in ("s1", "s2")}},
    }
    known = {
        "ansible_connection": "local",
        "ansible_become": False,
        "preflight_sources": False,
        "refusing": [],
        **variables,
    }
    (folder / "hosts.json").write_text(
        json.dumps({"all": {"vars": known, "children": {"kube_cluster": {"children": groups}}}})
    )
    (folder / "play.yml").write_text(PLAY)
    environment = {
        **os.environ,
        "ANSIBLE_COLLECTIONS_PATH": str(folder),
        "ANSIBLE_STDOUT_CALLBACK": "default",
        "ANSIBLE_PYTHON_INTERPRETER": sys.executable,
        "SCALE_CALLS": str(folder / "calls"),
        "SCALE_ACTIVE": active,
    }
    command = [str(Path(sys.executable).parent / "ansible-playbook"), "play.yml", "-i", "hosts.json"]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    calls = [json.loads(line) for line in (folder / "calls").read_text().splitlines()]
    joining = folder / "joining"
    return done.stdout + done.stderr, calls, json.loads(joining.read_text()) if joining.exists() else []


def test_another_host_takes_the_place_of_one_that_preflight_refuses(tmp_path: Path) -> None:
    output, calls, joining = run(tmp_path, refusing=["s1"])
    assert joining == ["s2"], output
    foreseen, decided = calls
    assert foreseen["check"] and not foreseen["run"] and [host["problem"] for host in foreseen["hosts"]] == ["", ""]
    assert not decided["check"] and len(decided["run"].split(" ")) == 4
    assert [host["problem"] for host in decided["hosts"]] == ["it cannot become a node: Swap is on. [slipway:swap]", ""]


def test_nothing_is_decided_before_the_question_is_answered(tmp_path: Path) -> None:
    """Nobody answers here. The second look, which is left out where preflight refuses no host, must not hide the first."""
    output, calls, joining = run(tmp_path, slipway_confirm=True)
    assert "[slipway:confirm_unanswered]" in output, output
    assert not joining and [call["check"] for call in calls] == [True]


def test_hosts_that_cannot_join_cost_nothing(tmp_path: Path) -> None:
    output, calls, joining = run(tmp_path, free=())
    assert len(calls) == 1 and calls[0]["run"] and not joining, output


@pytest.mark.parametrize("where", ["here", "elsewhere"])
def test_a_run_that_has_ended_here_does_not_count(tmp_path: Path, where: str) -> None:
    node, boot, pid, start = process().split(" ")
    active = f"{node if where == 'here' else 'ci2'} {boot} {pid} {int(start) - 1}"
    output, calls, joining = run(tmp_path, active=active)
    assert [call["ended"] for call in calls if call["run"]] == (["", active] if where == "here" else [""]) or output
    if where == "here":
        assert joining == ["s1"], output
    else:
        assert (
            not joining
            and f"is active, process {pid} on ci2" in output.replace("\n", " ")
            and "[slipway:scale_active]" in output
        )
