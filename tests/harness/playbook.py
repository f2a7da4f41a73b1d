# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run a playbook as a person would, and know afterwards what every task did and what it cost."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
LIMIT = 1800  # seconds; the slowest run of all, on software emulation, takes a third of it


@dataclass(frozen=True)
class Event:
    """What one task did on one host. *status* is ok, changed, skipped, failed, ignored or unreachable."""

    host: str
    play: str
    task: str
    path: str
    action: str
    status: str
    diff: bool
    message: str
    time: float


@dataclass
class Run:
    """A playbook that is running or has run."""

    command: list[str]
    folder: Path
    process: subprocess.Popen[bytes]
    started: float = field(default_factory=time.time)
    seconds: float = 0.0

    @property
    def output(self) -> str:
        return (self.folder / "output").read_text(errors="replace")

    @property
    def lines(self) -> list[dict[str, Any]]:
        """Every whole line of the record; the last one of a killed run may be torn."""
        path = self.folder / "events"
        text = path.read_text() if path.exists() else ""
        return [json.loads(line) for line in text.splitlines() if line.endswith("}")]

    @property
    def events(self) -> list[Event]:
        return [Event(**line) for line in self.lines if "host" in line]

    def wait(self) -> Run:
        """Wait for the end; after LIMIT seconds the run is killed, and that is an error."""
        try:
            self.process.wait(timeout=LIMIT)
        finally:
            if self.process.poll() is None:
                self.kill()
        self.seconds = time.time() - self.started
        return self

    def kill(self) -> None:
        """End the playbook and all that it started here, at once, as a lost control node would."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def kill_in(self, play: str) -> None:
        """End the playbook once a play has begun.

        :raises AssertionError: it ends before.
        """
        while not any(line["play"] == play for line in self.lines):
            assert self.process.poll() is None, f"the run was over before {play}:\n{self.output[-3000:]}"
            time.sleep(0.5)
        self.kill()

    def succeeded(self) -> Run:
        """Return the run, or raise AssertionError with the end of its output where it failed."""
        tail = "\n".join(self.output.splitlines()[-80:])
        assert self.process.returncode == 0, f"{' '.join(self.command)} returned {self.process.returncode}:\n{tail}"
        assert self.events, f"{' '.join(self.command)} did nothing on any host"
        return self

    def changed(self) -> list[str]:
        """Return a sentence for each task that changed a host."""
        return [f"{event.host}: {event.task} ({event.path})" for event in self.events if event.status == "changed"]


def start(playbook: str, inventory: Path, folder: Path, *arguments: str) -> Run:
    """Start *playbook* (its FQCN or path) in a process group of its own; output and record go to *folder*."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("events", "output"):
        (folder / name).unlink(missing_ok=True)
    environment = {
        **os.environ,
        "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
        "ANSIBLE_CALLBACK_PLUGINS": str(ROOT / "tests" / "harness" / "callback"),
        "ANSIBLE_CALLBACKS_ENABLED": "events",
        "ANSIBLE_STDOUT_CALLBACK": "default",  # tests read its output
        "ANSIBLE_NOCOLOR": "1",
        "ANSIBLE_FORCE_COLOR": "0",
        "SLIPWAY_EVENTS": str(folder / "events"),
    }
    command = ["ansible-playbook", playbook, "-i", str(inventory), *arguments]
    with (folder / "output").open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    return Run(command, folder, process)


def run(playbook: str, inventory: Path, folder: Path, *arguments: str) -> Run:
    """Run *playbook* to its end, whatever that is."""
    return start(playbook, inventory, folder, *arguments).wait()


def inventory_of(lab: str) -> Path:
    """Return the inventory that role lab wrote for the lab of that name."""
    return ROOT / ".lab" / lab / "inventory.yml"


def output_of(lab: str) -> Path:
    """Return the folder where the runs of a scenario on that lab leave their output, for who has to find out why."""
    return ROOT / "tests" / "output" / lab


def addresses(inventory: Path) -> dict[str, str]:
    """Return the address of each host of an inventory, by the host's name."""
    command = ["ansible-inventory", "-i", str(inventory), "--list"]
    listing = json.loads(subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout)
    return {host: values.get("ansible_host", host) for host, values in listing["_meta"]["hostvars"].items()}


EXECUTION = re.compile(r"^<([^>]+)> SSH: EXEC ", re.MULTILINE)


def executions(output: str, hosts: dict[str, str]) -> Counter[str]:
    """Count the remote executions per host in the output of a run with ``-vvv``.

    Transfers are executions too (ssh's connection plugin reports ``SSH: EXEC sftp``), and so is each item of a loop and
    each poll of an asynchronous task.
    """
    names = {address: host for host, address in hosts.items()}
    counted = Counter(dict.fromkeys(hosts, 0))
    counted.update(names.get(address, address) for address in EXECUTION.findall(output))
    return counted


def starts(lines: Iterable[dict[str, Any]]) -> dict[str, float]:
    """Return when each play began, from the record's lines."""
    found: dict[str, float] = {}
    for line in lines:
        if "started" in line:
            found.setdefault(line["play"], line["time"])
    return found


def phases(lines: Iterable[dict[str, Any]], ended: float) -> dict[str, float]:
    """Return the seconds that each play took, from the record's lines and the time at which the run ended."""
    began = starts(lines)
    moments = [*began.values(), ended]
    return {play: moments[number + 1] - moments[number] for number, play in enumerate(began)}
