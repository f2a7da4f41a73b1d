#!/usr/bin/python
# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: lab_image
short_description: Base image of lab hosts, made from Debian packages
version_added: 0.1.0
author:
  - slipway.kube authors (@slipway)
description:
  - Makes a Debian root file system with C(mmdebstrap), keeps it as a tar file in a cache and imports it into the Docker Engine.
  - Needs no image registry. The image's tag holds a hash of its recipe, so a changed recipe is another image.
  - Images and files of earlier recipes are removed, unless a container still uses them.
  - The file is moved into the cache when it is whole; an interrupted build leaves nothing that a later run would take for good.
  - Runs on the machine whose Docker Engine makes the lab.
options:
  state:
    description: Whether the image is in the engine (V(present)), or neither there nor in the cache (V(absent)).
    type: str
    choices: [present, absent]
    default: present
  repository:
    description: Name of the image. Images of another name are left alone.
    type: str
    default: slipway-lab
  packages:
    description: Packages that the root file system holds on top of C(apt) and what it needs.
    type: list
    elements: str
    required: true
extends_documentation_fragment: [slipway.kube.bootstrap]
attributes:
  check_mode:
    description: Says whether it would build and import.
    support: full
  diff_mode:
    description: Names the image and what would be done.
    support: full
"""

EXAMPLES = r"""
- name: Have the base image
  slipway.kube.lab_image:
    packages: [systemd-sysv, openssh-server, python3, sudo]
    recipe: "{{ role_path }}/files/host"
    cache: ~/.cache/slipway
"""

RETURN = r"""
image:
  description: Reference of the image.
  returned: always
  type: str
  sample: slipway-lab:bookworm-0123456789ab
archive:
  description: The tar file in the cache.
  returned: always
  type: str
built:
  description: Whether the root file system was made in this run (not taken from the cache).
  returned: always
  type: bool
"""

import os
import platform

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._lab import image as recipe
from ..module_utils._lab.bootstrap import OPTIONS, bootstrap, lock
from ..module_utils._lab.engine import Engine, EngineError, socket_path


def build(module: AnsibleModule, archive: str) -> None:
    """Make the root file system and move it to *archive* when it is whole."""
    partial = archive + ".part"
    if os.path.exists(partial):
        os.unlink(partial)
    bootstrap(module, "base image", "tar", partial)
    os.replace(partial, archive)


def main() -> None:
    """Have the image, or have it gone."""
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "repository": {"type": "str", "default": recipe.REPOSITORY},
            **OPTIONS,
            "packages": {"type": "list", "elements": "str", "required": True},
        },
        supports_check_mode=True,
    )
    params = module.params
    digest = recipe.recipe_hash(
        params["suite"], platform.machine(), params["packages"], recipe.read_recipe(params["recipe"])
    )
    name = recipe.reference(params["repository"], params["suite"], digest)
    wanted = params["state"] == "present"
    archive = recipe.archive_name(name)
    engine = Engine(socket_path(os.environ.get("DOCKER_HOST")))
    if not module.check_mode:
        # Two labs made at once want one image: the second waits and finds it. Held until this process ends.
        lock(params["cache"])
    images = []
    if engine.info() is not None:
        used = {container["Image"] for container in engine.containers()}
        images = [
            image for image in engine.images(params["repository"]) if image not in used or (wanted and image == name)
        ]
    archives = recipe.archives(params["cache"], params["repository"])
    want, have = recipe.changes(name, images, archives, wanted)
    path = os.path.join(params["cache"], archive)
    result = {
        "image": name,
        "archive": path,
        "built": archive in want["archives"] and archive not in archives,
        "changed": want != have,
        "diff": {"before_header": name, "after_header": name, "before": have, "after": want},
    }
    if not module.check_mode and result["changed"]:
        try:
            if result["built"]:
                build(module, path)
            if name in want["images"] and name not in images:
                engine.import_root(name, path)
            for image in set(images) - set(want["images"]):
                engine.remove_image(image)
            for leftover in set(archives) - set(want["archives"]):
                os.unlink(os.path.join(params["cache"], leftover))
        except (EngineError, OSError) as error:
            module.fail_json(msg=f"The lab's base image {name}: {error}", **result)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
