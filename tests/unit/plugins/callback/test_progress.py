# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Playbooks as other people write them, run by ansible-playbook with the callback, in a pipe and on a terminal."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from ansible_collections.slipway.kube.plugins.module_utils._kubeadm import archive
from harness import terminal

ROOT = Path(__file__).resolve().parents[4]
COMMAND = Path(sys.executable).parent / "ansible-playbook"
CODES = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
UNSET = ("NO_COLOR", "ANSIBLE_FORCE_COLOR", "ANSIBLE_STDOUT_CALLBACK")
pytestmark = pytest.mark.skipif(
    not (ROOT / ".cache/collections/ansible_collections/slipway/kube/galaxy.yml").exists(), reason="needs make venv"
)

PLAYBOOK = """
- name: Prepare the hosts
  hosts: all
  gather_facts: false
  serial: 2
  tasks:
    - name: Install
      ansible.builtin.set_fact: {made: true}
      changed_when: true
      notify: Restart
    - name: Try
      block:
        - name: Break
          ansible.builtin.fail: {msg: rescued}
      rescue:
        - name: Mend
          ansible.builtin.assert: {that: made, quiet: true}
    - name: Ignore
      ansible.builtin.fail: {msg: ignored}
      ignore_errors: true
    - name: Hide
      ansible.builtin.fail: {msg: "{{ lookup('ansible.builtin.env', 'HIDDEN') }}"}
      no_log: true
      when: inventory_hostname == 'w1'
    - name: Refuse
      ansible.builtin.fail: {msg: "The disk is full.\\nRemedy: remove \\e[2Jfiles."}
      when: inventory_hostname == 'w2'
    - name: Include
      ansible.builtin.include_tasks: more.yml
      loop: [1, 2]
  handlers:
    - name: Restart
      ansible.builtin.set_fact: {restarted: true}
      changed_when: true
- name: Nobody
  hosts: nobody
- name: Left out
  hosts: "{{ groups.left_out | default('!all') }}"
- name: Show the next steps
  hosts: localhost
  strategy: free
  gather_facts: false
  tasks:
    - name: Show
      ansible.builtin.debug: {msg: [The cluster is ready., "Next: kubectl"]}
    - name: Hide what is shown
      ansible.builtin.debug: {msg: "{{ lookup('ansible.builtin.env', 'HIDDEN') }}"}
      no_log: true
    - ansible.builtin.meta: end_play
"""
MORE = "- name: Delegate\n  ansible.builtin.set_fact: {more: true}\n  delegate_to: localhost\n"
# Interpreters are not searched for: version managers have programs that only look like a Python.
LOCAL = "[all:vars]\nansible_connection=local\nansible_python_interpreter={{ ansible_playbook_python }}\n"
INVENTORY = f"[all]\ncp1\nw1\nw2\n{LOCAL}"


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "more.yml").write_text(MORE)
    (tmp_path / "site.yml").write_text(PLAYBOOK)
    (tmp_path / "hosts").write_text(INVENTORY)
    return tmp_path


def environment(folder, **more):
    return {
        **{name: value for name, value in os.environ.items() if name not in UNSET},
        "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),  # with the callback as its default
        "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".cache" / "collections"),
        "SLIPWAY_KUBE_PROGRESS_LOG_DIR": str(folder / "logs"),
        "SLIPWAY_KUBE_PROGRESS_HISTORY": str(folder / "history.json"),
        "HIDDEN": "correcthorse",
        "TERM": "xterm",
        "PYTHONWARNINGS": "ignore",
        **more,
    }


def piped(folder, *arguments, inventory="hosts", **more):
    """Run the playbook with its output in a pipe."""
    command = [str(COMMAND), *(("-i", inventory) if inventory else ()), "site.yml", *arguments]
    done = subprocess.run(
        command,
        cwd=folder,
        env=environment(folder, **more),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=180,
        check=False,
    )
    return done.returncode, done.stdout


def on_terminal(folder, columns, *arguments, interrupt_at="", **more):
    """Run the playbook on a terminal of that width; type Ctrl+C after text that matches a pattern was seen."""
    typed = []

    def answer(output):
        if interrupt_at and not typed and re.search(interrupt_at, output):
            typed.append(b"\x03")
            return typed[0]
        return b""

    command = [str(COMMAND), "-i", "hosts", "site.yml", *arguments]
    recording = terminal.run(command, columns, folder, environment(folder, **more), answer)
    return recording.status, recording.output


