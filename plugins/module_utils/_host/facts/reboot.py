# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether updates of a host require a reboot: the word of Ubuntu and of Debian's unattended-upgrades, or what was installed since the boot."""

from __future__ import annotations

import os
import platform
import re

from .files import Files, run

REQUIRED = "/run/reboot-required"
# With a newer one of these, dnf's needs-restarting asks for a reboot (dnf-plugins-core, plugins/needs_restarting.py).
CORE = (
    "kernel",
    "kernel-core",
    "kernel-rt",
    "glibc",
    "linux-firmware",
    "systemd",
    "dbus",
    "dbus-broker",
    "dbus-daemon",
    "microcode_ctl",
)


def installed_since(boot: int, text: str) -> list[str]:
    """Return the packages that were installed after the boot.

    :param boot: seconds since 1970.
    :param text: lines "SECONDS NAME" of rpm; "package X is not installed" has more words.
    """
    rows = [line.split() for line in text.splitlines()]
    return sorted({row[1] for row in rows if len(row) == 2 and row[0].isdigit() and int(row[0]) > boot})


def kernels_since(boot: int, files: Files, running: str) -> list[str]:
    """Return the kernels in /boot that were unpacked after the boot.

    :param boot: seconds since 1970.
    :param running: release of the running kernel.
    """
    found = []
    for name in files.names("/boot"):
        release = name.partition("vmlinuz-")[2]
        if release and release != running and os.stat(files.path(f"/boot/{name}")).st_ctime > boot:
            found.append(f"kernel {release}")
    return found


def gather_reboot(files: Files) -> list[str]:
    """Return the key ``reboot_required`` of host_info: the evidence, empty if no reboot is required."""
    if files.exists(REQUIRED):
        names = sorted(set(files.read(REQUIRED + ".pkgs").split()))
        return [f"{REQUIRED} exists{', because of ' if names else ''}{', '.join(names)}"]
    boot = re.search(r"^btime (\d+)$", files.read("/proc/stat"), re.M)
    if not boot:
        return []
    if files.exists("/var/lib/dpkg/status"):
        names = kernels_since(int(boot[1]), files, platform.release())
    else:
        names = installed_since(int(boot[1]), run(["rpm", "-q", "--queryformat", "%{INSTALLTIME} %{NAME}\\n", *CORE]))
    return [f"installed since the boot: {', '.join(names)}"] if names else []
