# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run requires of this machine: programs, disk space, a connection. Checked before any step is started."""

from __future__ import annotations

import os
import platform
import shutil
import urllib.error
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from .fetch import Source
from .names import BundleError
from .staleness import BuildStep
from .upstream import MACHINES

MB = 1_000_000
# Debian packages by the program that they provide
PROGRAMS = {
    "apt-ftparchive": "apt-utils",
    "createrepo_c": "createrepo-c",
    "gpg": "gnupg",
    "gpgconf": "gnupg",
    "gpgv": "gpgv",
    "skopeo": "skopeo",
    "tar": "tar",
    "zstd": "zstd",
}
# Programs that a kind of step calls
BY_KIND = {
    "copy_image": ("skopeo",),
    "fetch_package": ("gpg", "gpgv"),
    "repositories": ("apt-ftparchive", "gpg", "gpgconf"),
}
# Megabytes that a kind of step writes to the bundle and to the work folder
ROOM = {"copy_image": (120, 400), "fetch_package": (40, 0), "fetch_program": (60, 60), "repositories": (1, 5)}


@dataclass
class Missing:
    """What this machine lacks."""

    packages: list[str] = field(default_factory=list)  # names of Debian packages
    problems: list[str] = field(default_factory=list)  # one sentence each, including the remedy

    def require(self, package: str, what: str) -> None:
        """Note a missing Debian package."""
        if package not in self.packages:
            self.packages.append(package)
            self.problems.append(f"{what}: apt-get install {package}.")


def architecture() -> str:
    """Return the architecture of this machine, as Go names it.

    :raises BundleError: it is none of a supported host.
    """
    machine = platform.machine()
    for name, known in MACHINES.items():
        if machine == known:
            return name
    raise BundleError(
        f"The architecture of this machine is {machine}: name that of the hosts, {' or '.join(MACHINES)}. [slipway:bundle_variables]"
    )


def programs_for(steps: Iterable[BuildStep]) -> list[str]:
    """Return the programs that *steps* call. Pure."""
    found: set[str] = set()
    for step in steps:
        found.update(BY_KIND.get(step.kind, ()))
        if step.kind == "repositories" and any(name.startswith("rpm/") for name in step.inputs["repositories"]):
            found.add("createrepo_c")
    return sorted(found)


def room_for(steps: Iterable[BuildStep]) -> tuple[int, int]:
    """Return the megabytes that *steps* require in the bundle and in the work folder. Pure."""
    rooms = [ROOM.get(step.kind, (0, 0)) for step in steps]
    return sum(room[0] for room in rooms), max((room[1] for room in rooms), default=0)


def check(steps: Sequence[BuildStep], root: Path, source: Source) -> Missing:
    """Check everything that *steps* require. Changes nothing."""
    missing = Missing()
    check_programs(programs_for(steps), PROGRAMS, missing)
    check_files(steps, "bundle_prune: true", missing)
    check_room({root.parent: ("the bundle", sum(room_for(steps)))}, missing)
    if source.ca and not Path(source.ca).is_file():
        missing.problems.append(f"The CA file {source.ca} does not exist. Correct bundle_ca.")
    if not missing.problems and check_connection(steps, source, missing):
        missing.problems += source.unavailable(list(steps))
    return missing


def check_programs(programs: Iterable[str], packages: Mapping[str, str], missing: Missing) -> None:
    """Check that *programs* are installed."""
    for program in programs:
        if not shutil.which(program):
            missing.require(packages[program], f"{program} is not installed")


def check_files(steps: Iterable[BuildStep], prune: str, missing: Missing) -> None:
    """Check that the files that the user supplied still exist.

    :param prune: the setting that removes such a part instead.
    """
    for step in steps:
        if step.hints.get("file") and not Path(step.hints["file"]).exists():
            missing.problems.append(
                f"{step.inputs.get('target', step.inputs.get('name'))} must be copied again from {step.hints['file']}, which no longer exists. "
                f"Restore the file, or remove the item with {prune}."
            )


def check_connection(steps: Iterable[BuildStep], source: Source, missing: Missing) -> bool:
    """Check that every server from which *steps* fetch can be reached; any HTTP status counts."""
    addresses = []
    for step in steps:
        if step.kind == "fetch_package":
            addresses.append(step.inputs["source"]["base"])
        elif "url" in step.inputs:
            addresses.append(step.inputs["url"])
        elif str(step.hints.get("source", "")).startswith("docker://"):
            addresses.append(f"https://{step.hints['source'].removeprefix('docker://')}")
    failed = []
    for address in dict.fromkeys("/".join(address.split("/")[:3]) + "/" for address in addresses):
        try:
            with source.open(address, timeout=10):
                pass
        except urllib.error.HTTPError:
            pass
        except (OSError, ValueError) as error:
            failed.append(f"{address} cannot be reached ({getattr(error, 'reason', error)})")
    if failed:
        remedy = "Check the connection, set https_proxy, bundle_upstream or bundle_registries, or unpack a bundle that was built elsewhere."
        missing.problems.append(f"{', '.join(failed)}. {remedy}")
    return not failed


def check_room(wanted: Mapping[Path, tuple[str, int]], missing: Missing) -> None:
    """Check the free space of every file system, for the sum of what is required on it.

    :param wanted: what a folder is for, and the megabytes that are required there.
    """
    by_device: dict[int, tuple[int, list[str], Path]] = {}
    for folder, (what, needed) in wanted.items():
        there = next(path for path in [folder, *folder.parents] if path.exists())
        device = os.stat(there).st_dev
        amount, names, _path = by_device.get(device, (0, [], there))
        by_device[device] = (amount + needed, [*names, f"{what} {needed} MB"], there)
    for amount, names, path in by_device.values():
        free = shutil.disk_usage(path).free // MB
        if free < amount:
            missing.problems.append(
                f"The disk that holds {path} has {free} MB free, but {amount} MB are required there ({', '.join(names)}). "
                "Free some space, or set SLIPWAY_CACHE to a folder on another disk."
            )
