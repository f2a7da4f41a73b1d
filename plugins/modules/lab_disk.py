#!/usr/bin/python
# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: lab_disk
short_description: Build the disk, kernel and initrd of a lab's virtual machines from Debian packages
version_added: 0.1.0
author:
  - slipway.kube authors (@slipway)
description:
  - Builds a Debian root file system with C(mmdebstrap), creates a disk from it with C(mkfs.ext4), and stores it with its kernel and
    initrd in a cache. Each machine writes to an overlay, so one disk serves all of them.
  - The name of the folder contains a hash of the recipe. Disks of earlier recipes for the same release are removed, unless a container
    still mounts them.
  - The folder gets its name when it is complete, so the result of an interrupted build is never used.
  - Requires root, because the file system contains files of several users.
options:
  state:
    description: Whether the disk should be in the cache.
    type: str
    choices: [present, absent]
    default: present
  packages:
    description: Packages of the root file system, which must include a kernel (C(linux-image-*)).
    type: list
    elements: str
    required: true
  size:
    description: Size of the file system in GiB, which a machine grows to the size of its disk. The file is sparse.
    type: int
    default: 5
  kernel:
    description:
      - Folder with a kernel for user-mode Linux (file C(linux)) and its modules (folder C(modules), with a folder of the release's name), which
        are added to the disk. If empty, machines have the kernel of the packages only.
    type: path
    default: ""
extends_documentation_fragment: [slipway.kube.bootstrap]
attributes:
  check_mode:
    description: Returns whether the disk would be built.
    support: full
  diff_mode:
    description: Lists the disks in the cache.
    support: full
"""

EXAMPLES = r"""
- name: Build the disk of virtual machines
  slipway.kube.lab_disk:
    packages: [cloud-init, linux-image-cloud-amd64, openssh-server, python3, systemd-sysv]
    recipe: "{{ role_path }}/files/machine"
    cache: ~/.cache/slipway
"""

RETURN = r"""
folder:
  description: Folder with C(root.img), C(vmlinuz) and C(initrd.img), and C(linux) if O(kernel) is set.
  returned: always
  type: str
built:
  description: Whether the disk was built in this run.
  returned: always
  type: bool
"""

import glob
import os
import platform
import shutil

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._lab import image as recipe
from ..module_utils._lab.engine import DockerEngine, socket_path


def mounted() -> set[str]:
    """Return the names of folders that containers mount, including stopped ones."""
    engine = DockerEngine(socket_path(os.environ.get("DOCKER_HOST")))
    if engine.info() is None:
        return set()
    mounts = [mount for container in engine.containers() for mount in container.get("Mounts") or []]
    return {os.path.basename(mount.get("Source", "")) for mount in mounts}


def build(module: AnsibleModule, folder: str) -> None:
    """Build root.img, vmlinuz and initrd.img, and rename the folder when they are complete."""
    partial = folder + ".part"
    root = os.path.join(partial, "root")
    os.makedirs(partial)
    try:
        recipe.bootstrap(module, "disk", "directory", root, {"LAB_KERNEL": module.params["kernel"]})
    except BaseException:
        shutil.rmtree(partial)
        raise
    for name in ("vmlinuz", "initrd.img"):
        found = sorted(glob.glob(os.path.join(root, "boot", name + "-*")))
        if not found:
            module.fail_json(
                msg=f"The disk of the lab has no kernel: /boot contains no {name}. Add a linux-image package to the packages."
                " [slipway:lab_image]"
            )
        shutil.copyfile(found[-1], os.path.join(partial, name))
    if module.params["kernel"]:
        shutil.copy(os.path.join(module.params["kernel"], "linux"), partial)
    disk = os.path.join(partial, "root.img")
    with open(disk, "wb") as stream:
        stream.truncate(module.params["size"] << 30)
    program = module.get_bin_path("mkfs.ext4", required=True, opt_dirs=["/sbin", "/usr/sbin"])
    module.run_command([program, "-q", "-L", "root", "-d", root, disk], check_rc=True)
    shutil.rmtree(root)
    # A Docker Engine that starts a machine without its disk creates an empty folder of that name.
    shutil.rmtree(folder, ignore_errors=True)
    os.replace(partial, folder)


def main() -> None:
    """Build or remove the disk."""
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            **recipe.OPTIONS,
            "packages": {"type": "list", "elements": "str", "required": True},
            "size": {"type": "int", "default": 5},
            "kernel": {"type": "path", "default": ""},
        },
        supports_check_mode=True,
    )
    params = module.params
    files = dict(recipe.read_recipe(params["recipe"]), size=str(params["size"]).encode())
    files.update(recipe.read_recipe(params["kernel"]) if params["kernel"] else {})
    digest = recipe.recipe_hash(params["suite"], platform.machine(), params["packages"], files)
    name = recipe.disk_name(params["suite"], digest)
    if not module.check_mode:
        recipe.lock(params["cache"])
    folder = os.path.join(params["cache"], name)
    cached = [
        entry for entry, complete in recipe.disks(params["cache"], params["suite"]).items() if complete or entry != name
    ]
    want, have = recipe.disk_changes(name, cached, mounted(), params["state"] == "present")
    result = {
        "folder": folder,
        "built": name in want and name not in have,
        "changed": want != have,
        "diff": {"before": "".join(line + "\n" for line in have), "after": "".join(line + "\n" for line in want)},
    }
    if not module.check_mode:
        for leftover in set(have) - set(want):
            shutil.rmtree(os.path.join(params["cache"], leftover))
        if result["built"]:
            build(module, folder)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
