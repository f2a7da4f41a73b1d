# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Packages with dpkg and apt (Debian, Ubuntu)."""

from __future__ import annotations

import os
import re

from .package_database import LOCK_SECONDS, Installed, wait_for_lock
from .system import HostError, System

# Keep the existing configuration files, never prompt, and do not restart other services.
ENVIRONMENT = {"DEBIAN_FRONTEND": "noninteractive", "NEEDRESTART_MODE": "l", "APT_LISTCHANGES_FRONTEND": "none"}
OPTIONS = (
    f"-oDPkg::Lock::Timeout={LOCK_SECONDS}",
    "-oDpkg::Options::=--force-confdef",
    "-oDpkg::Options::=--force-confold",
    "-oAcquire::Retries=2",
)
DPKG_LOCK = "/var/lib/dpkg/lock-frontend"
LISTS_LOCK = "/var/lib/apt/lists/lock"


# What apt says with gpgv and, from Debian 13 on, with sqv.
SIGNATURE = r"NO_PUBKEY|\w+KEYSIG|BADSIG|is not signed|could ?n.t be verified|/sqv|/gpgv"


class InvalidSignature(HostError):
    """The keys on this host do not verify a package repository."""


def parse_query(text: str) -> dict[str, Installed]:
    """Return the installed packages in lines "NAME<tab>VERSION<tab>Status-Abbrev" of dpkg-query.

    The abbreviation holds the desired state (h = hold), the current one (i = installed; n = not installed; c = only configuration files;
    U, F, H, W, t = incomplete) and an error flag.
    """
    found = {}
    for line in text.splitlines():
        fields = line.split("\t")
        if len(fields) != 3 or len(fields[2]) < 2 or fields[2][1] in "nc":
            continue
        wanted, present, error = fields[2][0], fields[2][1], fields[2][2:3].strip()
        found[fields[0]] = Installed(fields[1], wanted == "h", present == "i" and not error)
    return found


def parse_madison(text: str) -> list[str]:
    """Return the versions in lines "NAME | VERSION | SOURCE" of ``apt-cache madison``, newest first; source packages are skipped."""
    found = []
    for line in text.splitlines():
        fields = [field.strip() for field in line.split("|")]
        if len(fields) == 3 and not fields[2].endswith("Sources") and fields[1] not in found:
            found.append(fields[1])
    return found


class Apt:
    """Packages in dpkg's database and in apt's repositories."""

    def __init__(self, system: System) -> None:
        self.system = system
        self.reduced = False  # whether only installing without recommended packages has worked

    def installed(self, names: list[str]) -> dict[str, Installed]:
        """Return those of the packages that are installed; dpkg-query exits with 1 where some are not."""
        if not names:
            return {}
        result = self.system.run(
            "dpkg-query", "--show", "--showformat=${Package}\\t${Version}\\t${db:Status-Abbrev}\\n", *names
        )
        return parse_query(result.out)

    def known(self, name: str, sources: list[str]) -> list[str]:
        """Return the versions in the package lists on the host, newest first; they are read from all ``sources``."""
        return parse_madison(self.system.run("apt-cache", "madison", name).out)

    def refresh(self, sources: list[str]) -> None:
        """Update the package lists of these source files only, or of all where none are given.

        :raises InvalidSignature: the keys on the host do not verify a repository.
        :raises HostError: a repository cannot be read.
        """
        wait_for_lock(self.system.path(LISTS_LOCK))
        for path in sources or [""]:
            only = [f"-oDir::Etc::SourceList={self.system.path(path)}", "-oDir::Etc::SourceParts=-"]
            only += ["-oAPT::Get::List-Cleanup=0"]
            command = ["apt-get", "update", "-qq", "-oAPT::Update::Error-Mode=any", *OPTIONS, *(only if path else [])]
            result = self.system.run(*command, env=ENVIRONMENT)
            if result.code != 0:
                kind = InvalidSignature if re.search(SIGNATURE, f"{result.out}\n{result.err}", re.I) else HostError
                raise kind(
                    f"The package repository of {path or 'this host'} cannot be used. Evidence: {result.tail}."
                    " If it cannot be reached, correct its URL or the network; if its signature is not accepted, correct key_url. A key that"
                    " slipway.kube downloaded has been compared with that of its URL."
                    " [slipway:repository]"
                )

    def repair(self) -> None:
        """Complete an interrupted run of dpkg, after waiting for other package managers."""
        wait_for_lock(self.system.path(DPKG_LOCK))
        updates = self.system.path("/var/lib/dpkg/updates")
        pending = os.path.isdir(updates) and any(name.isdigit() for name in os.listdir(updates))
        if pending or self.system.run("dpkg", "--audit").out.strip():
            self.system.run("dpkg", "--configure", "-a", "--force-confdef", "--force-confold", env=ENVIRONMENT)

    def release(self, names: list[str]) -> list[str]:
        """Do nothing: apt can change held packages, and they stay held."""
        return []

    def install(self, versions: dict[str, str], download_only: bool = False) -> None:
        """Install exact versions in one transaction that never removes another package.

        :param download_only: whether to stop after the dependencies are resolved and everything is downloaded.
        :raises HostError: apt cannot install them.
        """
        wanted = [f"{name}={version}" for name, version in versions.items()]
        command = ["apt-get", "install", "-y", "-qq", "--no-remove", *(["--download-only"] if download_only else [])]
        command += ["--allow-downgrades", "--allow-change-held-packages", *OPTIONS]
        if not self.reduced:
            if self.system.run(*command, *wanted, env=ENVIRONMENT).code == 0:
                return
            # Stale or missing lists of the system's repositories look like missing dependencies or files, and recommended packages
            # (kubelet: conntrack, socat) may be unavailable in a closed network.
            self.system.run("apt-get", "update", "-qq", *OPTIONS, env=ENVIRONMENT)
        result = self.system.run(*command, "--no-install-recommends", "--fix-broken", *wanted, env=ENVIRONMENT)
        self.reduced = result.code == 0
        if result.code != 0:
            raise HostError(
                f"apt could not install {', '.join(wanted)}. Evidence: {result.tail}."
                " Resolve what it reports first: packages that would have to be removed (another container runtime),"
                " dependencies that no repository of this host has, or a full disk. [slipway:package_failed]"
            )

    def remove(self, names: list[str]) -> None:
        """Remove packages together with their configuration files."""
        self.system.must(
            "apt-get", "purge", "-y", "-qq", "--allow-change-held-packages", *OPTIONS, *names, env=ENVIRONMENT
        )

    def hold(self, names: list[str]) -> None:
        """Hold packages at their installed version."""
        if names:
            wait_for_lock(self.system.path(DPKG_LOCK))
            self.system.must("apt-mark", "hold", *names)

    def unhold(self, names: list[str]) -> None:
        """Remove the hold of packages."""
        wait_for_lock(self.system.path(DPKG_LOCK))
        self.system.must("apt-mark", "unhold", *names)
