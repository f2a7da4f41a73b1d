# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Base image and disk of lab hosts: Debian root file systems, built with mmdebstrap and named by a hash of their recipe."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shlex

from .engine import free_megabytes

REPOSITORY = "slipway-lab"
DISK = "slipway-disk"
# Documentation and translations: a third of the size, and not needed in a lab host.
EXCLUDED = ("/usr/share/doc/*", "/usr/share/man/*", "/usr/share/locale/*")
# A root file system, and the tar file or disk that is created from it.
REQUIRED_MB = 2500
# Described in the documentation fragment slipway.kube.bootstrap.
OPTIONS = {
    "suite": {"type": "str", "default": "bookworm"},
    "recipe": {"type": "path", "required": True},
    "cache": {"type": "path", "required": True},
    "mirror": {"type": "str", "default": ""},
}


def recipe_hash(suite: str, architecture: str, packages: list[str], files: dict[str, bytes]) -> str:
    """Return twelve hexadecimal digits that change with any input of the image.

    :param packages: packages, in any order.
    :param files: content of the files of the recipe by name.
    """
    recipe = {
        "suite": suite,
        "architecture": architecture,
        "packages": sorted(set(packages)),
        "excluded": EXCLUDED,
        "files": {name: hashlib.sha256(content).hexdigest() for name, content in files.items()},
    }
    return hashlib.sha256(json.dumps(recipe, sort_keys=True).encode()).hexdigest()[:12]


def reference(repository: str, suite: str, digest: str) -> str:
    """Return the image reference for a recipe."""
    return f"{repository}:{suite}-{digest}"


def read_recipe(folder: str) -> dict[str, bytes]:
    """Return the content of the recipe's files (hook script, entry point) by name."""
    files = {}
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
        if entry.is_file():
            with open(entry.path, "rb") as stream:
                files[entry.name] = stream.read()
    return files


def _names(cache: str) -> list[str]:
    return sorted(os.listdir(cache)) if os.path.isdir(cache) else []


def archive_name(image: str) -> str:
    """Return the name of an image's tar file in the cache."""
    return image.replace(":", "-") + ".tar"


def archives(cache: str, repository: str) -> list[str]:
    """Return the tar files of a repository's images in the cache, of any recipe and including those of interrupted builds."""
    return [
        name for name in _names(cache) if name.startswith(f"{repository}-") and name.endswith((".tar", ".tar.part"))
    ]


def disk_name(suite: str, digest: str) -> str:
    """Return the name of the folder in the cache that contains a virtual machine's disk, kernel and initrd."""
    return f"{DISK}-{suite}-{digest}"


def disks(cache: str, suite: str = "") -> dict[str, bool]:
    """Return the folders of disks in the cache, of any recipe, and whether each is complete.

    :param suite: return only the disks of this Debian release.

    Incomplete are those of interrupted builds, and those that a Docker Engine created as mount points.
    """
    return {
        name: not name.endswith(".part") and os.path.exists(os.path.join(cache, name, "root.img"))
        for name in _names(cache)
        if name.startswith(f"{DISK}-{suite}")
    }


def disk_changes(name: str, cached: list[str], used: set[str], present: bool) -> tuple[list[str], list[str]]:
    """Return which disks should be in the cache (the requested one, and those that machines use) and which are."""
    return sorted(({name} if present else set()) | set(cached) & used), sorted(cached)


def changes(name: str, images: list[str], cached: list[str], present: bool) -> tuple[dict, dict]:
    """Return the desired and the current state.

    An image in the engine needs no tar file; if neither exists, both are created. Images of other recipes are removed.

    :param images: references of images in the engine.
    :param cached: names of tar files in the cache.
    """
    have = {"images": sorted(images), "archives": sorted(cached)}
    if not present:
        return {"images": [], "archives": []}, have
    archive = archive_name(name)
    return {"images": [name], "archives": [archive] if archive in cached or name not in images else []}, have


def build_command(
    program: str,
    suite: str,
    packages: list[str],
    hook: str,
    target: str,
    mirror: str,
    apt_options: str,
    form: str = "tar",
) -> list[str]:
    """Return the mmdebstrap command that writes the root file system to *target*.

    :param mirror: Debian mirror; Debian's default if empty.
    :param apt_options: file with apt settings (proxies and checks of this machine); none if empty.
    :param form: tar for a file, directory for a folder.
    """
    command = [
        program,
        "--quiet",
        "--variant=minbase",
        f"--format={form}",
        f"--include={','.join(sorted(set(packages)))}",
    ]
    command += [f"--dpkgopt=path-exclude={pattern}" for pattern in EXCLUDED]
    if apt_options:
        command.append(f"--aptopt={apt_options}")
    # mmdebstrap passes the hook to a shell; sh, because an installed collection may have lost the executable bit.
    command += [f'--customize-hook=sh {shlex.quote(hook)} "$1"', suite, target]
    return command + ([mirror] if mirror else [])


def lock(cache: str) -> None:
    """Lock the builds in a cache until this process ends."""
    os.makedirs(cache, exist_ok=True)
    path = os.path.join(cache, f".{REPOSITORY}.lock")
    fcntl.flock(os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC), fcntl.LOCK_EX)


def bootstrap(module, what: str, form: str, target: str, environment: dict[str, str] | None = None) -> None:
    """Build the root file system of a module's parameters (suite, packages, recipe, mirror), or fail the module.

    :param what: name of the result, for error messages.
    :param form: see :func:`build_command`.
    :param environment: variables for the recipe.
    """
    cache = module.params["cache"]
    free = free_megabytes(cache)
    if free < REQUIRED_MB:
        module.fail_json(
            msg=f"The {what} of the lab cannot be built: {cache} has {free} MiB free, but the build needs about {REQUIRED_MB}. Free some "
            "space there, or set lab_cache_dir to another folder. [slipway:lab_disk]"
        )
    # The proxies and checks with which this machine reaches its package sources apply to the image too.
    options = ""
    apt_config = module.get_bin_path("apt-config")
    if apt_config:
        options = os.path.join(module.tmpdir, "apt.conf")
        with open(options, "w", encoding="utf-8") as stream:
            stream.write(module.run_command([apt_config, "dump", "Acquire"], check_rc=True)[1])
    command = build_command(
        module.get_bin_path("mmdebstrap", required=True),
        module.params["suite"],
        module.params["packages"],
        os.path.join(module.params["recipe"], "customize"),
        target,
        module.params["mirror"],
        options,
        form,
    )
    # In a mount namespace, what root mounts for the build is released even if the build is killed.
    prefix = [module.get_bin_path("unshare", required=True), "--mount", "--"] if os.geteuid() == 0 else []
    status, _output, errors = module.run_command(prefix + command, environ_update=environment or {})
    if status:
        lines = "\n".join([line for line in errors.splitlines() if line.strip()][-15:])
        module.fail_json(
            msg=f"The {what} of the lab could not be built: mmdebstrap exited with status {status}:\n{lines}\n"
            "The usual cause is that the Debian mirror cannot be reached: run `apt-get update` on this machine, or set lab_debian_mirror. [slipway:lab_sources]"
        )
