# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Kernel parameters: live, and not undone by another file at the next boot (sysctl.d(5))."""

from __future__ import annotations

import fnmatch
import os

from .step import Step
from .system import HostError, System

# Of two files with one name the first folder's counts; all names are then read in their order.
FOLDERS = ("/etc/sysctl.d", "/run/sysctl.d", "/usr/local/lib/sysctl.d", "/usr/lib/sysctl.d", "/lib/sysctl.d")
LAST = "/etc/sysctl.conf"


def proc_path(key: str) -> str:
    """The file of a parameter below /proc/sys; the first separator decides which one is used (sysctl.d(5))."""
    slash, dot = key.find("/"), key.find(".")
    if slash >= 0 and (dot < 0 or slash < dot):
        return "/proc/sys/" + key
    return "/proc/sys/" + key.replace("/", "\0").replace(".", "/").replace("\0", ".")


def normal(value: object) -> str:
    """A value with its blanks made single, as text."""
    return " ".join(str(value).split())


def parse_file(text: str) -> list[tuple[int, str, str]]:
    """(line number, key, value) of each assignment in a sysctl.d file; a leading "-" (ignore errors) is dropped."""
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        line = line.strip()
        if not line or line[0] in "#;" or "=" not in line:
            continue
        key, value = line.split("=", 1)
        found.append((number, key.strip().lstrip("-").strip(), normal(value)))
    return found


def render_file(values: dict[str, object], header: str = "") -> str:
    """The text of a sysctl.d file, keys in their given order."""
    return header + "".join(f"{key} = {normal(value)}\n" for key, value in values.items())


def conflicts(values: dict[str, object], ours: str, others: list[tuple[str, str]]) -> list[str]:
    """Lines of files that are read after ours and set another value, as "PATH line N sets KEY = VALUE".

    ``ours`` is the path of our file, ``others`` are (path, text) of all that are read at boot.
    """
    found = []
    for path, text in others:
        later = path == LAST or os.path.basename(path) > os.path.basename(ours)
        if not later or path == ours:
            continue
        for number, key, value in parse_file(text):
            for wanted, want in values.items():
                if fnmatch.fnmatch(proc_path(wanted), proc_path(key)) and value != normal(want):
                    found.append(f"{path} line {number} sets {key} = {value}")
    return found


def boot_files(system: System) -> list[tuple[str, str]]:
    """(path, text) of every file of parameters that is read at boot, in that order; /etc/sysctl.conf, read last by ``sysctl --system``, at the end."""
    by_name: dict[str, str] = {}
    for folder in FOLDERS:
        if os.path.isdir(system.path(folder)):
            for name in os.listdir(system.path(folder)):
                if name.endswith(".conf"):
                    by_name.setdefault(name, f"{folder}/{name}")
    paths = [path for _name, path in sorted(by_name.items())]
    # Debian links it as 99-sysctl.conf: then it has its place in the order and is no later than that.
    linked = any(os.path.realpath(system.path(path)) == os.path.realpath(system.path(LAST)) for path in paths)
    if not linked:
        paths.append(LAST)
    return [(path, text) for path, text in ((path, system.read(path)) for path in paths) if text is not None]


def plan_sysctls(system: System, file: str, values: dict[str, object], modules_coming: bool) -> list[Step]:
    """The steps that set parameters live; the file itself is one of the layer's files.

    ``modules_coming``: modules are about to be loaded, which may bring parameters that are not there yet.
    Raises HostError where another file undoes a value at the next boot, or where a value cannot be set.
    """
    undone = conflicts(values, file, boot_files(system))
    if undone:
        raise HostError(
            f"Kernel parameters of {file} would be undone at the next boot. Evidence: {'; '.join(undone)}."
            " Remove or correct that line; files are read in the order of their names."
        )
    steps = []
    for key, value in values.items():
        path, want = proc_path(key), normal(value)
        have = system.read(path)
        if have is None and not modules_coming:
            raise HostError(
                f"This kernel has no parameter {key}. Evidence: there is no {path}. Load the module that brings it, or leave the parameter out."
            )
        if have is not None and normal(have) == want:
            continue
        if have is not None and not os.access(system.path(path), os.W_OK):
            raise HostError(
                f"Kernel parameter {key} is {normal(have)}, should be {want}, and is read-only here. Evidence: {path} cannot be written, as in a container."
                " Set it on the machine that runs this host, or start the container with a writable /proc/sys."
            )

        def apply(key: str = key, path: str = path, want: str = want) -> None:
            try:
                with open(system.path(path), "w", encoding="utf-8") as handle:
                    handle.write(want + "\n")
            except OSError as error:
                raise HostError(
                    f"Kernel parameter {key} cannot be set to {want}: {error.strerror}. Evidence: {path}."
                ) from error

        steps.append(
            Step(
                subject=f"sysctl {key}",
                sentence=f"sysctl {key} set to {want}",
                before="absent" if have is None else normal(have),
                after=want,
                apply=apply,
                remember=[("sysctls", key, None if have is None else normal(have))],
            )
        )
    return steps
