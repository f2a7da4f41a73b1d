# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Packages with rpm and dnf 4 or 5 (RHEL, its rebuilds, Fedora); versions are held by dnf's versionlock."""

from __future__ import annotations

import re

from .packages_apt import Installed
from .system import HostError, System

LOCK_FILES = ("/etc/dnf/plugins/versionlock.list", "/etc/dnf/versionlock.toml")
PLUGIN = "python3-dnf-plugin-versionlock"


def parse_query(text: str) -> dict[str, str]:
    """The lines "NAME<tab>VERSION-RELEASE" of rpm; "package X is not installed" has no tab."""
    return {fields[0]: fields[1] for fields in (line.split("\t") for line in text.splitlines()) if len(fields) == 2}


def parse_locks(text: str) -> set[str]:
    """Names in versionlock's list, of dnf 4 (NAME-EPOCH:VERSION-RELEASE.*; "!" excludes) or of dnf 5 (TOML, name = "…")."""
    found = set(re.findall(r'^\s*name\s*=\s*"([^"]+)"', text, re.M))
    for line in text.splitlines():
        match = re.match(r"([A-Za-z0-9][^\s:]*?)-(?:\d+|\*):", line.strip())
        if match:
            found.add(match.group(1))
    return found


def parse_known(text: str) -> list[str]:
    """VERSION-RELEASE lines of repoquery, turned to newest first (it lists the oldest first)."""
    return list(
        dict.fromkeys(line.strip() for line in reversed(text.splitlines()) if re.match(r"^\d\S*$", line.strip()))
    )


class Dnf:
    """rpm's database, dnf's repositories. dnf waits by itself for another that works."""

    def __init__(self, system: System) -> None:
        self.system = system

    def installed(self, names: list[str]) -> dict[str, Installed]:
        """What the database has of these packages."""
        if not names:
            return {}
        locked = parse_locks("\n".join(self.system.read(path) or "" for path in LOCK_FILES))
        result = self.system.run("rpm", "-q", "--qf", "%{NAME}\\t%{VERSION}-%{RELEASE}\\n", *names)
        return {name: Installed(version, name in locked, True) for name, version in parse_query(result.out).items()}

    def known(self, name: str) -> list[str]:
        """Versions in the repositories, newest first; dnf refreshes its lists by itself when they are old."""
        query = ("dnf", "-q", "repoquery", "--showduplicates", "--queryformat", "%{version}-%{release}\n", name)
        return parse_known(self.system.run(*query).out)

    def refresh(self, sources: list[str]) -> None:
        """Fetch the repositories' lists anew. Raises HostError where one cannot be read."""
        self.system.must(
            "dnf",
            "-q",
            "-y",
            "makecache",
            "--refresh",
            remedy=f"Correct the URL or the network of the repositories in {', '.join(sources) or '/etc/yum.repos.d'}.",
        )

    def repair(self) -> None:
        """rpm's transactions need none: what was not finished is not in its database."""

    def release(self, names: list[str]) -> list[str]:
        """Unlock those of these packages that are locked, and name them: a lock hides all other versions, also from queries."""
        locked = [name for name, package in self.installed(names).items() if package.held]
        self.unhold(locked)
        return locked

    def install(self, versions: dict[str, str]) -> None:
        """Install exact versions, lower ones too, in one transaction; dnf erases no other package for it unless told to."""
        wanted = [f"{name}-{version}" for name, version in versions.items()]
        result = self.system.run("dnf", "-y", "-q", "install", *wanted)
        if result.code != 0 and self.installed(list(versions)):
            result = self.system.run("dnf", "-y", "-q", "downgrade", *wanted)
        if result.code != 0:
            raise HostError(
                f"dnf could not install {', '.join(wanted)}. Evidence: {result.tail}."
                " What it names has to be cleared first: packages in the way (another container runtime, runc, podman), missing dependencies, or a full disk."
            )

    def remove(self, names: list[str]) -> None:
        """Remove packages."""
        self.system.must("dnf", "-y", "-q", "remove", *names)

    def hold(self, names: list[str]) -> None:
        """Lock packages at their installed version."""
        if names:
            self.system.must(
                "dnf", "-q", "versionlock", "add", *names, remedy=f"Install {PLUGIN}, which brings the command."
            )

    def unhold(self, names: list[str]) -> None:
        """Unlock packages."""
        if names:
            self.system.must(
                "dnf", "-q", "versionlock", "delete", *names, remedy=f"Install {PLUGIN}, which brings the command."
            )