def log_of(folder):
    log = record_of(folder) / "log.txt"
    assert log.stat().st_mode & 0o777 == 0o600
    return log.read_text()


def record_of(folder):
    (record,) = (path for path in (folder / ".runs").iterdir() if path.is_dir())
    return record


def data(folder, name):
    return json.loads((record_of(folder) / name).read_text())


def test_in_a_pipe_there_are_plain_lines_and_the_log_has_everything(folder):
    """w1 fails with a secret, w2 with a message, cp1 goes on."""
    status, output = piped(folder)
    assert status == 2
    assert "\x1b" not in output
    for text in (
        "site.yml: 4 phases",
        "FAILED w1: Hide\n  the output has been hidden due to the fact that 'no_log: true' was specified",
        "  failed: w1",
    ):
        assert text in output
    # Whichever host is faster is the first.
    assert re.search(r"failed, rescued (cp1, w1|w1, cp1): Break\n  rescued", output), output
    log = log_of(folder)
    assert "TASK [Ignore]" in log and "PLAY RECAP" in log and "RUNNING HANDLER [Restart]" in log
    assert "correcthorse" not in output + log, "ansible-core 2.19 itself prints the message of a task with no_log"


def test_a_problem_and_the_hosts_of_a_failed_phase(folder):
    status, output = piped(folder, "--limit", "cp1,w2")
    assert status == 2
    assert "FAILED w2: Refuse\n  The disk is full.\n  Remedy: remove files.\n" in output
    assert "Prepare the hosts: 0:" in output and "  changed: cp1\n  failed: w2\n" in output
    assert "2 failures rescued; 2 failures ignored" in output


def test_a_dry_run_shows_the_plan(folder):
    status, output = piped(folder, "--limit", "cp1,localhost", "--check")
    assert status == 0
    assert "Prepare the hosts\n  cp1 would change:\n    Install\n    Restart\n" in output
    assert "Prepare the hosts: " not in output
    assert "The cluster is ready." in output


def test_with_a_verbosity_the_output_is_the_default_one(folder):
    status, output = piped(folder, "-v", "--limit", "cp1,localhost")
    assert status == 0
    assert "TASK [Install]" in output and "ok=" in output
    assert f"Whole output: .runs/{record_of(folder).name}/log.txt" in output
    assert data(folder, "summary.json")["result"] == "done", "a record is kept all the same"
    assert "TASK [Install]" in log_of(folder)


def test_a_log_that_cannot_be_written_hides_nothing(folder):
    (folder / "logs").write_text("a file")
    status, output = piped(folder, "--limit", "cp1,localhost", SLIPWAY_KUBE_PROGRESS_RUNS_KEEP="0")
    assert status == 0
    assert "SLIPWAY_KUBE_PROGRESS_LOG_DIR" in output and "TASK [Install]" in output


def test_a_syntax_error_is_ansible_s_own(folder):
    (folder / "site.yml").write_text("- hosts: all\n  tasks: {broken")
    status, output = piped(folder)
    assert status != 0 and "rror" in output and not (folder / "logs").exists() and not (folder / ".runs").exists()


@pytest.mark.parametrize("argument", ["--syntax-check", "--list-tasks", "--list-hosts"])
def test_what_runs_nothing_leaves_nothing(folder, argument):
    status, _output = piped(folder, argument)
    assert status == 0 and not (folder / "logs").exists() and not (folder / ".runs").exists()


def test_a_run_leaves_its_record(folder):
    status, output = piped(folder)
    assert status == 2
    record = record_of(folder)
    assert f"Record: .runs/{record.name}/changes.html\nWhole output: .runs/{record.name}/log.txt\n" in output
    assert sorted(os.listdir(record)) == ["changes.html", "changes.json", "log.txt", "summary.json", "timeline.svg"]
    assert not (folder / "logs").exists(), "there is one log"
    summary = data(folder, "summary.json")
    assert (summary["name"], summary["result"], summary["check"]) == ("site.yml", "failed", False)
    assert summary["hosts"]["w2"]["failed"] == 1 and summary["hosts"]["w2"]["rescued"] == 1
    assert summary["phases"][0]["lost"] == {"w1": "failed", "w2": "failed"}
    changes = [(step["host"], step["task"]) for step in data(folder, "changes.json")["steps"]]
    assert sorted(changes) == [("cp1", "Install"), ("cp1", "Restart"), ("w1", "Install"), ("w2", "Install")]
    for path in [folder / ".runs", *(folder / ".runs").rglob("*")]:
        assert path.stat().st_mode & 0o077 == 0, path
        assert path.is_dir() or "correcthorse" not in path.read_text(), path
    assert "w2: Refuse" in (record / "changes.html").read_text()
    assert f"{record.name}/changes.html" in (folder / ".runs" / "index.html").read_text()


