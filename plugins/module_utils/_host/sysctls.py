# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Sysctls: set immediately, and not overridden by another file at the next boot (sysctl.d(5))."""

from __future__ import annotations

import fnmatch
import os

from .step import Step
from .system import HostError, System

FOLDERS = ("/etc/sysctl.d", "/run/sysctl.d", "/usr/local/lib/sysctl.d", "/usr/lib/sysctl.d", "/lib/sysctl.d")
"""Of files with the same name, the one in the first folder is used; all files are read in the order of their names."""

LAST = "/etc/sysctl.conf"


def proc_path(key: str) -> str:
    """Return the file of a parameter below /proc/sys; the first separator decides which one is used (sysctl.d(5))."""
    slash, dot = key.find("/"), key.find(".")
    if slash >= 0 and (dot < 0 or slash < dot):
        return "/proc/sys/" + key
    return "/proc/sys/" + key.replace("/", "\0").replace(".", "/").replace("\0", ".")


def normalize(value: object) -> str:
    """Return a value as text with single blanks."""
    return " ".join(str(value).split())


def parse_file(text: str) -> list[tuple[int, str, str]]:
    """Return (line number, key, value) of each assignment in a sysctl.d file, without a leading "-" (ignore errors)."""
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        line = line.strip()
        if not line or line[0] in "#;" or "=" not in line:
            continue
        key, value = line.split("=", 1)
        found.append((number, key.strip().lstrip("-").strip(), normalize(value)))
    return found


def render_file(values: dict[str, object], header: str = "") -> str:
    """Return the text of a sysctl.d file, with the keys in the given order."""
    return header + "".join(f"{key} = {normalize(value)}\n" for key, value in values.items())


def conflicts(values: dict[str, object], ours: str, others: list[tuple[str, str]]) -> list[str]:
    """Return the lines of later files that set another value, as "PATH line N sets KEY = VALUE".

    :param ours: path of the managed file.
    :param others: (path, text) of all files that are read at boot.
    """
    found = []
    for path, text in others:
        later = path == LAST or os.path.basename(path) > os.path.basename(ours)
        if not later or path == ours:
            continue
        for number, key, value in parse_file(text):
            for wanted, want in values.items():
                if fnmatch.fnmatch(proc_path(wanted), proc_path(key)) and value != normalize(want):
                    found.append(f"{path} line {number} sets {key} = {value}")
    return found


def boot_files(system: System) -> list[tuple[str, str]]:
    """Return (path, text) of every file that is read at boot, in order; ``sysctl --system`` reads /etc/sysctl.conf last."""
    by_name: dict[str, str] = {}
    for folder in FOLDERS:
        for name in system.names(folder):
            if name.endswith(".conf"):
                by_name.setdefault(name, f"{folder}/{name}")
    paths = [path for _name, path in sorted(by_name.items())]
    # Debian links it as 99-sysctl.conf; it is then read in the place of that name.
    linked = any(os.path.realpath(system.path(path)) == os.path.realpath(system.path(LAST)) for path in paths)
    if not linked:
        paths.append(LAST)
    return [(path, text) for path, text in ((path, system.read(path)) for path in paths) if text is not None]


def plan_sysctls(system: System, file: str, values: dict[str, object], modules_planned: bool) -> list[Step]:
    """Return the steps that set parameters immediately; the file itself is one of the layer's files.

    :param modules_planned: whether modules are about to be loaded, which may add parameters that do not exist yet.
    :raises HostError: another file would override a value at the next boot, or a value cannot be set.
    """
    if not values:
        return []
    overrides = conflicts(values, file, boot_files(system))
    if overrides:
        raise HostError(
            f"Kernel parameters of {file} would be overridden at the next boot. Evidence: {'; '.join(overrides)}."
            " Remove or correct that line; the files are read in the order of their names."
            " [slipway:kernel_parameter]"
        )
    steps = []
    for key, value in values.items():
        path, want = proc_path(key), normalize(value)
        text = system.read(path)
        have = None if text is None else normalize(text)
        if have == want:
            continue
        if have is None and not modules_planned:
            raise HostError(
                f"This kernel has no parameter {key}. Evidence: {path} does not exist. Load the module that provides it, or remove the parameter."
                " [slipway:kernel_parameter]"
            )
        if have is not None and not os.access(system.path(path), os.W_OK):
            raise HostError(
                f"Kernel parameter {key} is {have}, should be {want}, and is read-only here. Evidence: {path} cannot be written, as in a container."
                " Set it on the machine that runs this host, or start the container with a writable /proc/sys."
                " [slipway:kernel_parameter]"
            )

        def apply(key: str = key, path: str = path, want: str = want) -> None:
            try:
                with open(system.path(path), "w", encoding="utf-8") as handle:
                    handle.write(want + "\n")
            except OSError as error:
                raise HostError(
                    f"Kernel parameter {key} cannot be set to {want}: {error.strerror}. Evidence: {path}."
                    " [slipway:kernel_parameter]"
                ) from error

        before = "absent" if have is None else have
        steps.append(
            Step(f"sysctl {key}", f"sysctl {key} set to {want}", apply, before, want, [("sysctls", key, have)])
        )
    return steps
