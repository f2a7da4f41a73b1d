# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An add-on that leaves packet filter rules is switched off: its release is the record of them until every host has been reached."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
TASKS = ROOT / "roles" / "addons" / "tasks"
RELEASE = "addon-network-policy"
GONE: dict[str, Any] = {"pods": []}
AWAY = {"pods": [{"name": "kube-network-policies-x", "node": "w2", "ready": False}]}


def played(folder: Path, play: dict[str, Any], *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a play for a control plane and two workers."""
    connection = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    groups = {"kube_control_plane": {"hosts": {"cp1": {}}}, "kube_worker": {"hosts": {"w1": {}, "w2": {}}}}
    inventory = {"kube_cluster": {"vars": connection, "children": groups}}
    for name, content in (("hosts.yml", inventory), ("site.yml", [play])):
        (folder / name).write_text(yaml.safe_dump(content))
    environment = {
        **os.environ,
        "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
        "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".cache" / "collections"),
        "ANSIBLE_STDOUT_CALLBACK": "ansible.builtin.default",
        "SLIPWAY_KUBE_PROGRESS_LOG_DIR": str(folder / "logs"),
    }
    command = [str(Path(sys.executable).parent / "ansible-playbook"), "-i", "hosts.yml", "site.yml", *arguments]
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120, check=False
    )


def removed(folder: Path, stopping: dict[str, Any] | None, *arguments: str) -> list[str]:
    """Return the releases that the role removes after it has stopped their pods and deleted their tables."""
    addons = {
        "addons": [],
        "depths": {},
        "volumes_of": {},
        "resources_of": {},
        "tables": {RELEASE: ["inet kube-network-policies"]},
    }
    seen = {"releases": [RELEASE, "addon-metrics-server"]}
    play: dict[str, Any] = {
        "hosts": "kube_cluster",
        "gather_facts": False,
        "vars_files": [str(ROOT / "roles/addons/vars/main.yml")],
        "vars": {"__addons_selection": addons, "__addons_look": seen},
        "tasks": [
            {
                "ansible.builtin.copy": {"dest": str(folder / "off"), "content": "{{ __addons_others_off | to_json }}"},
                "run_once": True,
            }
        ],
    }
    if stopping is not None:
        play["vars"]["__addons_stopping"] = stopping
    done = played(folder, play, *arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    names: list[str] = json.loads((folder / "off").read_text())
    return names


@pytest.mark.parametrize(
    ("stopping", "arguments", "others"),
    [
        (GONE, (), [RELEASE]),
        (GONE, ("--limit", "cp1,w1"), []),
        (AWAY, (), []),
        ({"skipped": True}, (), [RELEASE]),  # check mode
        (None, (), [RELEASE]),
    ],
)
def test_the_release_stays_until_every_host_was_reached_and_no_pod_is_left(
    tmp_path: Path, stopping: dict[str, Any] | None, arguments: tuple[str, ...], others: list[str]
) -> None:
    assert removed(tmp_path, stopping, *arguments) == ["addon-metrics-server", *others]


@pytest.mark.parametrize(
    ("selected", "network_policy", "failed"),
    [
        (["network_policy"], True, "Check that nothing is in the way of the add-ons"),
        ([], False, "Stop the add-ons whose packet filter rules would stay"),  # the API server is not reached
    ],
)
def test_a_refusal_or_pods_that_are_not_stopped_end_the_run_on_all_hosts(
    tmp_path: Path, selected: list[str], network_policy: bool, failed: str
) -> None:
    host = {"kernel": {"release": "6.12", "features": {}}, "network": {"tables": []}}
    seen = {"releases": [RELEASE], "foreign": [], "default_classes": [], "volumes": [], "resources": {}, "nodes": []}
    variables = {
        "kube_host": host,
        "kube_reference_control_plane": "cp1",
        "kube_reference_state": "absent",
        "kube_admin_kubeconfig": str(tmp_path / "missing"),
        "kube_addons": selected,
        "kube_addons_set": "none",
        "__addons_look": {**seen, "network": {"name": "Calico", "network_policy": network_policy}},
    }
    play = {
        "hosts": "kube_cluster",
        "gather_facts": False,
        "tasks": [{"ansible.builtin.import_role": {"name": "slipway.kube.addons"}}],
    }
    done = played(tmp_path, play, "--check", "-e", json.dumps(variables))
    assert done.returncode != 0
    last = [line for line in done.stdout.splitlines() if line.startswith("TASK ")][-1]
    assert failed in last, done.stdout


def names_of(file: str) -> list[str]:
    return [task["name"] for task in yaml.safe_load((TASKS / file).read_text())]


def test_the_rules_go_directly_after_the_pods_and_before_anything_else_is_changed() -> None:
    order = names_of("manage.yml")
    stop = order.index("Stop the add-ons whose packet filter rules would stay")
    assert order[stop - 1 :] == [
        "Check the add-ons before anything is changed",
        "Stop the add-ons whose packet filter rules would stay",
        "Delete the packet filter rules of add-ons that are no longer selected",
        "Reconcile the add-ons",
    ]
    assert names_of("stop.yml")[-1] == "Wait until their pods have ended"
