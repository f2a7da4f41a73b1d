# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The question before the first change: asked once, on a terminal only, and only "yes" continues."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from harness import terminal

ROOT = Path(__file__).resolve().parents[3]
COMMAND = str(Path(sys.executable).parent / "ansible-playbook")
HOSTS = """
kube_cluster:
  vars: {ansible_connection: local, ansible_python_interpreter: PYTHON}
  children:
    kube_control_plane: {hosts: {cp1: {}}}
    kube_worker: {hosts: {w1: {}, w2: {}}}
"""
# As the roles do it, twice: a role can be part of several playbooks. What follows the question is a change.
ASK = """
    - name: Ask before anything is changed
      when: slipway_confirm | bool
      ansible.builtin.include_role: {name: slipway.kube.preflight, tasks_from: confirm.yml}
      vars: {preflight_confirm_text: "This run touches {{ ansible_play_hosts_all | join(', ') }}."}
"""
CHANGE = """
    - name: Change
      ansible.builtin.file: {path: "{{ playbook_dir }}/changed-{{ inventory_hostname }}", state: touch, mode: "0600"}
"""
PLAYBOOK = f"""
- hosts: kube_cluster
  gather_facts: false
  roles: [slipway.kube.cluster]
  tasks:{ASK}{CHANGE}
- hosts: kube_worker
  serial: 1
  gather_facts: false
  roles: [slipway.kube.cluster]
  tasks:{ASK}{CHANGE}
"""


def environment(**more: str) -> dict[str, str]:
    return {
        **{name: value for name, value in os.environ.items() if name != "ANSIBLE_STDOUT_CALLBACK"},
        "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
        "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".cache" / "collections"),
        "SLIPWAY_KUBE_PROGRESS_RUNS_KEEP": "0",
        "TERM": "xterm",
        **more,
    }


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "hosts.yml").write_text(HOSTS.replace("PYTHON", sys.executable))
    (tmp_path / "site.yml").write_text(PLAYBOOK)
    return tmp_path


def on_terminal(folder: Path, answer: str, **more: str) -> tuple[int, str, int]:
    """Run the playbook on a terminal, and type an answer to each question.

    :returns: the status, the output and the number of questions.
    """
    asked = 0

    def type_answer(output: str) -> bytes:
        nonlocal asked
        if output.count("nothing is changed:") <= asked:
            return b""
        asked += 1
        time.sleep(0.5)  # what is typed before the terminal is ready for the answer is discarded
        return answer.encode() + b"\r"

    command = [COMMAND, "-i", "hosts.yml", "site.yml", "-e", "slipway_confirm=true"]
    given = environment(SLIPWAY_KUBE_PROGRESS_LOG_DIR=str(folder / "logs"), **more)
    recording = terminal.run(command, 80, folder, given, type_answer, seconds=120)
    return recording.status, recording.output, asked


def piped(folder: Path, *arguments: str) -> tuple[int, str]:
    done = subprocess.run(
        [COMMAND, "-i", "hosts.yml", *arguments],
        cwd=folder,
        env=environment(
            SLIPWAY_KUBE_PROGRESS_LOG_DIR=str(folder / "logs"),
            ANSIBLE_CONNECTION_PLUGINS=str(ROOT / "tests" / "harness" / "connection"),
            MARK=str(folder / "mark"),
        ),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
        check=False,
    )
    return done.returncode, done.stdout


def changed(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("changed-*"))


@pytest.mark.parametrize("callback", ["slipway.kube.progress", "ansible.builtin.default"])
def test_yes_continues_and_is_asked_for_once(folder: Path, callback: str) -> None:
    status, output, asked = on_terminal(folder, "yes", ANSIBLE_STDOUT_CALLBACK=callback)
    assert (status, asked) == (0, 1), output
    assert "This run touches cp1, w1, w2." in output
    assert changed(folder) == ["changed-cp1", "changed-w1", "changed-w2"]


