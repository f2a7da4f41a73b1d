#!/usr/bin/python
# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: lab_keys
short_description: Create the keys, certificates and known hosts of a lab
version_added: 0.1.0
author:
  - slipway.kube authors (@slipway)
description:
  - Creates a key pair for the user of the lab and a host key for every host, and writes C(known_hosts) and an C(ssh) configuration for
    interactive use.
  - The host keys are known before the hosts exist, so no key is accepted without verification. Hosts that are recreated keep their keys.
  - If the lab replaces servers on the internet (O(server_names)), it has its own certificate authority. All hosts trust it, and the host
    C(services) gets a certificate for these names.
  - The files of each host are in a separate folder, which the lab mounts into the host's container at boot.
options:
  folder:
    description: Folder of the lab.
    type: path
    required: true
  hosts:
    description: Hosts with C(name), C(address) and, if there are several, all C(addresses). The folders of other hosts are removed.
    type: list
    elements: dict
    required: true
  name_servers:
    description: Name servers in the file C(resolv.conf) of each host.
    type: list
    elements: str
    default: []
  server_names:
    description: DNS names for which the host C(services) gets a certificate. If empty, there is neither a certificate nor an authority.
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
changes:
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
SERVICES = "services"


class Folder:
    """The folder of the lab, and what has been changed in it."""

    def __init__(self, module: AnsibleModule) -> None:
        self.module = module
        self.path = module.params["folder"]
        self.changes: list[str] = []

    def directory(self, name: str) -> None:
        """Create a folder that only its owner can access."""
        path = os.path.join(self.path, name)
        if not os.path.isdir(path):
            self.changes.append(name + "/")
            if not self.module.check_mode:
                os.makedirs(path, mode=0o700)

    def key(self, name: str, comment: str) -> str:
        """Create a key pair.

        :returns: the public key; in check mode a placeholder if it does not exist yet.
        """
        path = os.path.join(self.path, name)
        # The public key is moved last: if it exists, the pair is complete.
        if not os.path.exists(path + ".pub"):
            self.changes.append(name)
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
            self.changes.append(name)
            if not self.module.check_mode:
                with open(path + ".part", "w", encoding="utf-8") as stream:
                    stream.write(text)
                os.replace(path + ".part", path)

    def certificate(self, name: str, text: str, issuer: str = "") -> None:
        """Create a certificate and its private key, and replace it if its configuration has changed.

        :param name: the files without their suffixes (.cnf, .key, .crt).
        :param text: the configuration of ``openssl req``.
        :param issuer: the certificate that signs it, named alike; self-signed if empty.
        """
        paths = {suffix: os.path.join(self.path, f"{name}.{suffix}") for suffix in ("cnf", "key", "crt")}
        if read_text(paths["cnf"]) == text and os.path.exists(paths["crt"]):
            return
        self.changes.append(f"{name}.crt")
        if self.module.check_mode:
            return
        with open(paths["cnf"] + ".part", "w", encoding="utf-8") as stream:
            stream.write(text)
        command = [
            self.module.get_bin_path("openssl", required=True),
            "req",
            "-x509",
            "-new",
            "-nodes",
            "-days",
            "3650",
        ]
        command += ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-config", paths["cnf"] + ".part"]
        for option, suffix in (("-CA", "crt"), ("-CAkey", "key")) if issuer else ():
            command += [option, os.path.join(self.path, f"{issuer}.{suffix}")]
        self.module.run_command([*command, "-keyout", paths["key"], "-out", paths["crt"]], check_rc=True)
        # Last: if the configuration exists, key and certificate are complete.
        os.replace(paths["cnf"] + ".part", paths["cnf"])

    def remove(self, name: str) -> None:
        """Remove a file if it exists."""
        path = os.path.join(self.path, name)
        if os.path.exists(path):
            self.changes.append(f"{name} (removed)")
            if not self.module.check_mode:
                os.unlink(path)

    def keep_only(self, name: str, entries: set[str]) -> None:
        """Remove everything else from a folder."""
        path = os.path.join(self.path, name)
        for found in sorted(os.listdir(path)) if os.path.isdir(path) else []:
            if found not in entries:
                self.changes.append(f"{name}/{found} (removed)")
                if not self.module.check_mode:
                    shutil.rmtree(os.path.join(path, found))


def addresses_of(host: dict) -> list[str]:
    """Return all addresses of a host."""
    return host.get("addresses") or [host["address"]]


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


def authority_configuration() -> str:
    """Return the configuration of the lab's certificate authority (req(1), x509v3_config(5))."""
    return """\
[req]
prompt = no
distinguished_name = name
x509_extensions = extensions
[name]
CN = slipway.kube lab
[extensions]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
"""


def server_configuration(names: list[str], addresses: list[str]) -> str:
    """Return the configuration of a certificate for a server with these DNS names and IP addresses."""
    alternatives = ", ".join([f"DNS:{name}" for name in names] + [f"IP:{address}" for address in addresses])
    return f"""\
[req]
prompt = no
distinguished_name = name
x509_extensions = extensions
[name]
CN = {SERVICES}
[extensions]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
subjectAltName = {alternatives}
"""


def create_certificates(folder: Folder, names: list[str], hosts: list[dict]) -> None:
    """Create the certificate of the host C(services), and make the authority known to all hosts."""
    if names:
        folder.directory("tls")
        folder.certificate("tls/ca", authority_configuration())
        addresses = [address for host in hosts if host["name"] == SERVICES for address in addresses_of(host)]
        folder.certificate("tls/server", server_configuration(names, addresses), issuer="tls/ca")
    for host in hosts:
        files = {"ca.crt": "tls/ca.crt"}
        if host["name"] == SERVICES:
            files.update({"server.crt": "tls/server.crt", "server.key": "tls/server.key"})
        for name, source in files.items():
            if names:
                folder.file(f"hosts/{host['name']}/{name}", read_text(os.path.join(folder.path, source)))
            else:
                folder.remove(f"hosts/{host['name']}/{name}")


def main() -> None:
    """Create keys, certificates and known hosts."""
    module = AnsibleModule(
        argument_spec={
            "folder": {"type": "path", "required": True},
            "hosts": {"type": "list", "elements": "dict", "required": True},
            "name_servers": {"type": "list", "elements": "str", "default": []},
            "server_names": {"type": "list", "elements": "str", "default": []},
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
        known.append(f"{','.join(addresses_of(host))},{host['name']} {' '.join(host_key)}\n")
    create_certificates(folder, module.params["server_names"], module.params["hosts"])
    folder.file("ssh/config", ssh_config(folder.path, module.params["user"], module.params["hosts"]))
    folder.keep_only("hosts", {host["name"] for host in module.params["hosts"]})
    folder.file("ssh/known_hosts", "".join(known))
    listing = "".join(name + "\n" for name in folder.changes)
    module.exit_json(
        changed=bool(folder.changes),
        changes=folder.changes,
        diff={"before": "", "after": listing, "after_header": folder.path},
    )


if __name__ == "__main__":
    main()
