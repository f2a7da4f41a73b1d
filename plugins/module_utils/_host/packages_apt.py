# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Packages with dpkg and apt (Debian, Ubuntu)."""

from __future__ import annotations

import fcntl
import os
import time
from dataclasses import dataclass

from .system import HostError, System

LOCK_SECONDS = 600
# Ours is the configuration that stays; nothing may ask, and nothing else may be restarted behind our back.
ENVIRONMENT = {"DEBIAN_FRONTEND": "noninteractive", "NEEDRESTART_MODE": "l", "APT_LISTCHANGES_FRONTEND": "none"}
OPTIONS = (
    f"-oDPkg::Lock::Timeout={LOCK_SECONDS}",
    "-oDpkg::Options::=--force-confdef",
    "-oDpkg::Options::=--force-confold",
    "-oAcquire::Retries=2",
)
DPKG_LOCK = "/var/lib/dpkg/lock-frontend"
LISTS_LOCK = "/var/lib/apt/lists/lock"


@dataclass
class Installed:
    """A package in the local database: ``whole`` is False for one that was unpacked or configured in part."""

    version: str
    held: bool
    whole: bool


def parse_query(text: str) -> dict[str, Installed]:
    """The lines "NAME<tab>VERSION<tab>Status-Abbrev" of dpkg-query; what is not installed or only left its configuration is left out.

    The abbreviation has the wanted state (h = hold), the present one (i = installed; U, F, H, W, t = in between) and an error.
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
    """Versions in ``apt-cache madison``'s lines "NAME | VERSION | SOURCE", newest first as apt lists them; source packages left out."""
    found = []
    for line in text.splitlines():
        fields = [field.strip() for field in line.split("|")]
        if len(fields) == 3 and not fields[2].endswith("Sources") and fields[1] not in found:
            found.append(fields[1])
    return found


class Apt:
    """dpkg's database, apt's repositories."""

    def __init__(self, system: System) -> None:
        self.system = system

    def installed(self, names: list[str]) -> dict[str, Installed]:
        """What the database has of these packages. dpkg-query's exit code 1 only says that some are unknown."""
        if not names:
            return {}
        result = self.system.run(
            "dpkg-query", "--show", "--showformat=${Package}\\t${Version}\\t${db:Status-Abbrev}\\n", *names
        )
        return parse_query(result.out)

    def known(self, name: str) -> list[str]:
        """Versions that the lists on the host know, newest first."""
        return parse_madison(self.system.run("apt-cache", "madison", name).out)

    def refresh(self, sources: list[str]) -> None:
        """Fetch the lists of these source files only; of all where there are none.

        Raises HostError where a repository cannot be read or its signature is wrong.
        """
        wait_for_lock(self.system.path(LISTS_LOCK))
        for path in sources or [""]:
            only = (
                [
                    f"-oDir::Etc::SourceList={self.system.path(path)}",
                    "-oDir::Etc::SourceParts=-",
                    "-oAPT::Get::List-Cleanup=0",
                ]
                if path
                else []
            )
            result = self.system.run(
                "apt-get", "update", "-qq", "-oAPT::Update::Error-Mode=any", *OPTIONS, *only, env=ENVIRONMENT
            )
            if result.code != 0:
                raise HostError(
                    f"The package repository of {path or 'this host'} cannot be used. Evidence: {result.tail}."
                    " If it cannot be reached, correct its URL or the network; if its signature is not accepted, correct key_url, or delete the key file"
                    " in /etc/apt/keyrings so that the next run fetches it anew."
                )

    def repair(self) -> None:
        """Finish what an interrupted dpkg left, once nobody else works on the database."""
        wait_for_lock(self.system.path(DPKG_LOCK))
        updates = self.system.path("/var/lib/dpkg/updates")
        pending = os.path.isdir(updates) and any(name.isdigit() for name in os.listdir(updates))
        if pending or self.system.run("dpkg", "--audit").out.strip():
            self.system.run("dpkg", "--configure", "-a", "--force-confdef", "--force-confold", env=ENVIRONMENT)

    def release(self, names: list[str]) -> list[str]:
        """Nothing to do: apt changes held packages when it is told to, and they stay held."""
        return []

    def install(self, versions: dict[str, str]) -> None:
        """Install exact versions in one transaction; never removes another package for it."""
        wanted = [f"{name}={version}" for name, version in versions.items()]
        command = ["apt-get", "install", "-y", "-qq", "--no-remove"]
        command += ["--allow-downgrades", "--allow-change-held-packages", *OPTIONS]
        result = self.system.run(*command, *wanted, env=ENVIRONMENT)
        if result.code == 0:
            return
        # Stale or absent lists of the system's own repositories look like missing dependencies or files; what is only recommended
        # (kubelet: conntrack, socat) may be out of reach in a closed network.
        self.system.run("apt-get", "update", "-qq", *OPTIONS, env=ENVIRONMENT)
        again = self.system.run(*command, "--no-install-recommends", "--fix-broken", *wanted, env=ENVIRONMENT)
        if again.code != 0:
            raise HostError(
                f"apt could not install {', '.join(wanted)}. Evidence: {again.tail}."
                " What it names has to be cleared first: packages that would have to be removed (another container runtime),"
                " dependencies that no repository of this host has, or a full disk."
            )

    def remove(self, names: list[str]) -> None:
        """Remove packages with their configuration."""
        self.system.must(
            "apt-get", "purge", "-y", "-qq", "--allow-change-held-packages", *OPTIONS, *names, env=ENVIRONMENT
        )

    def hold(self, names: list[str]) -> None:
        """Keep packages at their version whatever upgrades the host."""
        if names:
            wait_for_lock(self.system.path(DPKG_LOCK))
            self.system.must("apt-mark", "hold", *names)

    def unhold(self, names: list[str]) -> None:
        """Let packages be upgraded again."""
        wait_for_lock(self.system.path(DPKG_LOCK))
        self.system.must("apt-mark", "unhold", *names)


def wait_for_lock(path: str, seconds: float = LOCK_SECONDS) -> None:
    """Wait until no other package manager works; dpkg itself and apt's lists do not wait.

    Raises HostError after ``seconds``.
    """
    if not os.path.exists(path):
        return
    end = time.monotonic() + seconds
    with open(path, "r+b") as handle:
        while True:
            try:
                fcntl.lockf(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except OSError:
                if time.monotonic() > end:
                    raise HostError(
                        f"Another package manager has been at work on this host for {seconds:.0f} seconds. Evidence: {path} is locked."
                        " Wait for it (unattended-upgrades, apt-daily) or end it, then run again."
                    ) from None
                time.sleep(1)
