# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Kernel modules: loaded now and at every boot; what is built into the kernel counts as loaded.

https://kubernetes.io/docs/setup/production-environment/container-runtimes/ and modules-load.d(5).
"""

from __future__ import annotations

import os
from typing import Any

from .facts.kernel import look_at_kernel
from .facts.system import Files
from .step import Step
from .system import HostError, System


def normal(name: str) -> str:
    """A module's name as the kernel writes it: with underscores."""
    return name.strip().replace("-", "_")


def decide(name: str, kernel: dict[str, Any], in_sys: bool) -> str:
    """Whether a module is "there" (loaded, or built in), is "to load", or is "missing".

    ``kernel`` is look_at_kernel()'s answer, ``in_sys`` whether /sys/module has it (loaded, or built in with parameters).
    A feature of which the kernel's configuration says that it is off is missing; anything that nothing tells about is tried.
    """
    if name in kernel["modules_loaded"] or name in kernel["modules_builtin"] or in_sys:
        return "there"
    return "missing" if kernel["features"].get(name) is False else "to load"


def plan_modules(system: System, names: list[str]) -> list[Step]:
    """The steps that load modules.

    Raises HostError, before any is loaded, where the kernel has one neither built in nor to load.
    """
    kernel = look_at_kernel(Files(system.root))
    steps = []
    for name in dict.fromkeys(normal(name) for name in names):
        status = decide(name, kernel, os.path.isdir(system.path(f"/sys/module/{name}")))
        trial = system.run("modprobe", "--dry-run", "--quiet", name) if status == "to load" else None
        if status == "missing" or (trial and trial.code != 0):
            raise HostError(_missing(name, kernel, trial.tail if trial else ""))
        if status == "to load":

            def apply(name: str = name) -> None:
                system.must("modprobe", name, remedy=f"Find out why with 'dmesg' on the host, or leave {name} out.")

            steps.append(
                Step(
                    subject=f"kernel module {name}",
                    sentence=f"kernel module {name} loaded",
                    before="not loaded",
                    after="loaded",
                    apply=apply,
                    remember=[("modules", name, False)],
                )
            )
    return steps


def _missing(name: str, kernel: dict[str, Any], told: str) -> str:
    loading = "modules can be loaded" if kernel["modules_loadable"] else "modules cannot be loaded here"
    return (
        f"The kernel of this host has no module {name}: it is neither loaded nor built in, and there is none to load."
        f" Evidence: kernel {kernel['release']}, {loading}; modprobe: {told or 'found none'}."
        " Install the package with the rest of the kernel's modules (linux-modules-extra-…, kernel-modules-extra), boot a kernel that has it,"
        " or choose settings that do without (kube_proxy_mode for ip_vs, nf_tables and ip_tables)."
    )
