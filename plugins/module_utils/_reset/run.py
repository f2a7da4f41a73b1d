# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Return a host to what its record says it was.

The host is looked at, the steps that are still to be made follow from that look and from the record, they are made, and a second look
tells whether anything is left. Nothing is remembered in between: a reset that was interrupted is finished by the next, because the
record goes last. Only hosts that carry the cluster's mark are ever touched.
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass, field
from typing import Any

from .._host.record import FILE_NAME, Record
from .._host.step import Step
from .._host.system import HostError, System, sync
from . import cluster, files, host, network_steps
from . import packages as reset_packages

KEPT = ("pki", "pki.part")
"""What kubeadm_init puts aside next to the record while it works."""

ROUNDS = 3
"""How often is looked again: what a dying pod still starts is gone by the second look."""


@dataclass
class Options:
    """What is wanted.

    ``cluster_name``: only a host of this cluster is touched. ``cluster_remains``: other control planes go on, so this one's etcd member is
    taken out first. ``packages``: packages that came with the cluster go too. ``pod_subnets``: CIDRs of its pod networks.
    """

    cluster_name: str
    cluster_remains: bool = False
    packages: bool = False
    pod_subnets: list[str] = field(default_factory=list)
    cri_socket: str = "unix:///run/containerd/containerd.sock"


@dataclass
class Outcome:
    """What was done, or in check mode would be: sentences, diffs, and notes on what cannot go back.

    ``node``: whether the host was a node when the reset came, this one or one before it that was interrupted.
    """

    node: bool = False
    changes: list[str] = field(default_factory=list)
    diff: list[dict[str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add(self, step: Step) -> None:
        """One more step; the same thing in a second round is told once."""
        if step.sentence not in self.changes:
            self.changes.append(step.sentence)
            self.diff.append(step.diff)

    def note(self, text: str) -> None:
        """One more note, once."""
        if text not in self.notes:
            self.notes.append(text)


def is_ours(system: System, record: Record, cluster_name: str) -> bool:
    """Whether this host is one of the cluster *cluster_name*; False for one that no cluster has touched.

    Raises HostError for a host of another cluster, or of one that this collection did not make.
    """
    place = os.path.join(record.folder, FILE_NAME)
    if record.marked:
        if record.cluster_name == cluster_name:
            return True
        raise HostError(
            f"This host belongs to the cluster '{record.cluster_name}', not to '{cluster_name}'; nothing was changed. Evidence: {place}."
            f" Reset it with the inventory of '{record.cluster_name}', or correct kube_cluster_name."
        )
    found = cluster.cluster_files(system)
    if found:
        raise HostError(
            f"This host is a node of a cluster that slipway.kube did not make; nothing was changed. Evidence: {', '.join(found)}, and no mark in {place}."
            " Take the host out of the inventory, or run 'kubeadm reset' on it yourself if nobody needs that cluster any more."
        )
    return False


def plan_reset(system: System, record: Record, options: Options, notes: list[str]) -> list[Step]:
    """Return the steps that are still to be made, in their order; empty when the host is what it was."""
    absent_before = {
        name: was for name, was in record.before["units"].items() if was.get("enabled", "absent") == "absent"
    }
    there_before = {name: was for name, was in record.before["units"].items() if name not in absent_before}
    folders = list(files.cluster_folders(record))
    leaving = reset_packages.packages_to_remove(system, record) if options.packages else []

    steps = cluster.plan_etcd(system, options.cluster_remains)
    steps += cluster.plan_kubeadm(system, options.cri_socket, notes)
    steps += cluster.plan_stop(system, "kubelet.service")
    steps += cluster.plan_runtime(system, record)
    steps += cluster.plan_processes(system)
    steps += host.plan_units(system, absent_before)
    steps += cluster.plan_mounts(system, [*folders, *cluster.RUNTIME_MOUNTS], record)
    steps += network_steps.plan_network(system, record, options.pod_subnets, notes)
    steps += reset_packages.plan_packages(system, record, leaving, notes)
    steps += files.plan_folders(system, record, leaving)
    steps += files.plan_files(system, record, [path for step in steps for path in step.paths])
    steps += host.plan_runtime_restart(system, record)
    steps += host.plan_units(system, there_before)
    steps += host.plan_sysctls(system, record, notes)
    steps += host.plan_modules(system, record)
    steps += host.plan_swap(system, record)
    steps += host.plan_firewall(system, record)
    first: dict[str, Step] = {}
    for step in steps:  # what is to be stopped for two reasons is stopped once, where it comes first
        first.setdefault(step.subject, step)
    return list(first.values())


def record_step(system: System, record: Record) -> Step:
    """The last step: the host is what it was, so nothing is to be remembered any more."""
    path = os.path.join(record.folder, FILE_NAME)

    def apply() -> None:
        system.run("systemctl", "daemon-reload")
        for name in record.before["units"]:
            system.run("systemctl", "reset-failed", name)
        for name in KEPT:
            files.remove_tree(system, os.path.join(record.folder, name))
        os.unlink(path)
        with contextlib.suppress(OSError):  # somebody else keeps something there
            os.rmdir(record.folder)
        sync([os.path.dirname(record.folder) if not os.path.isdir(record.folder) else record.folder])

    return Step(
        subject=f"record {path}",
        sentence="the record of what this host was removed",
        before=f"cluster {record.cluster_name}",
        apply=apply,
    )


def reset(system: System, record_dir: str, options: Options, check: bool) -> Outcome:
    """Reset the host, or with *check* say what that would do.

    Raises HostError where the host is not this cluster's, or where something cannot be removed; the record stays then.
    """
    record = Record.load(record_dir)
    outcome = Outcome()
    if not is_ours(system, record, options.cluster_name):
        return outcome
    outcome.node = record.operation == "reset" or bool(cluster.cluster_files(system))
    given_up: set[str] = set()
    for number in range(ROUNDS):
        notes: list[str] = []
        steps = [step for step in plan_reset(system, record, options, notes) if step.subject not in given_up]
        for text in notes:
            outcome.note(text)
        if not steps:
            break
        if check:
            for step in steps:
                outcome.add(step)
            break
        if number == 0:
            before = record.operation
            record.begin("reset")
        for step in steps:
            try:
                step.apply()
                outcome.add(step)
            except cluster.NothingReset:
                record.begin(before)
                raise
            except host.CannotRestore as error:
                given_up.add(step.subject)
                outcome.note(str(error))
        for text in notes:
            outcome.note(text)
    else:
        left = [step for step in plan_reset(system, record, options, []) if step.subject not in given_up]
        if left:
            raise HostError(
                f"The reset left {len(left)} things undone, so the record stays. Evidence: {'; '.join(_evidence(step) for step in left[:8])}."
                " Find out what holds them on the host (a reboot helps against most) and run the reset again."
            )
    last = record_step(system, record)
    if not check:
        last.apply()
    outcome.add(last)
    return outcome


def _evidence(step: Step) -> str:
    lines: list[Any] = step.before.splitlines()
    return f"{step.subject} ({', '.join(lines[:3])}{', …' if len(lines) > 3 else ''})" if lines else step.subject
