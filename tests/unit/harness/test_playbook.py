# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from pathlib import Path

import pytest

from harness.playbook import executions, phases, run, start

OUTPUT = """
<10.0.0.11> ESTABLISH SSH CONNECTION FOR USER: ops
<10.0.0.11> SSH: EXEC ssh -C -o ControlMaster=auto 10.0.0.11 '/bin/sh -c true'
<10.0.0.21> SSH: EXEC sftp -b - -C 10.0.0.21
<10.0.0.21> SSH: EXEC ssh -C 10.0.0.21 '/bin/sh -c true'
ok: [cp1] => {"msg": "<10.0.0.21> SSH: EXEC is no execution here"}
"""
PLAYBOOK = """
- hosts: all
  gather_facts: false
  tasks:
    - name: Change
      ansible.builtin.command: echo {{ inventory_hostname }}
    - name: Look
      ansible.builtin.debug: {msg: seen}
    - name: Skip
      ansible.builtin.fail: {}
      when: false
"""


def test_executions_and_transfers_are_counted_per_host() -> None:
    hosts = {"cp1": "10.0.0.11", "w1": "10.0.0.21", "w2": "10.0.0.22"}
    assert executions(OUTPUT, hosts) == {"cp1": 1, "w1": 2, "w2": 0}


def test_a_phase_lasts_until_the_next_one_begins() -> None:
    lines = [
        {"started": "a", "play": "One", "time": 10.0},
        {"started": "b", "play": "One", "time": 11.0},
        {"started": "c", "play": "Two", "time": 15.0},
    ]
    assert phases(lines, 18.0) == {"One": 5.0, "Two": 3.0}


@pytest.fixture
def playbook(tmp_path: Path) -> Path:
    (tmp_path / "hosts").write_text(
        "[all:vars]\nansible_connection=local\nansible_python_interpreter={{ ansible_playbook_python }}\n[all]\nh1\nh2\n"
    )
    path = tmp_path / "playbook.yml"
    path.write_text(PLAYBOOK)
    return path


def test_a_run_knows_what_every_task_did(playbook: Path) -> None:
    done = run(str(playbook), playbook.parent / "hosts", playbook.parent / "run").succeeded()
    assert {(event.host, event.task, event.status) for event in done.events} == {
        (host, task, status)
        for host in ("h1", "h2")
        for task, status in (("Change", "changed"), ("Look", "ok"), ("Skip", "skipped"))
    }
    assert len(done.changed()) == 2


def test_a_failed_run_and_one_that_did_nothing_are_no_success(playbook: Path) -> None:
    playbook.write_text(PLAYBOOK.replace("when: false", ""))
    with pytest.raises(AssertionError, match="returned 2"):
        run(str(playbook), playbook.parent / "hosts", playbook.parent / "run").succeeded()
    (playbook.parent / "none").write_text("")
    with pytest.raises(AssertionError, match="did nothing"):
        run(str(playbook), playbook.parent / "none", playbook.parent / "run").succeeded()


def test_a_killed_run_ends_with_all_that_it_started(playbook: Path) -> None:
    playbook.write_text(PLAYBOOK.replace("echo {{ inventory_hostname }}", "sleep 600"))
    killed = start(str(playbook), playbook.parent / "hosts", playbook.parent / "run")
    killed.kill()
    assert killed.process.returncode == -9
