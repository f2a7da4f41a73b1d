# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings of kubelets are tried on one node before the others are touched: the tasks of role kubernetes, with a stand-in for its module."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[3]
INSTALL = """
- ansible.builtin.fail: {msg: "kubelet.service does not run with its new settings. [slipway:unit_settings]"}
  register: __kubernetes_layer
  when: inventory_hostname in refusing
- ansible.builtin.fail: {msg: "The disk is full. [slipway:file_not_written]"}
  register: __kubernetes_layer
  when: inventory_hostname in full
- ansible.builtin.debug: {msg: touched}
"""
PLAY = """
- hosts: all
  gather_facts: false
  roles: [kubernetes]
- hosts: all
  gather_facts: false
  tasks: [{ansible.builtin.debug: {msg: "goes on"}}]
"""


def run(folder: Path, **variables: Any) -> dict[str, list[str]]:
    """Run the role on three nodes and a new host; returns what was said of each host, in its order."""
    role = folder / "roles" / "kubernetes"
    shutil.copytree(ROOT / "roles" / "kubernetes", role, ignore=shutil.ignore_patterns("meta"))
    (role / "tasks" / "install.yml").write_text(INSTALL)
    (folder / "play.yml").write_text(PLAY)
    hosts = {
        name: {"kube_host": {"cluster": {"member": name != "new", "name": "kubernetes"}, "packages": {}}}
        for name in ("cp1", "cp2", "w1", "new")
    }
    every = {"ansible_connection": "local", "kube_version": "1.37.2", "refusing": [], "full": [], **variables}
    (folder / "hosts.json").write_text(json.dumps({"all": {"hosts": hosts, "vars": every}}))
    environment = {
        **os.environ,
        "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".cache" / "collections"),
        "ANSIBLE_STDOUT_CALLBACK": "default",
        "ANSIBLE_DISPLAY_FAILED_STDERR": "false",
    }
    command = [str(Path(sys.executable).parent / "ansible-playbook"), "play.yml", "-i", "hosts.json"]
    output = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False).stdout
    said: dict[str, list[str]] = {}
    for host, message in re.findall(
        r'^(?:ok|fatal): \[(\w+)\](?:: FAILED!)? => \{.*?"msg": "([^"]*)"', output, re.S | re.M
    ):
        said.setdefault(host, []).append(message)
    return said


def test_where_the_first_node_refuses_them_no_other_is_touched(tmp_path: Path) -> None:
    said = run(tmp_path, refusing=["cp1"])
    assert [message[:23] for message in said["cp1"]] == ["kubelet.service does no"]
    for name in ("cp2", "w1"):
        (message,) = said[name]
        assert "tried on cp1 first, and cp1 does not run with them" in message
        assert f"The kubelet of {name} was not touched. [slipway:unit_settings]" in message
    assert said["new"][0] == "touched" and said["new"][1].endswith(
        "new does not join in this run. [slipway:unit_settings]"
    )
    assert "goes on" not in str(said)


def test_all_get_them_once_the_first_node_runs_with_them(tmp_path: Path) -> None:
    assert run(tmp_path) == {name: ["touched", "goes on"] for name in ("cp1", "cp2", "w1", "new")}


def test_settings_may_be_made_of_defaults_of_roles(tmp_path: Path) -> None:
    """Variables of other hosts, which the choice of the first node reads, have no defaults of roles."""
    settings = {"clusterDomain": "{{ kube_domain_of_a_role }}", "maxPods": 110}
    said = run(tmp_path, kubernetes_kubelet_config=settings)
    assert said == {name: ["touched", "goes on"] for name in ("cp1", "cp2", "w1", "new")}


def test_another_failure_of_the_first_node_does_not_stop_the_others(tmp_path: Path) -> None:
    said = run(tmp_path, full=["cp1"])
    assert said.pop("cp1") == ["The disk is full. [slipway:file_not_written]"]
    assert said == {name: ["touched", "goes on"] for name in ("cp2", "w1", "new")}