def test_an_inventory_that_is_a_folder_is_read_without_its_records(folder):
    (folder / "inventory").mkdir()
    (folder / "hosts").rename(folder / "inventory" / "hosts")
    for _time in range(2):
        status, output = piped(folder, "-i", "inventory", "--limit", "cp1,localhost", inventory=None)
        assert status == 0 and "Unable to parse" not in output and "not a valid group" not in output
    assert len(list((folder / "inventory" / ".runs").glob("*/summary.json"))) == 2
    assert not (folder / ".runs").exists()


def test_without_an_inventory_or_with_no_record_there_is_the_log(folder):
    (folder / "site.yml").write_text("- hosts: localhost\n  gather_facts: false\n  tasks: []\n")
    status, output = piped(folder, "-i", "localhost,", inventory=None)
    assert status == 0 and "Record: " not in output
    piped(folder, SLIPWAY_KUBE_PROGRESS_RUNS_KEEP="0")
    assert len(list((folder / "logs").iterdir())) == 2 and not (folder / ".runs").exists()
    status, output = piped(folder, SLIPWAY_KUBE_PROGRESS_RUNS_DIR=str(folder / "elsewhere" / "runs"))
    assert (folder / "elsewhere" / "runs" / "index.html").exists() and "Record: " in output


def test_a_plan_says_what_changes_with_diffs_and_what_is_not_known(folder):
    (folder / "site.yml").write_text(
        "- name: Write\n  hosts: cp1\n  gather_facts: false\n  tasks:\n"
        f"    - name: Write a file\n      ansible.builtin.copy:\n        dest: {folder}/file\n        mode: '0600'\n"
        '        content: "one\\npassword: correcthorse\\n"\n'
        f"    - name: Hide a file\n      no_log: true\n      ansible.builtin.copy:\n        dest: {folder}/other\n"
        '        mode: "0600"\n        content: "hidden horse\\n"\n'
        "    - name: Foretell\n      ansible.builtin.debug: {msg: To be deployed}\n      changed_when: true\n"
        "    - name: Ask\n      ansible.builtin.command: id\n      changed_when: true\n"
        "    - name: Wait for it\n      ansible.builtin.set_fact: {a: 1}\n      when:\n"
        "        - inventory_hostname == 'cp1'\n        - not ansible_check_mode\n"
        "    - name: Not wanted\n      ansible.builtin.set_fact: {a: 1}\n      when: [inventory_hostname == 'w1', not ansible_check_mode]\n"
    )
    status, output = piped(folder, "--check", "--diff")
    assert status == 0
    steps = {step["task"]: step for step in data(folder, "plan.json")["steps"]}
    assert sorted(steps) == ["Ask", "Foretell", "Hide a file", "Wait for it", "Write a file"]
    assert steps["Foretell"]["changes"] == ["To be deployed"]
    assert "+one\n+password: ********" in steps["Write a file"]["diff"] and not steps["Write a file"]["unknown"]
    assert steps["Hide a file"]["diff"] == ""
    assert "check mode" in steps["Ask"]["unknown"] and steps["Wait for it"]["unknown"] == "runs only outside check mode"
    assert "Write\n  cp1 would change:\n    Write a file\n" in output
    assert "Known only in a real run:\n  - Write: cp1: Ask; Wait for it\n" in output
    page = (record_of(folder) / "plan.html").read_text()
    assert "password: ********" in page and "horse" not in page + output.replace("correcthorse", "")
    assert not (folder / "file").exists()


def test_what_a_loop_changed_before_it_failed_is_a_change(folder):
    (folder / "site.yml").write_text(
        "- name: Write\n  hosts: cp1\n  gather_facts: false\n  tasks:\n    - name: Write files\n      ansible.builtin.copy:\n"
        f'        dest: "{folder}/{{{{ item }}}}"\n        mode: "0600"\n        content: text\n      loop: [one, none/two]\n'
    )
    status, output = piped(folder)
    assert status == 2 and "cp1: 1 change\n  Write files" in output
    (step,) = data(folder, "changes.json")["steps"]
    assert step["changes"] == ["one"] and (folder / "one").exists()


