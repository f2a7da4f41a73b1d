#!/usr/bin/python
# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: lab_keys
short_description: SSH keys and known hosts of a lab
version_added: 0.1.0
author:
  - slipway.kube authors (@slipway)
description:
  - Makes a key pair for the lab's user and a host key for every host, and writes C(known_hosts) from them, and an C(ssh) configuration for people.
  - So the hosts' keys are known before the hosts are, and nothing is taken on trust; hosts made anew keep their keys.
  - Each host's part lies in a folder of its own, which the lab mounts into the host's container at boot.
options:
  folder:
    description: Folder of the lab.
    type: path
    required: true
  hosts:
    description: Hosts, each with C(name) and C(address). Folders of other hosts are removed.
    type: list
    elements: dict
    required: true
  name_servers:
    description: Name servers for the file C(resolv.conf) that each host gets.
    type: list
    elements: str
    default: []
  user:
    description: User by whom the hosts are reached.
    type: str
    default: ops
attributes:
  check_mode:
    description: Names what would be made, without making a key.
    support: full
  diff_mode:
    description: Files by name; no key is shown.
    support: full
"""

EXAMPLES = r"""
- name: Have keys for two hosts
  slipway.kube.lab_keys:
    folder: .lab/lab
    hosts:
      - {name: cp1, address: 10.123.0.11}
      - {name: w1, address: 10.123.0.21}
"""

RETURN = r"""
made:
  description: Files made, renewed or removed, relative to the folder.
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
    """The lab's folder; knows what has been changed in it."""

    def __init__(self, module: AnsibleModule) -> None:
        self.module = module
        self.path = module.params["folder"]
        self.made: list[str] = []

    def directory(self, name: str) -> None:
        """A folder that only its owner enters."""
        path = os.path.join(self.path, name)
        if not os.path.isdir(path):
            self.made.append(name + "/")
            if not self.module.check_mode:
                os.makedirs(path, mode=0o700)

    def key(self, name: str, comment: str) -> str:
        """A key pair; its public half (a placeholder in check mode, where there is none yet)."""
        path = os.path.join(self.path, name)
        # The public half is moved last: where it is, the pair is whole.
        if not os.path.exists(path + ".pub"):
            self.made.append(name)
            if self.module.check_mode:
                return "ssh-ed25519 (made when it is run) " + comment
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
        """A file with exactly this text."""
        path = os.path.join(self.path, name)
        if read_text(path) != text or not os.path.exists(path):
            self.made.append(name)
            if not self.module.check_mode:
                with open(path + ".part", "w", encoding="utf-8") as stream:
                    stream.write(text)
                os.replace(path + ".part", path)

    def only(self, name: str, wanted: set[str]) -> None:
        """Remove from a folder what is not wanted in it."""
        path = os.path.join(self.path, name)
        for found in sorted(os.listdir(path)) if os.path.isdir(path) else []:
            if found not in wanted:
                self.made.append(f"{name}/{found} (removed)")
                if not self.module.check_mode:
                    shutil.rmtree(os.path.join(path, found))


def ssh_config(folder: str, user: str, hosts: list[dict]) -> str:
    """A configuration for ssh (ssh_config(5)) by which a person reaches the hosts by name."""
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
    """Have keys and known hosts."""
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
        # The comment stays off the known_hosts line: it names no machine.
        host_key = folder.key(f"{place}/{HOST_KEY}", host["name"]).split()[:2]
        folder.file(place + "/authorized_keys", user_key + "\n")
        folder.file(place + "/resolv.conf", resolver)
        known.append(f"{host['address']},{host['name']} {' '.join(host_key)}\n")
    folder.file("ssh/config", ssh_config(folder.path, module.params["user"], module.params["hosts"]))
    folder.only("hosts", {host["name"] for host in module.params["hosts"]})
    folder.file("ssh/known_hosts", "".join(known))
    listing = "".join(name + "\n" for name in folder.made)
    module.exit_json(
        changed=bool(folder.made), made=folder.made, diff={"before": "", "after": listing, "after_header": folder.path}
    )


if __name__ == "__main__":
    main()
