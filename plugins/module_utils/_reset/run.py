# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reset of a host: it returns to the state in its record.

The steps that are still necessary follow from the current state and the record. After they have been applied, the steps are planned again,
which shows whether anything is left. The record is removed last, so that the next run resumes an interrupted reset. Only hosts that
are marked for the cluster are changed.
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass, field
from typing import Any

from .._host.record import Record
from .._host.step import Step
from .._host.system import HostError, System, sync
from .._kube.progress import tell
from .._kubeadm.admin import API_ERRORS
from . import cluster, files, host, identity, mounts, network_steps, packages, pods

KEPT = ("pki", "pki.part")
"""Copies that kubeadm_init keeps next to the record while it runs."""

ROUNDS = 3
"""How often the steps are planned and applied: the second round removes what a pod created while it was ended."""


@dataclass
class ResetOptions:
    """Options of a reset.

    :param cluster_name: only a host of this cluster is changed.
    :param cluster_remains: whether control planes are kept; the member of etcd on this host is removed first then.
    :param packages: whether packages that were installed with the cluster are removed.
    :param pod_subnets: pod networks of the cluster, as CIDRs.
    """

    cluster_name: str
    cluster_remains: bool = False
    packages: bool = False
    pod_subnets: list[str] = field(default_factory=list)
    cri_socket: str = "unix:///run/containerd/containerd.sock"


@dataclass
class ResetResult:
    """What a reset did or, in check mode, would do: sentences, diffs, and notes on what cannot be restored.

    ``node``: whether the host was a node when this reset, or an interrupted one before it, began. ``cluster``: which cluster it belongs to.
    ``api_server``: URL of the API server of a control plane. In check mode, ``contents`` is what the cluster contains according to that API
    server, and ``api_error`` why it does not answer; see :mod:`.identity`.
    """

    node: bool = False
    cluster: dict[str, str] = field(default_factory=dict)
    api_server: str = ""
    contents: dict[str, Any] = field(default_factory=dict)
    api_error: str = ""
    changes: list[str] = field(default_factory=list)
    diff: list[dict[str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add(self, step: Step) -> None:
        """Add a step, unless an earlier round has made the same change."""
        if step.sentence not in self.changes:
            self.changes.append(step.sentence)
            self.diff.append(step.diff)

    def add_notes(self, notes: list[str]) -> None:
        """Add the notes that are new."""
        self.notes += [note for note in notes if note not in self.notes]


def plan_reset(system: System, record: Record, options: ResetOptions, notes: list[str]) -> list[Step]:
    """Return the steps that are still necessary, in their order; none where the host is in its original state."""
    units = record.before["units"]
    new_units = {name: was for name, was in units.items() if was.get("enabled", "absent") == "absent"}
    old_units = {name: was for name, was in units.items() if name not in new_units}
    folders = list(files.cluster_folders(record))
    removed = packages.packages_to_remove(system, record) if options.packages else []

    steps = cluster.plan_etcd(system, options.cluster_remains)
    steps += cluster.plan_kubeadm(system, options.cri_socket, notes)
    steps += cluster.plan_stop(system, "kubelet.service")
    steps += cluster.plan_runtime(system, record)
    steps += pods.plan_processes(system)
    steps += host.plan_units(system, new_units)
    steps += mounts.plan_programs(system)
    steps += mounts.plan_mounts(system, [*folders, *cluster.RUNTIME_MOUNTS], record, notes)
    steps += network_steps.plan_network(system, record, options.pod_subnets, notes)
    steps += packages.plan_packages(system, record, removed, notes)
    steps += files.plan_folders(system, record, removed)
    steps += files.plan_files(system, record, [path for step in steps for path in step.paths])
    steps += files.plan_modes(system, record, removed)
    steps += host.plan_users(system, record)
    steps += host.plan_restarts(system, record)
    steps += host.plan_units(system, old_units)
    steps += host.plan_sysctls(system, record, notes)
    steps += host.plan_modules(system, record)
    steps += host.plan_swap(system, record)
    steps += host.plan_firewall(system, record)
    first: dict[str, Step] = {}
    for step in steps:  # what two planners stop is stopped once, where it comes first
        first.setdefault(step.subject, step)
    return list(first.values())


def record_step(system: System, record: Record) -> Step:
    """Return the last step, which removes the record."""

    def apply() -> None:
        system.run("systemctl", "daemon-reload")
        # systemd remembers that a unit failed after its file is gone; a timer's service is not among the units.
        ours = {os.path.basename(path) for path in record.before["files"] if path.startswith("/etc/systemd/system/")}
        for name in [*record.before["units"], *sorted(ours - {*record.before["units"]})]:
            system.run("systemctl", "reset-failed", name)
        for name in KEPT:
            files.remove_tree(system, os.path.join(record.folder, name))
        os.unlink(record.path)
        with contextlib.suppress(OSError):  # the folder holds other files
            os.rmdir(record.folder)
        sync([record.folder if os.path.isdir(record.folder) else os.path.dirname(record.folder)])

    sentence = "the record of this host's original state removed"
    return Step(f"record {record.path}", sentence, apply, before=f"cluster {record.cluster_name}")


def reset(system: System, record_dir: str, options: ResetOptions, check: bool) -> ResetResult:
    """Reset the host or, with ``check``, report what that would change.

    :raises HostError: the host does not belong to the cluster, or something cannot be removed; the record is kept then.
    """
    record = Record.load(record_dir)
    result = ResetResult()
    if not identity.belongs_to(system, record, options.cluster_name):
        return result
    result.cluster = identity.identity(system, record)
    result.api_server = identity.api_server(system)
    if check:
        try:
            result.contents = identity.contents(system)
        except API_ERRORS as error:
            result.api_error = str(error)
    result.node = record.operation == "reset" or bool(cluster.cluster_files(system))
    skipped: set[str] = set()
    for number in range(ROUNDS):
        notes: list[str] = []
        steps = [step for step in plan_reset(system, record, options, notes) if step.subject not in skipped]
        if steps and not check:
            _apply(record, steps, result, skipped, first=number == 0)
        elif check:
            for step in steps:
                result.add(step)
        result.add_notes(notes)
        if check or not steps:
            break
    else:
        left = [step for step in plan_reset(system, record, options, []) if step.subject not in skipped]
        if left:
            raise HostError(
                f"The reset could not revert everything ({len(left)} left), so the record is kept. Evidence: {'; '.join(_evidence(step) for step in left[:8])}."
                " Find out which process uses them (a reboot often helps) and run the reset again. [slipway:reset_incomplete]"
            )
    last = record_step(system, record)
    if not check:
        last.apply()
    result.add(last)
    return result


def _apply(record: Record, steps: list[Step], result: ResetResult, skipped: set[str], first: bool) -> None:
    before = record.operation
    if first:
        record.begin("reset")
    for step in steps:
        tell(step.sentence)
        try:
            step.apply()
            result.add(step)
        except cluster.NothingReset:
            record.begin(before)
            raise
        except host.CannotRestore as error:
            skipped.add(step.subject)
            result.add_notes([str(error)])


def _evidence(step: Step) -> str:
    lines: list[Any] = step.before.splitlines()
    return f"{step.subject} ({', '.join(lines[:3])}{', …' if len(lines) > 3 else ''})" if lines else step.subject
