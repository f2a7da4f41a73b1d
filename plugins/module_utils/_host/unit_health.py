# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a unit runs with the settings with which it was just started, and why it does not.

A service of type simple counts as started before it has read its settings: "systemctl restart" succeeds for a kubelet that refuses them.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from urllib.parse import urlsplit

from .facts.cluster import answers
from .facts.packages import parse_show
from .system import HostError, System

PROPERTIES = ("ActiveState", "SubState", "MainPID", "Result")
# Seconds until a service must answer, and how long it must have done so: the kubelet answers shortly before it has started everything.
DEADLINE, SETTLED = 120.0, 3.0
PAUSE = 0.25
LINES = 3


class UnhealthyUnit(HostError):
    """A unit does not work after it was started.

    :ivar name: of the unit.
    :ivar evidence: what is seen of it, with the lines of its journal.
    """

    def __init__(self, name: str, evidence: str) -> None:
        super().__init__(
            f"{name} does not run after it was started. Evidence: {evidence}\n"
            f"Correct what it reports and run again; 'journalctl -u {name}' on the host shows more. [slipway:unit_failed]"
        )
        self.name, self.evidence = name, evidence


@dataclass
class Health:
    """How to see whether a unit works.

    :param url: answers with status 200 then.
    :param variables: those that hold the unit's settings, for the error message.
    """

    url: str
    variables: str = ""


def has_ended(shown: dict[str, str], pid: str) -> bool:
    """Return whether the process that was started has ended, even if systemd has started another one since.

    :param pid: of that process, "" while it is not known.
    """
    ended = shown.get("ActiveState") in ("failed", "inactive") or shown.get("SubState") == "auto-restart"
    return ended or bool(pid) and shown.get("MainPID", pid) != pid


def wait_for_health(
    system: System, name: str, health: Health, deadline: float = DEADLINE, settled: float = SETTLED
) -> str:
    """Wait until a unit that was just started works; returns "" then, and otherwise what is seen of it, as soon as that is certain."""
    address = urlsplit(health.url)
    started, since, pid = time.monotonic(), 0.0, ""
    while True:
        answer = system.run("systemctl", "show", "--property=" + ",".join(PROPERTIES), name)
        shown = (parse_show(answer.out) or [{}])[0]
        if has_ended(shown, pid):
            return f"its process has ended ({shown.get('Result') or 'failed'})"
        pid = "" if shown.get("MainPID") == "0" else shown.get("MainPID", "")
        now = time.monotonic()
        if not answers(address.port or 80, address.path, host=address.hostname or ""):
            since = 0.0
        elif not since:
            since = now
        elif now - since >= settled:
            return ""
        if now - started >= deadline:
            return f"{health.url} does not answer with status 200 after {deadline:.0f} seconds"
        time.sleep(PAUSE)


def reasons(lines: list[str]) -> list[str]:
    """Return the lines of a log that say why a program has ended: of the Kubernetes logger those of errors, and Go's panics."""
    return [line for line in lines if re.match(r"[EF]\d{4} |panic: ", line)]


def read_reasons(system: System, name: str, since: float) -> str:
    """Return what the journal of a unit says why it has ended, or its last lines.

    :param since: its start, in seconds since the epoch.
    """
    command = ["journalctl", "--no-pager", "--lines=400", "--output=cat", f"--since=@{int(since)}", f"--unit={name}"]
    lines: list[str] = []
    for _attempt in range(4):  # the last lines of a process come to the journal a moment after its end
        lines = [line for line in system.run(*command).out.splitlines() if line.strip()]
        if reasons(lines):
            break
        time.sleep(PAUSE)
    return "\n".join((reasons(lines) or lines)[-LINES:])


def check_health(system: System, name: str, health: Health, since: float) -> None:
    """Wait until a unit that was just started works.

    :param since: its start, in seconds since the epoch.
    :raises UnhealthyUnit: it does not.
    """
    seen = wait_for_health(system, name, health)
    if seen:
        raise UnhealthyUnit(name, f"{seen}. Its journal says:\n{read_reasons(system, name, since) or '(nothing)'}")