def test_each_playbook_of_a_command_leaves_its_own_record(folder):
    (folder / "site.yml").write_text("- name: One\n  hosts: cp1\n  gather_facts: false\n  tasks: []\n")
    (folder / "other.yml").write_text("- name: Two\n  hosts: cp1\n  gather_facts: false\n  tasks: []\n")
    assert piped(folder, "other.yml")[0] == 0
    found = [json.loads(path.read_text()) for path in (folder / ".runs").glob("*/summary.json")]
    assert sorted((one["name"], one["result"]) for one in found) == [("other.yml", "done"), ("site.yml", "done")]
    logs = [path.read_text() for path in (folder / ".runs").glob("*/log.txt")]
    assert sorted("PLAY [Two]" in log for log in logs) == [False, True]


def test_on_a_terminal_with_a_hundred_hosts_no_line_of_the_block_is_wider(folder):
    hosts = "\n".join(f"w{number}" for number in range(100))
    (folder / "hosts").write_text(f"[all]\n{hosts}\n{LOCAL}")
    (folder / "site.yml").write_text(
        "- name: Refuse each host of a long list\n  hosts: all\n  gather_facts: false\n  tasks:\n"
        "    - name: Refuse each host of a long list, which is a name that does not fit into 80 columns\n"
        "      ansible.builtin.fail: {msg: no}\n"
    )
    status, output = on_terminal(folder, 80)
    assert status == 2
    frames = re.findall(r"1/1 Refuse.*?(?=\x1b\[\d+F)", output, re.DOTALL)
    assert len(frames) >= 2, output
    for frame in frames:
        # two columns for the mark and the blank before the number of the phase
        assert max(len(CODES.sub("", line)) for line in f"> {frame}".split("\r\n")) < 80
    assert re.search(r"hosts?: Refuse .*w\d+ 0:0\d", output)
    last = CODES.sub("", output.rpartition("\x1b[J")[2])
    assert "w0, w1, w2, w3, w4, w5, w6 and 93 more" in CODES.sub("", output)
    assert last.rstrip().splitlines()[-1].startswith("Whole output: ")


def test_ctrl_c_leaves_a_clean_terminal(folder):
    (folder / "site.yml").write_text(
        "- name: Wait\n  hosts: cp1\n  gather_facts: false\n  tasks:\n"
        "    - name: Sleep\n      ansible.builtin.wait_for: {timeout: 100}\n"
    )
    status, output = on_terminal(folder, 80, interrupt_at=r"0:0[1-9]  Sleep")
    assert status != 0
    assert CODES.sub("", output.rpartition("\x1b[J")[2]).startswith("Stopped after 0:")
    summary = data(folder, "summary.json")
    assert summary["result"] == "stopped" and summary["seconds"] >= 1
    assert "Sleep" in log_of(folder) and "cp1: Wait, 0:0" in (record_of(folder) / "timeline.svg").read_text()
    assert "\x1b[?25l" not in output, "the cursor is never hidden, so that nothing has to show it again"


SLOW = """
import time
from ansible.module_utils.basic import AnsibleModule
from ansible_collections.slipway.kube.plugins.module_utils._kube.progress import tell

module = AnsibleModule(argument_spec=dict(sleep=dict(type="int")))
tell("waits for etcd", "2 of 3 members are healthy")
time.sleep(module.params["sleep"])
tell("waits for the API server")
time.sleep(module.params["sleep"])
module.exit_json(changed=True)
"""
WATCHED = "from ansible_collections.slipway.kube.plugins.action.kubeadm_init import ActionModule  # noqa: F401"


def test_what_a_long_module_says_is_shown_while_it_works(folder):
    for kind, name, text in (("library", "slow.py", SLOW), ("action_plugins", "slow.py", WATCHED)):
        (folder / kind).mkdir()
        (folder / kind / name).write_text(text)
    (folder / "site.yml").write_text(
        "- name: Wait\n  hosts: cp1\n  gather_facts: false\n  tasks:\n    - name: Restart\n      slow: {sleep: 5}\n"
        "      environment: {MINE: '{{ 1 + 1 }}'}\n"
    )
    status, output = on_terminal(folder, 80)
    assert status == 0
    blocks = [CODES.sub("", block) for block in output.split("\x1b[J")]
    first = [block for block in blocks if "waits for etcd\r\n" in block and "2 of 3 members are healthy" in block]
    assert first and all("waits for the API server" not in block for block in first)
    assert any("waits for the API server\r\n" in block for block in blocks)
    assert "waits for" not in output.rpartition("\x1b[J")[2] and "waits for" not in log_of(folder)
    assert "cp1: 1 change" in output
    assert not list(Path("/tmp").glob(".slipway-*"))
    status, output = piped(folder)
    assert status == 0 and "waits for" not in output


