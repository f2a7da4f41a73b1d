# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Packages of a host: their versions and holds, with apt or dnf.

Where the installed version is right, only the local database is read. Otherwise the version is looked up in the package lists on the
host, and only if they do not have it are the lists of the collection's own repositories refreshed: an unrelated mirror that is down
does not matter.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from typing import Callable

from .facts.system import describe_os, parse_os_release
from .packages_apt import Apt, InvalidSignature
from .packages_dnf import Dnf
from .step import Step
from .system import HostError, System


@dataclass
class WantedPackage:
    """The desired state of a package.

    :param version: the version or its prefix, "" for any.
    :param hold: whether it is held at its version; None leaves a hold unchanged.
    :param state: "present" or "absent".
    :param modes: permissions of its files by path, see :func:`.package_modes.plan_modes`.
    """

    name: str
    version: str = ""
    hold: bool | None = None
    state: str = "present"
    modes: dict[str, str] = field(default_factory=dict)


def matches(version: str, wanted: str) -> bool:
    """Return whether a package's version is the wanted one or a build of it: 1.36.3-1.1 matches 1.36.3, 1.36.30-1.1 does not.

    An epoch ("3:") is ignored unless the wanted version has one, and so is a trailing "*" or "-*".
    """
    wanted = re.sub(r"[-.]?\*$", "", wanted)
    if not wanted:
        return True
    if ":" not in wanted:
        version = version.split(":", 1)[-1]
    return version == wanted or (version.startswith(wanted) and version[len(wanted)] in ".-~+^")


def newest(versions: list[str], wanted: str) -> str:
    """Return the first version that matches, or ""; the newest one, since the versions are sorted from newest to oldest."""
    return next((version for version in versions if matches(version, wanted)), "")


def backend(system: System) -> Apt | Dnf:
    """Return the package manager of this host; its distribution decides where it has both.

    :raises HostError: it has neither apt nor dnf.
    """
    enterprise = describe_os(parse_os_release(system.read("/etc/os-release") or ""))["family"] == "rhel"
    if enterprise and system.has("rpm") and system.has("dnf"):
        return Dnf(system)
    if system.has("dpkg-query") and system.has("apt-get"):
        return Apt(system)
    if system.has("rpm") and system.has("dnf"):
        return Dnf(system)
    raise HostError(
        "This host has no supported package manager. Evidence: neither apt-get nor dnf is installed. Use Debian, Ubuntu or a RHEL-like system."
        " [slipway:os]"
    )


def plan_packages(
    manager: Apt | Dnf,
    wanted: list[WantedPackage],
    sources: list[str],
    download_only: bool = False,
    renew_keys: Callable[[], bool] = lambda: False,
) -> list[Step]:
    """Return the steps that bring packages into their desired state: one for each package, in one transaction for all.

    :param manager: result of :func:`backend`.
    :param sources: files that list this layer's own repositories.
    :param download_only: whether the steps only download what is to be installed, which fails if it cannot be installed.
    :param renew_keys: fetches the keys of the repositories again where they do not verify them, and returns whether one has changed.
    """
    have = manager.installed([item.name for item in wanted])
    install = {
        item.name: item.version for item in wanted if item.state == "present" and not _right(have.get(item.name), item)
    }
    remove = [item.name for item in wanted if item.state == "absent" and have.get(item.name)]
    steps: list[Step] = []
    for item in wanted:
        now = have.get(item.name)
        change = _describe(item, now, item.name in install, item.name in remove)
        if change:
            was = {"version": now.version if now else None, "held": bool(now and now.held)}
            sentence, before, after = change
            remember = [("packages", item.name, was)]
            steps.append(Step(f"package {item.name}", sentence, lambda: None, before, after, remember))
    if steps:
        hold = [item.name for item in wanted if item.hold and item.state == "present"]
        unhold = [item.name for item in wanted if item.hold is False]
        # One transaction, so that packages that belong together are never installed in different versions.
        steps[0].apply = lambda: (
            _install(manager, install, sources, renew_keys, download_only=True)
            if download_only
            else _converge(manager, install, remove, hold, unhold, sources, renew_keys)
        )
    return steps


def _right(now, item: WantedPackage) -> bool:
    return bool(now and now.whole and matches(now.version, item.version))


def _describe(item: WantedPackage, now, install: bool, remove: bool) -> tuple[str, str, str] | None:
    """Return (sentence, before, after) of a package's change, or None where it does not change."""
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
        verb = "installed" if not now else "repaired" if not now.whole else "changed"
        return f"package {item.name} {verb}: {before} -> {after}", before, after
    if held != now.held:
        return f"package {item.name} {'held' if held else 'no longer held'} at {version}", before, after
    return None


def _install(
    manager, install: dict[str, str], sources: list[str], renew_keys: Callable[[], bool], download_only: bool = False
) -> None:
    """Install or download packages, after completing what an interrupted run left."""
    manager.repair()
    have = manager.installed(list(install))
    install = {
        name: version for name, version in install.items() if not _right(have.get(name), WantedPackage(name, version))
    }
    if not install:
        return
    released = manager.release(list(install))
    try:
        manager.install(_resolve(manager, install, sources, renew_keys), download_only)
    except HostError:
        manager.hold(released)
        raise
    if download_only:
        manager.hold(released)


def _converge(
    manager: Apt | Dnf,
    install: dict[str, str],
    remove: list[str],
    hold: list[str],
    unhold: list[str],
    sources: list[str],
    renew_keys: Callable[[], bool],
) -> None:
    _install(manager, install, sources, renew_keys)
    if remove:
        manager.remove(remove)
    held = {name for name, package in manager.installed(hold + unhold).items() if package.held}
    if set(hold) - held:
        manager.hold(hold)
    if set(unhold) & held:
        manager.unhold(sorted(set(unhold) & held))


def _resolve(
    manager: Apt | Dnf, install: dict[str, str], sources: list[str], renew_keys: Callable[[], bool]
) -> dict[str, str]:
    """Return the full version of each package; package lists that do not have one are refreshed.

    :raises HostError: no repository has the version; the message names the available ones.
    """
    exact = {name: newest(manager.known(name, sources), version) for name, version in install.items()}
    if not all(exact.values()):
        listed = [path for path in sources if os.path.exists(manager.system.path(path))]
        try:
            manager.refresh(listed)
        except InvalidSignature:
            if not renew_keys():
                raise
            manager.refresh(listed)
        exact = {name: newest(manager.known(name, sources), version) for name, version in install.items()}
    lacking = [name for name, version in exact.items() if not version]
    if lacking:
        name, *others = lacking
        available = ", ".join(manager.known(name, sources)[:5]) or "no version of it"
        raise HostError(
            f"Package {name} {install[name]} is not in the repositories of this host. Evidence: they have {available}"
            f" (searched: {', '.join(sources) or 'the repositories of the system'})."
            + (f" Also missing: {', '.join(others)}." if others else "")
            + " Choose an available version, or add a repository that has this one. [slipway:package_missing]"
        )
    return exact
