# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure what the callback ``progress`` adds to a run: the same playbook with it and with Ansible's own in turn.

Between two runs, the CPU time of all processes differs by more than a callback takes, so the time that Ansible spends in its callbacks is measured
as well, and that of the thread that redraws the block. Hosts are this machine: a task costs what it costs a control node and a host, without SSH.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from harness.playbook import ROOT
from harness.terminal import run as on_terminal

HOSTS, RUNNING, SKIPPED = 10, 8, 12
DEFAULT, PROGRESS = "ansible.builtin.default", "slipway.kube.progress"
PLAY = """- hosts: all
  gather_facts: false
  tasks:
""" + "".join(
    [f"    - ansible.builtin.command: echo {number}\n" for number in range(RUNNING)]
    + [f"    - {{name: Skip {number}, ansible.builtin.command: echo, when: false}}\n" for number in range(SKIPPED)]
)


def measure(pairs: int, folder: Path) -> dict[str, Any]:
    """Run so many pairs in a pipe, and as many on a terminal, where a block is redrawn; return the CPU seconds of each run.

    The order of a pair turns, so that a machine that becomes slower or faster favours neither.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "callback.yml").write_text(PLAY)
    names = "".join(f"h{number:02}\n" for number in range(HOSTS))
    python = "ansible_connection=local\nansible_python_interpreter={{ ansible_playbook_python }}\n"
    (folder / "hosts").write_text(f"{names}[all:vars]\n{python}")
    _run(folder, PROGRESS, terminal=False)  # fills the caches
    found: dict[str, Any] = {"hosts": HOSTS, "tasks": RUNNING + SKIPPED}
    for place in ("pipe", "terminal"):
        found[place] = []
        for turn in range(pairs):
            order = [DEFAULT, PROGRESS] if turn % 2 else [PROGRESS, DEFAULT]
            times = {name: _run(folder, name, place == "terminal") for name in order}
            found[place].append({"default": times[DEFAULT], "progress": times[PROGRESS]})
            print(f"  callback, {place}: {found[place][-1]}", flush=True)
    return found


def _run(folder: Path, callback: str, terminal: bool) -> dict[str, float]:
    """Return the CPU seconds of a run: of all its processes, and of its callbacks."""
    command = [sys.executable, __file__, "playbook", "callback.yml", "-i", "hosts"]
    environment = {
        **os.environ,
        "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".cache" / "collections"),
        "ANSIBLE_STDOUT_CALLBACK": callback,
        "TERM": "xterm",
    }
    before = _spent()
    if terminal:
        recording = on_terminal(command, 80, folder, environment, seconds=900)
        status, output = recording.status, recording.output
    else:
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
        status, output = done.returncode, done.stdout + done.stderr
    if status:
        sys.exit(f"callback, {callback}:\n{output[-3000:]}")
    return {"all": _spent() - before, "callbacks": json.loads((folder / "spent").read_text())}


def playbook(arguments: list[str]) -> None:
    """Run ansible-playbook in this process, and write to the file ``spent`` what its callbacks take: to load, at each event, and in threads."""
    from ansible.cli.playbook import PlaybookCLI
    from ansible.executor.task_queue_manager import TaskQueueManager

    spent, process = {"callbacks": 0.0}, os.getpid()

    def timed(method: Any) -> Any:
        def call(*given: Any, **options: Any) -> Any:
            began = time.thread_time()
            try:
                return method(*given, **options)
            finally:
                spent["callbacks"] += time.thread_time() - began

        return call

    def sent(self: Any, name: str, *given: Any, **options: Any) -> Any:
        if name == "v2_playbook_on_stats":  # the last one, which ends the thread
            for thread in threading.enumerate():
                if thread.name == PROGRESS and thread.ident:
                    spent["callbacks"] += time.clock_gettime(time.pthread_getcpuclockid(thread.ident))
        return send(self, name, *given, **options)

    send = timed(TaskQueueManager.send_callback)
    TaskQueueManager.send_callback = sent
    TaskQueueManager.load_callbacks = timed(TaskQueueManager.load_callbacks)
    try:
        PlaybookCLI.cli_executor(["ansible-playbook", *arguments])
    finally:
        if os.getpid() == process:
            Path("spent").write_text(json.dumps(spent["callbacks"]))


def _spent() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    playbook(sys.argv[2:])