@pytest.mark.parametrize(
    ("answer", "code"), [("y", "confirm_declined"), ("no", "confirm_declined"), ("", "confirm_unanswered")]
)
def test_anything_else_ends_the_run_on_all_hosts(folder: Path, answer: str, code: str) -> None:
    status, output, asked = on_terminal(folder, answer)
    assert status != 0 and asked == 1
    assert "Nothing was changed" in output and f"[slipway:{code}]" in output.replace("\r\n", "").replace("\n", "")
    assert changed(folder) == []


def test_without_a_terminal_it_is_refused(folder: Path) -> None:
    status, output = piped(folder, "site.yml", "-e", "slipway_confirm=true")
    assert status != 0 and changed(folder) == []
    assert "leave slipway_confirm out" in output and "[slipway:confirm_unanswered]" in output


@pytest.mark.parametrize("arguments", [[], ["-e", "slipway_confirm=true", "--check"]])
def test_nobody_is_asked_by_default_and_in_check_mode(folder: Path, arguments: list[str]) -> None:
    status, output = piped(folder, "site.yml", *arguments)
    assert status == 0 and "Type yes" not in output, output
    assert len(changed(folder)) == (0 if arguments else 3)


def test_a_play_whose_hosts_go_on_by_themselves_can_contain_the_question(folder: Path) -> None:
    (folder / "site.yml").write_text(PLAYBOOK.replace("  serial: 1", "  strategy: free"))
    status, output = piped(folder, "site.yml")
    assert status == 0 and len(changed(folder)) == 3, output


@pytest.mark.parametrize("limit", ["all", "w1"])
def test_certificates_asks_before_a_host_is_contacted(folder: Path, limit: str) -> None:
    """A playbook as it is: its first task on a host renews certificates."""
    hosts = (
        (folder / "hosts.yml")
        .read_text()
        .replace("ansible_connection: local", "ansible_connection: mark, ansible_host: 192.0.2.1")
    )
    (folder / "hosts.yml").write_text(hosts)
    arguments = [
        "slipway.kube.certificates",
        "--limit",
        limit,
        "-e",
        "certificates_renew=true",
        "-e",
        "slipway_confirm=true",
    ]
    status, output = piped(folder, *arguments)
    assert status != 0 and "[slipway:confirm_unanswered]" in output, output
    assert not (folder / "mark").exists()
    status, output = piped(folder, *arguments[:-2])
    assert (folder / "mark").exists(), output


CALLERS = {
    "cluster": "playbooks/cluster.yml",
    "upgrade": "roles/upgrade/tasks/plan.yml",
    "reset": "roles/reset/tasks/confirm.yml",
    "addons": "roles/addons/tasks/refuse.yml",
    "node_remove": "roles/node/tasks/plan_removal.yml",
    "restore": "roles/restore/tasks/check_hosts.yml",
    "certificates": "roles/certificates/tasks/renew_expired.yml",
    "rotation": "roles/certificates/tasks/rotate.yml",
}
CHANGING = (
    "release",
    "node",
    "host_reset",
    "host_layer",
    "certificates",
    "kubeadm_upgrade",
    "kubeadm_init",
    "etcd_snapshot",
)


@pytest.mark.parametrize(("playbook", "path"), CALLERS.items())
def test_each_playbook_asks_before_its_first_change(playbook: str, path: str) -> None:
    tasks = yaml.safe_load((ROOT / path).read_text())
    if "hosts" in tasks[0]:
        tasks = [task for play in tasks for task in play.get("tasks") or play.get("roles") or []]
    at = [
        number
        for number, task in enumerate(tasks)
        if (task.get("ansible.builtin.include_role") or {}).get("tasks_from") == "confirm.yml"
    ]
    assert len(at) == 1 and tasks[at[0]]["when"] == "slipway_confirm | bool", playbook
    for task in tasks[: at[0]]:
        changing = {f"slipway.kube.{name}" for name in CHANGING} & set(task)
        assert not changing or task.get("check_mode") is True, f"{playbook}: {task['name']}"
        assert task.get("role") not in ("slipway.kube.swap", "slipway.kube.kernel"), playbook
