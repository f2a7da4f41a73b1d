# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Steps that restore a host's packages from its record: their holds and, if requested, the packages themselves."""

from __future__ import annotations

import os
import re
from typing import Collection

from .._host.packages import backend
from .._host.packages_dnf import Dnf
from .._host.record import ABSENT, Record
from .._host.step import Step
from .._host.system import HostError, System


def parse_simulation(text: str) -> list[str]:
    """Return the packages that ``apt-get --simulate purge`` would remove or purge."""
    return sorted(set(re.findall(r"^(?:Remv|Purg) (\S+)", text, re.M)))


def choose_removal(
    named: Collection[str], simulated: Collection[str], automatic: Collection[str], before: Collection[str]
) -> list[str]:
    """Return the packages to remove: those of the cluster, and their dependencies that nothing else needs.

    :param named: packages of the cluster.
    :param simulated: packages that the package manager would remove with them, including unneeded dependencies.
    :param automatic: packages that were installed as dependencies only.
    :param before: packages before the cluster.
    :raises HostError: software that was installed later needs one of them.
    """
    extra = [name for name in simulated if name not in named]
    needing = [name for name in extra if name not in automatic and name not in before]
    if needing:
        raise HostError(
            f"Packages that were installed later need packages of the cluster: {', '.join(needing)}. Evidence: the package manager would remove"
            f" them together with {', '.join(sorted(named))}. Remove them first, or keep the packages (reset_packages: false). [slipway:reset_packages_needed]"
        )
    return sorted([*named, *(name for name in extra if name not in before)])


def packages_to_remove(system: System, record: Record) -> list[str]:
    """Return the packages that were installed with the cluster, including those whose removal was interrupted.

    :raises HostError: other software needs one of them.
    """
    absent = [name for name, was in record.before["packages"].items() if was.get("version") is None]
    if not absent:
        return []
    leftover: set[str] = set()
    manager = backend(system)
    needed = needed_packages(manager, record, changed_packages(manager, record))
    if not isinstance(manager, Dnf):
        listed = system.run("dpkg-query", "--show", "--showformat=${Package}\\t${db:Status-Abbrev}\\n", *absent).out
        leftover = {line.split("\t")[0] for line in listed.splitlines() if line.split("\t")[1:2] == ["rc "]}
    named = sorted(leftover.union(manager.installed(absent)) - set(needed))
    return removal(manager, named, record.footprint.get("packages", [])) if named else []


def changed_packages(manager, record: Record) -> dict[str, str]:
    """Return the packages that stay at another version than before the cluster, because nobody has the old one: {name: version now}."""
    known = {name: was["version"] for name, was in record.before["packages"].items() if was.get("version") is not None}
    have = manager.installed(list(known)) if known else {}
    return {
        name: have[name].version for name, version in known.items() if name in have and have[name].version != version
    }


def needed_packages(manager, record: Record, changed: Collection[str]) -> dict[str, str]:
    """Return the packages of the cluster that one of the ``changed`` packages needs, which stay: {name: the package that needs it}."""
    needed: dict[str, str] = {}
    for keeper in changed:
        if isinstance(manager, Dnf):
            text = manager.system.run("rpm", "--query", "--requires", keeper).out
        else:
            query = ["dpkg-query", "--show", "--showformat=${Pre-Depends}, ${Depends}\\n"]
            text = manager.system.run(*query, keeper).out
        for name in re.findall(r"(?:^|[,|\n])\s*([A-Za-z0-9][A-Za-z0-9.+-]*)", text):
            if record.before["packages"].get(name, {"version": ""}).get("version") is None:
                needed[name] = keeper
    return needed


def plan_packages(system: System, record: Record, removed: list[str], notes: list[str]) -> list[Step]:
    """Return the steps that restore the holds of packages and remove the packages in ``removed``."""
    known = record.before["packages"]
    if not known:
        return []
    manager = backend(system)
    have = manager.installed(list(known))
    steps: list[Step] = []
    unhold = sorted(name for name, package in have.items() if package.held and not known[name].get("held"))
    hold = sorted(name for name, package in have.items() if not package.held and known[name].get("held"))
    if unhold:
        sentence = f"packages no longer held: {', '.join(unhold)}"
        steps.append(Step("holds", sentence, lambda: manager.unhold(unhold), before="\n".join(unhold)))
    if hold:
        sentence = f"packages held again: {', '.join(hold)}"
        steps.append(Step("original holds", sentence, lambda: manager.hold(hold), after="\n".join(hold)))
    changed = changed_packages(manager, record)
    for name, version in changed.items():
        notes.append(f"Package {name} stays at {version}; before the cluster it was at {known[name]['version']}.")
    if removed:
        needed = {name: keeper for name, keeper in needed_packages(manager, record, changed).items() if name in have}
        notes += [f"Package {name} stays because {keeper} needs it." for name, keeper in needed.items()]
        keys = unneeded_keys(manager, removed, record)

        def apply() -> None:
            manager.repair()
            manager.remove(removed)
            if isinstance(manager, Dnf):
                remove_copies(system, record)

        def forget_keys() -> None:
            signers = manager.signers() if isinstance(manager, Dnf) else {}  # only rpm has such keys
            unneeded = [key for key in keys if not signers.get(key)]
            if unneeded:
                system.must("rpm", "--erase", *unneeded)

        steps.append(Step("packages", f"packages removed: {', '.join(removed)}", apply, before="\n".join(removed)))
        if keys:
            sentence = f"signing keys no longer trusted: {', '.join(keys)}"
            steps.append(Step("keys", sentence, forget_keys, before="\n".join(keys)))
    return steps


def unneeded_keys(manager, removed: Collection[str], record: Record) -> list[str]:
    """Return the keys that rpm trusts since the packages in ``removed`` were installed, unless packages before the cluster need them."""
    before, packages = record.footprint.get("rpm_keys"), set(record.footprint.get("packages", []))
    if before is None or not isinstance(manager, Dnf):
        return []
    signers = manager.signers()
    return sorted(
        key for key, names in signers.items() if key not in before and names & set(removed) and not names & packages
    )


def remove_copies(system: System, record: Record) -> None:
    """Remove what rpm keeps beside a configuration file that has been changed (.rpmsave), or that was there before its package (.rpmnew)."""
    for path, was in record.before["files"].items():
        for copy in (f"{path}.rpmsave", f"{path}.rpmnew"):
            if was == ABSENT and system.exists(copy):
                os.unlink(system.path(copy))


def removal(manager, named: list[str], before: Collection[str]) -> list[str]:
    """Return the named packages and the dependencies that only they need; dnf removes the latter by itself.

    :raises HostError: other software needs one of them.
    """
    system = manager.system
    if isinstance(manager, Dnf):
        trial = system.run("rpm", "--erase", "--test", *named)
        if trial.code != 0:
            raise HostError(
                f"Packages that were installed later need packages of the cluster. Evidence: {trial.tail}."
                " Remove those first, or keep the packages (reset_packages: false). [slipway:reset_packages_needed]"
            )
        return named
    trial = system.must("apt-get", "--simulate", "purge", "--auto-remove", "--allow-change-held-packages", *named)
    automatic = system.run("apt-mark", "showauto").out.split()
    if not before:  # the record does not list the packages before the cluster
        return named
    return choose_removal(named, parse_simulation(trial.out), automatic, before)