def test_without_colour_only_the_cursor_moves_and_a_second_run_knows_the_first(folder):
    _status, output = on_terminal(folder, 80, "--limit", "cp1,localhost", NO_COLOR="1")
    assert {code[-1] for code in CODES.findall(output)} == {"F", "J"}
    assert "localhost: Show\r\n  The cluster is ready.\r\n  Next: kubectl\r\n" in output
    assert "Left out: no hosts" not in output
    assert "Nobody: no hosts" in output and "cp1: 2 changes\r\n  Install; Restart" in output
    _status, output = on_terminal(
        folder, 80, "--limit", "cp1,localhost", SLIPWAY_KUBE_PROGRESS_LIVE="false", ANSIBLE_NOCOLOR="1"
    )
    assert not CODES.findall(output) and "Prepare the hosts: 0:0" in output
    assert "in earlier runs" in output.splitlines()[0]
    assert (folder / ".runs" / "index.html").read_text().count(">Log<") == 2


def test_what_failed_just_before_ansible_gives_up_is_shown(folder):
    (folder / "site.yml").write_text(
        "- hosts: all\n  gather_facts: false\n  tasks: [{name: Refuse, ansible.builtin.fail: {msg: the disk is full}, when: inventory_hostname == 'w2'}]\n"
        '- hosts: "{{ nosuch }}"\n'
    )
    status, output = piped(folder)
    assert status not in (0, 2)
    assert "FAILED w2: Refuse\n  the disk is full\n" in output and "Stopped after" in output


def test_a_host_that_is_not_reached_by_a_task_that_runs_once_is_named_alone(folder):
    (folder / "ssh").write_text("#!/bin/sh\nexit 255\n")
    (folder / "ssh").chmod(0o700)
    connection = f"{{ansible_connection: ssh, ansible_ssh_executable: {folder}/ssh}}"
    task = f"{{name: Ask, ansible.builtin.ping: , run_once: true, vars: {connection}}}"
    (folder / "site.yml").write_text(f"- hosts: cp1,w1\n  gather_facts: false\n  tasks: [{{ansible.builtin.debug: }}, {task}]\n")
    _status, output = piped(folder)
    assert "UNREACHABLE cp1: Ask" in output and "unreachable: cp1;" in output, output


def test_a_message_that_cannot_be_shown_is_no_change(folder):
    (folder / "site.yml").write_text(
        "- hosts: cp1\n  gather_facts: false\n  tasks: [{name: Show, ansible.builtin.debug: {msg: '{{ 1 | int(x=2) }}'}}]\n"
    )
    status, output = piped(folder)
    assert status == 2 and "FAILED cp1: Show" in output
    assert "nothing changed" in output and "1 change" not in output


def test_what_a_module_says_about_the_cluster_is_on_the_page_of_all_runs(folder):
    about = {"time": "2026-05-01T03:00:00Z", "kubernetes": "1.37.2", "node": "cp1", "cluster": "kubernetes"}
    with open(folder / "backup.tar", "wb") as stream:
        archive.write(stream, about, {})
    task = f"{{name: Verify, slipway.kube.backup_info: {{path: {folder}/backup.tar}}, run_once: true}}"
    (folder / "site.yml").write_text(f"- hosts: all\n  gather_facts: false\n  tasks: [{task}]\n")
    status, output = piped(folder)
    assert status == 0, output
    learned = {"backup": {"time": about["time"], "kubernetes": "1.37.2", "archive": "", "host": "cp1"}}
    assert data(folder, "summary.json")["cluster"] == learned
    assert "2026-05-01 03:00 UTC" in (folder / ".runs" / "index.html").read_text()


def test_the_history_is_that_of_the_folder_which_the_callback_uses(folder):
    (folder / "site.yml").write_text("- hosts: localhost\n  gather_facts: false\n  roles: [slipway.kube.history]\n")
    configuration = (ROOT / "ansible.cfg").read_text() + f"\n[callback_slipway_progress]\nruns_dir={folder}/records\n"
    (folder / "ansible.cfg").write_text(configuration)
    status, output = piped(folder, ANSIBLE_CONFIG=str(folder / "ansible.cfg"))
    assert status == 0 and f"Runs recorded in {folder}/records" in output
