# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab hosts' base image and disk: Debian root file systems, named by a hash of their recipe."""

from __future__ import annotations

import hashlib
import json
import os
import shlex

REPOSITORY = "slipway-lab"
DISK = "slipway-disk"
# Documentation and translations: nobody reads them in a lab host, and they are a third of its bytes.
EXCLUDED = ("/usr/share/doc/*", "/usr/share/man/*", "/usr/share/locale/*")


def recipe_hash(suite: str, architecture: str, packages: list[str], files: dict[str, bytes]) -> str:
    """Twelve hex digits that change with anything that goes into the image.

    The order of packages plays no role; *files* maps a name to its content.
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
    """Image reference: what it is and which recipe made it."""
    return f"{repository}:{suite}-{digest}"


def read_recipe(folder: str) -> dict[str, bytes]:
    """The recipe's own files (hook script, entry point) by name."""
    files = {}
    for name in sorted(os.listdir(folder)):
        with open(os.path.join(folder, name), "rb") as stream:
            files[name] = stream.read()
    return files


def archive_name(image: str) -> str:
    """Name of an image's tar file in the cache."""
    return image.replace(":", "-") + ".tar"


def archives(cache: str, repository: str) -> list[str]:
    """Tar files of a repository's images in the cache, whatever their recipe; what an ended build left over counts too."""
    try:
        names = os.listdir(cache)
    except OSError:
        return []
    return sorted(name for name in names if name.startswith(repository + "-") and name.endswith((".tar", ".tar.part")))


def disk_name(suite: str, digest: str) -> str:
    """Name of the folder in the cache that holds a virtual machine's disk, kernel and initrd."""
    return f"{DISK}-{suite}-{digest}"


def disks(cache: str) -> list[str]:
    """Folders of disks in the cache, whatever their recipe; what an ended build left over counts too."""
    try:
        return sorted(name for name in os.listdir(cache) if name.startswith(DISK + "-"))
    except OSError:
        return []


def has_disk(cache: str) -> bool:
    """Whether there is a whole disk in the cache, of any recipe."""
    return any(is_whole(os.path.join(cache, name)) for name in disks(cache))


def is_whole(folder: str) -> bool:
    """Whether a disk's folder is one: what an ended build left, or an engine made to have something to mount, is not."""
    return not folder.endswith(".part") and os.path.exists(os.path.join(folder, "root.img"))


def disk_changes(name: str, cached: list[str], used: set[str], present: bool) -> tuple[list[str], list[str]]:
    """Which disks should be in the cache and which are: the wanted one, and those of which machines are copies."""
    return sorted(({name} if present else set()) | set(cached) & used), sorted(cached)


def changes(name: str, images: list[str], cached: list[str], present: bool) -> tuple[dict, dict]:
    """What should be there and what is: references of *images* in the engine, names of *cached* tar files.

    An image that is in the engine needs no tar file; without either, one is made for both. Other recipes' are not wanted.
    """
    have = {"images": sorted(images), "archives": sorted(cached)}
    if not present:
        return {"images": [], "archives": []}, have
    archive = archive_name(name)
    wanted = [archive] if archive in cached or name not in images else []
    return {"images": [name], "archives": wanted}, have


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
    """The mmdebstrap call that writes the root file system to *target*, a file (*form* tar) or a folder (directory).

    *apt_options* is a file of apt settings (this machine's proxies and checks), "" for none; mirror "" means Debian's own.
    """
    command = [
        program,
        "--quiet",
        "--variant=minbase",
        "--format=" + form,
        "--include=" + ",".join(sorted(set(packages))),
    ]
    command += ["--dpkgopt=path-exclude=" + pattern for pattern in EXCLUDED]
    if apt_options:
        command.append("--aptopt=" + apt_options)
    # mmdebstrap hands the hook to a shell; sh, because an installed collection may have lost the executable bit.
    command += [f'--customize-hook=sh {shlex.quote(hook)} "$1"', suite, target]
    return command + ([mirror] if mirror else [])
