# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""End a run of the playbook at a moment that a seed decides: between tasks, inside one, on the host, or with the host."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass

from harness.hosts import Host
from harness.playbook import Run

# Each kind once before any comes again, the ones inside kubeadm first.
KINDS = ("init", "power", "playbook", "join", "sources", "abandoned", "playbook")
# About how many seconds kubeadm takes.
KUBEADM = {"init": 7.0, "abandoned": 7.0, "join": 0.8, "upgrade": 150.0}
POLL = 0.1  # seconds between looks at a host
SWITCHED_OFF = 20  # seconds for which the run may look for a host that is gone
NO_SOURCES = ("iptables", "INPUT", "--protocol=tcp", "--dport=443", "--jump=REJECT")


@dataclass(frozen=True)
class Kill:
    """One way to end a run.

    *kind*: ``init``, ``join`` and ``upgrade`` end the playbook and kubeadm on the host while it runs there; ``abandoned`` ends the
    playbook alone and leaves kubeadm init running; ``power`` switches a host off; ``sources`` makes the servers of packages
    and images unreachable until the run has ended by itself; ``playbook`` ends the playbook.
    *share* of the length of a whole run (0 to 1) decides when, or, inside kubeadm, how far into it.
    """

    number: int
    kind: str
    share: float

    def __str__(self) -> str:
        return f"{self.number}-{self.kind}-{self.share:.2f}"


def plan(count: int, seed: int) -> list[Kill]:
    """Return *count* kills; the same seed gives the same ones, and a longer plan begins with the shorter one."""
    moments = random.Random(seed)
    return [Kill(number + 1, KINDS[number % len(KINDS)], moments.uniform(0.05, 0.95)) for number in range(count)]


def wait_for_kubeadm(hosts: list[Host], run: Run) -> Host:
    """Wait until kubeadm runs on one of *hosts*; return that host.

    :raises AssertionError: when the playbook ends without any of them having run it.
    """
    while run.process.poll() is None:
        for host in hosts:
            if host.runs("kubeadm"):
                return host
        time.sleep(POLL)
    raise AssertionError(f"kubeadm was never seen on {', '.join(host.name for host in hosts)}:\n{run.output[-3000:]}")


def carry_out(kill: Kill, run: Run, hosts: list[Host], services: Host, length: float) -> str:
    """End *run* as *kill* says; return what was done, for the log.

    :param services: the host that serves packages and images.
    :param length: seconds that a whole run takes.
    """
    control_plane = [host for host in hosts if host.name.startswith("cp")]
    workers = [host for host in hosts if host.name.startswith("w")]
    if kill.kind in KUBEADM:
        host = wait_for_kubeadm(workers if kill.kind == "join" else control_plane, run)
        delay = kill.share * KUBEADM[kill.kind]
        time.sleep(delay)
        run.kill()
        ended = kill.kind != "abandoned" and host.end("kubeadm")
        return f"{delay:.1f} s into kubeadm on {host.name}" + (
            ", kubeadm ended" if ended else ", kubeadm left to itself"
        )
    delay = kill.share * length
    time.sleep(delay)
    assert run.process.poll() is None, (
        f"the run was over before {delay:.0f} s: nothing was killed\n{run.output[-3000:]}"
    )
    if kill.kind == "playbook":
        run.kill()
        return f"playbook ended after {delay:.0f} s"
    if kill.kind == "sources":
        program, *rule = NO_SOURCES
        assert services.execute(program, "--insert", *rule)[0] == 0
        try:
            run.wait()
        finally:
            services.execute(program, "--delete", *rule)
        return f"no sources after {delay:.0f} s, the run returned {run.process.returncode}"
    victim = (control_plane + workers)[kill.number % len(control_plane + workers)]
    victim.switch_off()
    deadline = time.time() + SWITCHED_OFF
    while run.process.poll() is None and time.time() < deadline:
        time.sleep(POLL)
    if run.process.poll() is None:
        run.kill()
    victim.switch_on()
    return f"{victim.name} switched off after {delay:.0f} s"
