# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The steps that return a host's packages to what its record says: holds, and where wanted the packages themselves."""

from __future__ import annotations

import re
from typing import Collection

from .._host.packages import backend
from .._host.record import Record
from .._host.step import Step
from .._host.system import HostError, System


def parse_simulation(text: str) -> list[str]:
    """Return the packages that ``apt-get --simulate purge`` says it would remove or purge."""
    return sorted(set(re.findall(r"^(?:Remv|Purg) (\S+)", text, re.M)))


def choose_removal(
    named: Collection[str], simulated: Collection[str], automatic: Collection[str], before: Collection[str]
) -> list[str]:
    """Return the packages to remove: the cluster's, and what came along with them and nobody else needs.

    ``simulated``: what the package manager would remove with the named ones, unneeded ones included; ``automatic``: what was installed
    as a dependency only; ``before``: what was there before the cluster.
    Raises HostError where software that was installed since needs one of them.
    """
    extra = [name for name in simulated if name not in named]
    needing = [name for name in extra if name not in automatic and name not in before]
    if needing:
        raise HostError(
            f"Packages of the cluster are needed by others that were installed since: {', '.join(needing)}. Evidence: the package manager would remove them"
            f" together with {', '.join(sorted(named))}. Remove them first, or keep the packages (reset_packages: false)."
        )
    return sorted([*named, *(name for name in extra if name not in before)])


def packages_to_remove(system: System, record: Record) -> list[str]:
    """Return the packages that came with the cluster, those included that an interrupted removal left configured.

    Raises HostError where other software needs one of them.
    """
    absent = [name for name, was in record.before["packages"].items() if was.get("version") is None]
    if not absent:
        return []
    leftover: set[str] = set()
    if system.has("dpkg-query"):
        listed = system.run("dpkg-query", "--show", "--showformat=${Package}\\t${db:Status-Abbrev}\\n", *absent).out
        leftover = {line.split("\t")[0] for line in listed.splitlines() if line.split("\t")[1:2] == ["rc "]}
    named = sorted(leftover.union(backend(system).installed(absent)))
    return removal(system, named, record.footprint.get("packages", [])) if named else []


def plan_packages(system: System, record: Record, doomed: list[str], notes: list[str]) -> list[Step]:
    """The steps that take the cluster's holds away and remove the packages *doomed*."""
    known = record.before["packages"]
    if not known:
        return []
    manager = backend(system)
    have = manager.installed(list(known))
    steps: list[Step] = []
    unhold = sorted(name for name, package in have.items() if package.held and not known[name].get("held"))
    hold = sorted(name for name, package in have.items() if not package.held and known[name].get("held"))
    if unhold:
        steps.append(
            Step(
                "holds",
                f"packages no longer held: {', '.join(unhold)}",
                lambda: manager.unhold(unhold),
                before="\n".join(unhold),
            )
        )
    if hold:
        steps.append(
            Step(
                "holds as before",
                f"packages held again: {', '.join(hold)}",
                lambda: manager.hold(hold),
                after="\n".join(hold),
            )
        )
    for name, was in known.items():
        if name in have and was.get("version") not in (None, have[name].version):
            notes.append(f"Package {name} stays at {have[name].version}; before the cluster it was {was['version']}.")
    if doomed:

        def apply() -> None:
            manager.repair()
            manager.remove(doomed)

        steps.append(Step("packages", f"packages removed: {', '.join(doomed)}", apply, before="\n".join(doomed)))
    return steps


def removal(system: System, named: list[str], before: Collection[str]) -> list[str]:
    """Return the named packages and those that only they needed; dnf finds the latter by itself.

    Raises HostError where other software needs one of them.
    """
    if not system.has("apt-get"):
        trial = system.run("rpm", "--erase", "--test", *named)
        if trial.code != 0:
            raise HostError(
                f"Packages of the cluster are needed by others that were installed since. Evidence: {trial.tail}."
                " Remove those first, or keep the packages (reset_packages: false)."
            )
        return named
    trial = system.must("apt-get", "--simulate", "purge", "--auto-remove", "--allow-change-held-packages", *named)
    automatic = system.run("apt-mark", "showauto").out.split()
    if not before:  # a record that does not say what was there: nothing but the named ones
        return named
    return choose_removal(named, parse_simulation(trial.out), automatic, before)
