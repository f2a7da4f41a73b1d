#!/usr/bin/python
# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: lab_keys
short_description: Create the SSH keys and known hosts of a lab
version_added: 0.1.0
author:
  - slipway.kube authors (@slipway)
description:
  - Creates a key pair for the user of the lab and a host key for every host, and writes C(known_hosts) and an C(ssh) configuration for
    interactive use.
  - The host keys are known before the hosts exist, so no key is accepted without verification. Hosts that are recreated keep their keys.
  - The files of each host are in a separate folder, which the lab mounts into the host's container at boot.
options:
  folder:
    description: Folder of the lab.
    type: path
    required: true
  hosts:
    description: Hosts with C(name) and C(address). The folders of other hosts are removed.
    type: list
    elements: dict
    required: true
  name_servers:
    description: Name servers in the file C(resolv.conf) of each host.
    type: list
    elements: str
    default: []
  user:
    description: User name for SSH connections to the hosts.
    type: str
    default: ops
attributes:
  check_mode:
    description: Returns what would be created, without creating keys.
    support: full
  diff_mode:
    description: Lists the names of files; keys are not shown.
    support: full
"""

EXAMPLES = r"""
- name: Create keys for two hosts
  slipway.kube.lab_keys:
    folder: .lab/lab
    hosts:
      - {name: cp1, address: 10.123.0.11}
      - {name: w1, address: 10.123.0.21}
"""

RETURN = r"""
made:
  description: Files that were created, changed or removed, relative to the folder.
  returned: always
  type: list
  elements: str
"""

import os
import shutil

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._lab.engine import read_text

HOST_KEY = "ssh_host_ed25519_key"


class Folder:
    """The folder of the lab, and what has been changed in it."""

    def __init__(self, module: AnsibleModule) -> None:
        self.module = module
        self.path = module.params["folder"]
        self.made: list[str] = []

    def directory(self, name: str) -> None:
        """Create a folder that only its owner can access."""
        path = os.path.join(self.path, name)
        if not os.path.isdir(path):
            self.made.append(name + "/")
            if not self.module.check_mode:
                os.makedirs(path, mode=0o700)

    def key(self, name: str, comment: str) -> str:
        """Create a key pair.

        :returns: the public key; in check mode a placeholder if it does not exist yet.
        """
        path = os.path.join(self.path, name)
        # The public key is moved last: if it exists, the pair is complete.
        if not os.path.exists(path + ".pub"):
            self.made.append(name)
            if self.module.check_mode:
                return f"ssh-ed25519 (created in a real run) {comment}"
            for leftover in (path, path + ".part", path + ".part.pub"):
                if os.path.exists(leftover):
                    os.unlink(leftover)
            program = self.module.get_bin_path("ssh-keygen", required=True)
            self.module.run_command(
                [program, "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", path + ".part"], check_rc=True
            )
            os.replace(path + ".part", path)
            os.replace(path + ".part.pub", path + ".pub")
        return read_text(path + ".pub").strip()

    def file(self, name: str, text: str) -> None:
        """Write a file."""
        path = os.path.join(self.path, name)
        if read_text(path) != text or not os.path.exists(path):
            self.made.append(name)
            if not self.module.check_mode:
                with open(path + ".part", "w", encoding="utf-8") as stream:
                    stream.write(text)
                os.replace(path + ".part", path)

    def keep_only(self, name: str, entries: set[str]) -> None:
        """Remove everything else from a folder."""
        path = os.path.join(self.path, name)
        for found in sorted(os.listdir(path)) if os.path.isdir(path) else []:
            if found not in entries:
                self.made.append(f"{name}/{found} (removed)")
                if not self.module.check_mode:
                    shutil.rmtree(os.path.join(path, found))


def ssh_config(folder: str, user: str, hosts: list[dict]) -> str:
    """Return an ssh_config(5) with which people connect to the hosts by name."""
    places = "".join(f"Host {host['name']}\n    HostName {host['address']}\n" for host in hosts)
    lines = [
        "Host *",
        "    User " + user,
        f'    IdentityFile "{folder}/ssh/id_ed25519"',
        f'    UserKnownHostsFile "{folder}/ssh/known_hosts"',
        "    IdentitiesOnly yes",
        "    StrictHostKeyChecking yes",
    ]
    return places + "\n".join(lines) + "\n"


def main() -> None:
    """Create keys and known hosts."""
    module = AnsibleModule(
        argument_spec={
            "folder": {"type": "path", "required": True},
            "hosts": {"type": "list", "elements": "dict", "required": True},
            "name_servers": {"type": "list", "elements": "str", "default": []},
            "user": {"type": "str", "default": "ops"},
        },
        supports_check_mode=True,
    )
    folder = Folder(module)
    folder.directory("ssh")
    user_key = folder.key("ssh/id_ed25519", "slipway.kube lab")
    resolver = "".join(f"nameserver {address}\n" for address in module.params["name_servers"])
    known = []
    for host in module.params["hosts"]:
        place = "hosts/" + host["name"]
        folder.directory(place)
        # Without the comment, which is not part of a known_hosts line.
        host_key = folder.key(f"{place}/{HOST_KEY}", host["name"]).split()[:2]
        folder.file(place + "/authorized_keys", user_key + "\n")
        folder.file(place + "/resolv.conf", resolver)
        known.append(f"{host['address']},{host['name']} {' '.join(host_key)}\n")
    folder.file("ssh/config", ssh_config(folder.path, module.params["user"], module.params["hosts"]))
    folder.keep_only("hosts", {host["name"] for host in module.params["hosts"]})
    folder.file("ssh/known_hosts", "".join(known))
    listing = "".join(name + "\n" for name in folder.made)
    module.exit_json(
        changed=bool(folder.made), made=folder.made, diff={"before": "", "after": listing, "after_header": folder.path}
    )


if __name__ == "__main__":
    main()
