# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run mmdebstrap for a lab's image or disk, one build of a cache at a time."""

from __future__ import annotations

import fcntl
import os

from . import image
from .engine import free_megabytes

# A root file system, and once more as the tar file or disk that is made of it.
ROOM_MB = 2500
# Described in the documentation fragment slipway.kube.bootstrap.
OPTIONS = {
    "suite": {"type": "str", "default": "bookworm"},
    "recipe": {"type": "path", "required": True},
    "cache": {"type": "path", "required": True},
    "mirror": {"type": "str", "default": ""},
}


def lock(cache: str) -> None:
    """Have what is built in the cache for this process alone, for as long as it lives."""
    os.makedirs(cache, exist_ok=True)
    fcntl.flock(
        os.open(os.path.join(cache, "." + image.REPOSITORY + ".lock"), os.O_CREAT | os.O_RDWR | os.O_CLOEXEC),
        fcntl.LOCK_EX,
    )


def bootstrap(module, what: str, form: str, target: str) -> None:
    """Make the root file system of a module's parameters (suite, packages, recipe, mirror) at *target*; fail with what mmdebstrap said.

    *what* names it in the error; *form* is mmdebstrap's format (tar or directory).
    """
    cache = module.params["cache"]
    free = free_megabytes(cache)
    if free < ROOM_MB:
        module.fail_json(
            msg="The lab's %s cannot be made: %s has %d MiB free and making it takes about %d. Make room there, or set lab_cache_dir to "
            "another folder." % (what, cache, free, ROOM_MB)
        )
    # This machine's own way to its packages (proxies, checks) is the image's way too.
    options = os.path.join(module.tmpdir, "apt.conf")
    apt_config = module.get_bin_path("apt-config")
    if apt_config:
        settings = module.run_command([apt_config, "dump", "Acquire"], check_rc=True)[1]
        with open(options, "w", encoding="utf-8") as stream:
            stream.write(settings)
    command = image.build_command(
        module.get_bin_path("mmdebstrap", required=True),
        module.params["suite"],
        module.params["packages"],
        os.path.join(module.params["recipe"], "customize"),
        target,
        module.params["mirror"],
        options if apt_config else "",
        form,
    )
    # What root mounts for it is gone with it, also when it is killed.
    alone = [module.get_bin_path("unshare", required=True), "--mount", "--"] if os.geteuid() == 0 else []
    status, _output, said = module.run_command(alone + command)
    if status:
        lines = [line for line in said.splitlines() if line.strip()][-15:]
        module.fail_json(
            msg="The lab's %s could not be made: mmdebstrap ended with status %d. It said:\n%s\n"
            "Most often the Debian mirror is out of reach: check `apt-get update` on this machine, or set lab_debian_mirror."
            % (what, status, "\n".join(lines)),
        )
