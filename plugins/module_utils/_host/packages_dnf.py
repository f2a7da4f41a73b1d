# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Packages with rpm and dnf 4 or 5 (RHEL, its rebuilds, Fedora); dnf's versionlock holds their versions."""

from __future__ import annotations

import functools
import os
import re
import time

from .facts.packages import LOCK_FILES, entries_of, parse_locks
from .package_database import LOCK_SECONDS, Installed, wait_for_lock
from .rpm_versions import compare
from .system import HostError, Result, System

PLUGIN = "python3-dnf-plugin-versionlock"
OPTIONS = ("-y", "-q", "--setopt=timeout=30", "--setopt=retries=2")
# Repositories of others that cannot be reached do not stop a command.
TOLERANT = "--setopt=*.skip_if_unavailable=1"
RPM_LOCK = "/var/lib/rpm/.rpm.lock"
# What rpm itself shows of a package (rpm -qi).
SIGNATURE = "%|DSAHEADER?{%{DSAHEADER:pgpsig}}:{%|RSAHEADER?{%{RSAHEADER:pgpsig}}:{(none)}|}|"
# dnf 4 waits for the process whose number is in one of these files, without a limit.
PID_FILES = (
    "/var/cache/dnf/metadata_lock.pid",
    "/var/cache/dnf/download_lock.pid",
    "/var/lib/dnf/rpmdb_lock.pid",
)


def parse_query(text: str) -> dict[str, str]:
    """Return the versions in lines "NAME<tab>EPOCH:VERSION-RELEASE" of rpm; "package X is not installed" has no tab."""
    fields = (line.split("\t") for line in text.splitlines())
    return {words[0]: without_zero(words[1]) for words in fields if len(words) == 2}


def parse_signers(text: str) -> dict[str, set[str]]:
    """Return the installed packages that are signed with each key that rpm trusts, by the name of the key's package.

    :param text: lines "NAME<tab>VERSION-RELEASE<tab>SIGNATURE"; the version of a key is the end of its ID, with which a signature ends.
    """
    rows = [fields for fields in (line.split("\t") for line in text.splitlines()) if len(fields) == 3]
    return {
        f"{key}-{version}": {
            name for name, _version, signature in rows if signature.endswith(version.split("-")[0][-8:])
        }
        for key, version, _none in rows
        if key == "gpg-pubkey"
    }


def parse_known(text: str) -> list[str]:
    """Return the lines EPOCH:VERSION-RELEASE of repoquery as versions, newest first; repoquery sorts them as texts."""
    found = {without_zero(line.strip()) for line in text.splitlines() if re.match(r"^\s*\d\S*\s*$", line)}
    return sorted(found, key=functools.cmp_to_key(compare), reverse=True)


def without_zero(version: str) -> str:
    """Return a version without the epoch 0."""
    return version[2:] if version.startswith("0:") else version


class Dnf:
    """Packages in rpm's database and in dnf's repositories."""

    def __init__(self, system: System) -> None:
        self.system = system

    def installed(self, names: list[str]) -> dict[str, Installed]:
        """Return those of the packages that are installed."""
        if not names:
            return {}
        locks = self._locks()
        result = self.system.run("rpm", "-q", "--qf", "%{NAME}\\t%{EPOCHNUM}:%{VERSION}-%{RELEASE}\\n", *names)
        return {
            name: Installed(version, entries_of(name, locks) is not None, True)
            for name, version in parse_query(result.out).items()
        }

    def known(self, name: str, sources: list[str]) -> list[str]:
        """Return the versions in the repositories, newest first: those in ``sources``, or if there are none, in all of them.

        dnf refreshes old lists by itself.
        """
        query = ("repoquery", "--showduplicates", "--queryformat", "%{epoch}:%{version}-%{release}\n", name)
        only = self._only(sources)
        return (parse_known(self._run(*only, *query).out) if only else []) or parse_known(self._run(*query).out)

    def refresh(self, sources: list[str]) -> None:
        """Update the package lists of the repositories in these files only, or of all where none are given.

        :raises HostError: a repository cannot be read.
        """
        remedy = f"Correct the URL or the network of the repositories in {', '.join(sources) or '/etc/yum.repos.d'}."
        wait_for_others(self.system)
        self.system.must("dnf", *OPTIONS, *self._only(sources), "makecache", "--refresh", remedy=remedy)

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
        options = ["--downloadonly"] if download_only else []
        result = self._run(*options, "install", *wanted)
        if result.code != 0 and self.installed(list(versions)):
            result = self._run(*options, "downgrade", *wanted)
        if result.code != 0:
            raise HostError(
                f"dnf could not install {', '.join(wanted)}. Evidence: {result.tail}."
                " Resolve what it reports first: conflicting packages (another container runtime, runc, podman), missing dependencies, or a full disk."
                " [slipway:package_failed]"
            )

    def remove(self, names: list[str]) -> None:
        """Remove packages."""
        wait_for_others(self.system)
        self.system.must("dnf", *OPTIONS, TOLERANT, "remove", *names)

    def signers(self) -> dict[str, set[str]]:
        """Return the installed packages by the key that signed them, see :func:`parse_signers`."""
        return parse_signers(
            self.system.run("rpm", "-qa", "--qf", "%{NAME}\\t%{VERSION}-%{RELEASE}\\t" + SIGNATURE + "\\n").out
        )

    def hold(self, names: list[str]) -> None:
        """Lock packages at their installed version."""
        self._versionlock("add", names)

    def unhold(self, names: list[str]) -> None:
        """Unlock packages; dnf finds an entry that it did not write itself only by the whole text of it."""
        locks = self._locks()
        entries = [entry for name in names for entry in entries_of(name, locks) or []]
        self._versionlock("delete", list(dict.fromkeys([*names, *entries])))

    def _locks(self) -> dict[str, list[str]]:
        return parse_locks("\n".join(self.system.read(path) or "" for path in LOCK_FILES))

    def _only(self, sources: list[str]) -> list[str]:
        """Return the options that restrict dnf to the repositories in these files; none where they have none."""
        texts = [self.system.read(path) or "" for path in sources]
        names = [name for text in texts for name in re.findall(r"^\[([^\]]+)\]", text, re.M)]
        return ["--disablerepo=*", *(f"--enablerepo={name}" for name in names)] if names else []

    def _run(self, *arguments: str) -> Result:
        wait_for_others(self.system)
        return self.system.run("dnf", *OPTIONS, TOLERANT, *arguments)

    def _versionlock(self, verb: str, names: list[str]) -> None:
        if names:
            wait_for_others(self.system)
            remedy = f"Install {PLUGIN}, which provides the command."
            self.system.must("dnf", *OPTIONS, TOLERANT, "versionlock", verb, *names, remedy=remedy)


def wait_for_others(system: System) -> None:
    """Wait for other package managers, which dnf would do without a limit.

    :raises HostError: one is still active after LOCK_SECONDS.
    """
    end = time.monotonic() + LOCK_SECONDS
    wait_for_lock(system.path(RPM_LOCK))
    for path in PID_FILES:
        while True:
            process = (system.read(path) or "").strip()
            if not process.isdigit() or not os.path.exists(system.path(f"/proc/{process}")):
                break
            if time.monotonic() > end:
                raise HostError(
                    f"Another package manager has been active on this host for {LOCK_SECONDS} seconds. Evidence: {path} is that of"
                    f" process {process}. Wait for it (dnf-automatic, for example) or stop it, then run the playbook again. [slipway:package_manager_busy]"
                )
            time.sleep(1)
