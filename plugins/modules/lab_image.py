#!/usr/bin/python
# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: lab_image
short_description: Build the base image of lab hosts from Debian packages
version_added: 0.1.0
author:
  - slipway.kube authors (@slipway)
description:
  - Builds a Debian root file system with C(mmdebstrap), stores it as a tar file in a cache, and imports it into the Docker Engine.
  - Requires no image registry. The tag of the image contains a hash of its recipe, so a changed recipe yields another image.
  - Images and files of earlier recipes are removed, unless a container still uses them.
  - The file gets its name when it is complete, so the result of an interrupted build is never used.
  - Runs on the machine whose Docker Engine runs the lab.
options:
  state:
    description: Whether the image should be in the engine (V(present)), or neither there nor in the cache (V(absent)).
    type: str
    choices: [present, absent]
    default: present
  repository:
    description: Name of the image. Images with other names are not changed.
    type: str
    default: slipway-lab
  packages:
    description: Packages of the root file system, in addition to C(apt) and its dependencies.
    type: list
    elements: str
    required: true
extends_documentation_fragment: [slipway.kube.bootstrap]
attributes:
  check_mode:
    description: Returns whether the image would be built and imported.
    support: full
  diff_mode:
    description: Lists images and archives before and after.
    support: full
"""

EXAMPLES = r"""
- name: Build the base image
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
  description: Whether the root file system was built in this run, rather than found in the cache.
  returned: always
  type: bool
"""

import os
import platform

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._lab import image as recipe
from ..module_utils._lab.engine import DockerEngine, EngineError, socket_path


def build(module: AnsibleModule, archive: str) -> None:
    """Build the root file system and move it to *archive* when it is complete."""
    partial = archive + ".part"
    if os.path.exists(partial):
        os.unlink(partial)
    recipe.bootstrap(module, "base image", "tar", partial)
    os.replace(partial, archive)


def main() -> None:
    """Build or remove the image."""
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "repository": {"type": "str", "default": recipe.REPOSITORY},
            **recipe.OPTIONS,
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
    engine = DockerEngine(socket_path(os.environ.get("DOCKER_HOST")))
    if not module.check_mode:
        # When two labs are created in parallel, the second waits for the image of the first.
        recipe.lock(params["cache"])
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
            module.fail_json(
                msg=f"The base image {name} of the lab could not be updated: {error} [slipway:lab_image]", **result
            )
    module.exit_json(**result)


if __name__ == "__main__":
    main()
