# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Packages with rpm and dnf 4 or 5 (RHEL, its rebuilds, Fedora); dnf's versionlock holds their versions."""

from __future__ import annotations

import re

from .facts.packages import parse_locks
from .packages_apt import Installed
from .system import HostError, System

LOCK_FILES = ("/etc/dnf/plugins/versionlock.list", "/etc/dnf/versionlock.toml")
PLUGIN = "python3-dnf-plugin-versionlock"


def parse_query(text: str) -> dict[str, str]:
    """Return the versions in lines "NAME<tab>VERSION-RELEASE" of rpm; "package X is not installed" has no tab."""
    return {fields[0]: fields[1] for fields in (line.split("\t") for line in text.splitlines()) if len(fields) == 2}


def parse_known(text: str) -> list[str]:
    """Return the VERSION-RELEASE lines of repoquery, newest first (repoquery lists the oldest first)."""
    return list(
        dict.fromkeys(line.strip() for line in reversed(text.splitlines()) if re.match(r"^\d\S*$", line.strip()))
    )


class Dnf:
    """Packages in rpm's database and in dnf's repositories; dnf waits for other package managers by itself."""

    def __init__(self, system: System) -> None:
        self.system = system

    def installed(self, names: list[str]) -> dict[str, Installed]:
        """Return those of the packages that are installed."""
        if not names:
            return {}
        locked = parse_locks("\n".join(self.system.read(path) or "" for path in LOCK_FILES))
        result = self.system.run("rpm", "-q", "--qf", "%{NAME}\\t%{VERSION}-%{RELEASE}\\n", *names)
        return {name: Installed(version, name in locked, True) for name, version in parse_query(result.out).items()}

    def known(self, name: str) -> list[str]:
        """Return the versions in the repositories, newest first; dnf refreshes old lists by itself."""
        query = ("dnf", "-q", "repoquery", "--showduplicates", "--queryformat", "%{version}-%{release}\n", name)
        return parse_known(self.system.run(*query).out)

    def refresh(self, sources: list[str]) -> None:
        """Update the package lists.

        :raises HostError: a repository cannot be read.
        """
        remedy = f"Correct the URL or the network of the repositories in {', '.join(sources) or '/etc/yum.repos.d'}."
        self.system.must("dnf", "-q", "-y", "makecache", "--refresh", remedy=remedy)

    def repair(self) -> None:
        """Do nothing: an incomplete transaction is not in rpm's database."""

    def release(self, names: list[str]) -> list[str]:
        """Unlock the locked ones of these packages and return them: a lock hides all other versions, also from queries."""
        locked = [name for name, package in self.installed(names).items() if package.held]
        self.unhold(locked)
        return locked

    def install(self, versions: dict[str, str], download_only: bool = False) -> None:
        """Install exact versions, also lower ones, in one transaction that never removes another package.

        :param download_only: whether to stop after the dependencies are resolved and everything is downloaded.
        :raises HostError: dnf cannot install them.
        """
        wanted = [f"{name}-{version}" for name, version in versions.items()]
        options = ["-y", "-q", *(["--downloadonly"] if download_only else [])]
        result = self.system.run("dnf", *options, "install", *wanted)
        if result.code != 0 and self.installed(list(versions)):
            result = self.system.run("dnf", *options, "downgrade", *wanted)
        if result.code != 0:
            raise HostError(
                f"dnf could not install {', '.join(wanted)}. Evidence: {result.tail}."
                " Resolve what it reports first: conflicting packages (another container runtime, runc, podman), missing dependencies, or a full disk."
            )

    def remove(self, names: list[str]) -> None:
        """Remove packages."""
        self.system.must("dnf", "-y", "-q", "remove", *names)

    def hold(self, names: list[str]) -> None:
        """Lock packages at their installed version."""
        self._versionlock("add", names)

    def unhold(self, names: list[str]) -> None:
        """Unlock packages."""
        self._versionlock("delete", names)

    def _versionlock(self, verb: str, names: list[str]) -> None:
        if names:
            remedy = f"Install {PLUGIN}, which provides the command."
            self.system.must("dnf", "-q", "versionlock", verb, *names, remedy=remedy)
