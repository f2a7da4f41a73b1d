# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Packages of a host: their versions and what holds them there, the same on apt and on dnf.

A package whose version is right costs one look into the local database: no repository is asked. Otherwise the repositories known
to the host are asked first, and only if they do not know the version are the lists of our own sources fetched anew: so an unrelated
mirror that is down does not matter.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass

from .packages_apt import Apt
from .packages_dnf import Dnf
from .step import Step
from .system import HostError, System


@dataclass
class WantedPackage:
    """What a package should be: ``state`` "present" or "absent"; ``version`` whole or its beginning ("" for any); ``hold`` None leaves a hold as it is."""

    name: str
    version: str = ""
    hold: bool | None = None
    state: str = "present"


def matches(version: str, wanted: str) -> bool:
    """Whether a package's version is the wanted one, or a build of it: 1.36.3-1.1 is a 1.36.3, 1.36.30-1.1 is not.

    An epoch ("3:") is not compared unless the wanted version has one. A trailing "*" or "-*" means the same as none.
    """
    wanted = re.sub(r"[-.]?\*$", "", wanted)
    if not wanted:
        return True
    if ":" not in wanted:
        version = version.split(":", 1)[-1]
    return version == wanted or (version.startswith(wanted) and version[len(wanted)] in ".-~+^")


def newest(versions: list[str], wanted: str) -> str:
    """The first of the versions (repositories list the newest first) that matches; "" where none does."""
    return next((version for version in versions if matches(version, wanted)), "")


def backend(system: System):
    """The package manager of this host.

    Raises HostError where there is none that is known.
    """
    if system.has("dpkg-query") and system.has("apt-get"):
        return Apt(system)
    if system.has("rpm") and system.has("dnf"):
        return Dnf(system)
    raise HostError(
        "This host has no package manager that slipway.kube knows. Evidence: neither apt-get nor dnf is there. Use a Debian, Ubuntu or RHEL-like system."
    )


def plan_packages(system: System, wanted: list[WantedPackage], sources: list[str]) -> list[Step]:
    """The steps that bring packages to their version; one step per package, one transaction for all of them.

    ``sources`` are the files with this layer's own repositories.
    """
    if not wanted:
        return []
    manager = backend(system)
    have = manager.installed([item.name for item in wanted])
    install = {
        item.name: item.version for item in wanted if item.state == "present" and not _right(have.get(item.name), item)
    }
    remove = [item.name for item in wanted if item.state == "absent" and have.get(item.name)]
    steps: list[Step] = []
    for item in wanted:
        now = have.get(item.name)
        was = {"version": now.version if now else None, "held": bool(now and now.held)}
        change = _describe(item, now, item.name in install, item.name in remove)
        if change:
            steps.append(
                Step(
                    subject=f"package {item.name}",
                    sentence=change[0],
                    before=change[1],
                    after=change[2],
                    apply=lambda: None,
                    remember=[("packages", item.name, was)],
                )
            )
    if steps:
        hold = [item.name for item in wanted if item.hold and item.state == "present"]
        unhold = [item.name for item in wanted if item.hold is False]
        # All packages go in one transaction, so that versions that belong together never meet a part of each other.
        steps[0].apply = lambda: _converge(system, install, remove, hold, unhold, sources)
    return steps


def _right(now, item: WantedPackage) -> bool:
    return bool(now and now.whole and matches(now.version, item.version))


def _describe(item: WantedPackage, now, install: bool, remove: bool) -> tuple[str, str, str] | None:
    """(sentence, before, after) of a package's change; None where it stays as it is."""
    before = (
        f"{now.version}{' held' if now.held else ''}{'' if now.whole else ' (half installed)'}"
        if now
        else "not installed"
    )
    if remove:
        return f"package {item.name} removed", before, "not installed"
    if item.state == "absent":
        return None
    version = item.version if install else now.version
    held = item.hold if item.hold is not None else bool(now and now.held)
    after = f"{version or 'newest'}{' held' if held else ''}"
    if install:
        verb = "installed" if not now else "put in order" if not now.whole else "changed"
        return f"package {item.name} {verb}: {before} -> {after}", before, after
    if held != now.held:
        return f"package {item.name} {'held' if held else 'no longer held'} at {version}", before, after
    return None


def _converge(
    system: System, install: dict[str, str], remove: list[str], hold: list[str], unhold: list[str], sources: list[str]
) -> None:
    manager = backend(system)
    manager.repair()
    # What an interrupted run had unpacked may be right after the repair.
    have = manager.installed(list(install))
    install = {
        name: version
        for name, version in install.items()
        if not (name in have and have[name].whole and matches(have[name].version, version))
    }
    if install:
        released = manager.release(list(install))
        try:
            manager.install(_resolve(manager, install, sources))
        except HostError:
            manager.hold(released)
            raise
    if remove:
        manager.remove(remove)
    held = {name for name, package in manager.installed(hold + unhold).items() if package.held}
    if set(hold) - held or install:
        manager.hold(hold)
    if set(unhold) & held:
        manager.unhold(sorted(set(unhold) & held))


def _resolve(manager, install: dict[str, str], sources: list[str]) -> dict[str, str]:
    """Whole versions for the wanted beginnings; asks the repositories anew where they are not known.

    Raises HostError with the versions that there are where the wanted one is none of them.
    """
    exact = {name: newest(manager.known(name), version) for name, version in install.items()}
    if not all(exact.values()):
        manager.refresh([path for path in sources if os.path.exists(manager.system.path(path))])
        exact = {name: newest(manager.known(name), version) for name, version in install.items()}
    lacking = [name for name, version in exact.items() if not version]
    if lacking:
        name = lacking[0]
        known = manager.known(name)
        raise HostError(
            f"Package {name} {install[name]} is not in the repositories of this host. Evidence: they have {', '.join(known[:5]) or 'no version of it at all'}"
            f" (asked: {', '.join(sources) or 'the repositories of the system'})."
            + (f" Also missing: {', '.join(lacking[1:])}." if lacking[1:] else "")
            + " Choose a version that is there, or a repository that has it."
        )
    return exact
