# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kernel modules: loaded now and at every boot; a module that is built into the kernel counts as loaded.

https://kubernetes.io/docs/setup/production-environment/container-runtimes/ and modules-load.d(5).
"""

from __future__ import annotations

from functools import partial
from typing import Any

from .facts.files import Files
from .facts.kernel import gather_kernel
from .step import Step
from .system import HostError, System


def normalize(name: str) -> str:
    """Return the name of a module as the kernel writes it, with underscores."""
    return name.strip().replace("-", "_")


def module_state(name: str, kernel: dict[str, Any], in_sys: bool) -> str:
    """Return "loaded" (or built in), "to load" or "missing" for a module.

    A module whose option is off in the kernel's configuration is missing; without any evidence, loading it is tried.

    :param kernel: result of :func:`gather_kernel`.
    :param in_sys: whether /sys/module lists it: it is loaded, or built in and has parameters.
    """
    if name in kernel["modules_loaded"] or name in kernel["modules_builtin"] or in_sys:
        return "loaded"
    return "missing" if kernel["features"].get(name) is False else "to load"


def plan_modules(system: System, names: list[str]) -> list[Step]:
    """Return the steps that load modules.

    :raises HostError: the kernel has one of them neither built in nor as a loadable module.
    """
    if not names:
        return []
    kernel = gather_kernel(Files(system.root))
    steps = []
    for name in dict.fromkeys(normalize(name) for name in names):
        state = module_state(name, kernel, system.exists(f"/sys/module/{name}"))
        trial = system.run("modprobe", "--dry-run", "--quiet", name) if state == "to load" else None
        if state == "missing" or (trial and trial.code != 0):
            raise HostError(_missing(name, kernel, trial.tail if trial else "") + " [slipway:kernel]")
        if state == "to load":
            remedy = f"Find the reason with 'dmesg' on the host, or remove {name} from the list."
            steps.append(
                Step(
                    f"kernel module {name}",
                    f"kernel module {name} loaded",
                    partial(system.must, "modprobe", name, remedy=remedy),
                    before="not loaded",
                    after="loaded",
                    remember=[("modules", name, False)],
                )
            )
    return steps


def _missing(name: str, kernel: dict[str, Any], output: str) -> str:
    loading = "modules can be loaded" if kernel["modules_loadable"] else "modules cannot be loaded here"
    return (
        f"The kernel of this host has no module {name}: it is not loaded, not built in and not available as a file."
        f" Evidence: kernel {kernel['release']}, {loading}; modprobe: {output or 'found none'}."
        " Install the package with the additional kernel modules (linux-modules-extra-…, kernel-modules-extra), boot a kernel that has it,"
        " or choose settings that do not need it (kube_proxy_mode for ip_vs, nf_tables and ip_tables)."
    )
