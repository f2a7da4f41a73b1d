#!/usr/bin/python
# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: host_layer
short_description: Converge one layer of a host in one call
version_added: 0.1.0
author:
  - slipway.kube authors (@slipway)
description:
  - Internal module, which the roles use. Its options can change in any release.
  - Brings swap, kernel modules, kernel parameters, files, packages, firewall, nftables tables and units of a host into the desired state, in this order.
  - Packages are downloaded before files other than those of repositories are written, so that no configuration is replaced if they cannot be installed.
  - The original state is written to the host's record before the first change, so that P(slipway.kube.reset#role) can restore it.
  - An interrupted run resumes with the next one. Whether a unit is restarted follows from the times of its files and of its start.
  - In check mode, it predicts the changes from the state of the host and contacts no repository.
requirements:
  - systemd
  - apt or dnf, for packages
options:
  name:
    description: Name of the layer, for messages.
    type: str
    required: true
  cluster:
    description: Name of the cluster that the host is prepared for. It is written to the record. The module fails if the host is marked for another cluster.
    type: str
    default: ""
  record_dir:
    description: Directory of the host's record.
    type: path
    default: /var/lib/slipway
  http_proxy:
    description: URL of the proxy for downloads and for the package manager. It may hold a password and is never shown.
    type: str
    default: ""
  https_proxy:
    description: The same for https URLs.
    type: str
    default: ""
  no_proxy:
    description: Names, addresses and networks that are contacted without it.
    type: list
    elements: str
    default: []
  swap:
    description: Swap of the host. By default, it is not managed.
    type: dict
    suboptions:
      state:
        description: With V(absent), swap is off now and after a reboot. With V(kept), it is not changed.
        type: str
        choices: [absent, kept]
        default: absent
  modules:
    description: Kernel modules. A module that is built into the kernel counts as loaded.
    type: dict
    suboptions:
      file:
        description: File in C(/etc/modules-load.d) that loads the modules at boot.
        type: path
        required: true
      names:
        description: Names of the modules.
        type: list
        elements: str
        required: true
  sysctls:
    description: Kernel parameters, set immediately and at every boot.
    type: dict
    suboptions:
      file:
        description: File in C(/etc/sysctl.d) that sets the parameters at boot. The module fails if a file that is read later sets another value.
        type: path
        required: true
      values:
        description: Parameters and their values.
        type: dict
        required: true
  files:
    description: Files and directories, in this order. Missing parent directories are created with mode V(0755).
    type: list
    elements: dict
    default: []
    suboptions:
      path:
        description: Path of the file or directory.
        type: path
        required: true
      state:
        description: Desired state. With V(absent), a directory is removed with its content.
        type: str
        choices: [file, directory, absent]
        default: file
      content:
        description: Content of the file.
        type: str
      secret_content:
        description: Content of the file, never shown in output, logs or diffs. The mode is V(0600) by default.
        type: str
      url:
        description:
          - URL that the host downloads the file from, again only when the URL changes or O(files[].checksum) no longer matches.
          - Files of package repositories are downloaded again as well when apt rejects the signature of a repository, so that a key that
            has changed at its URL is used.
        type: str
        default: ""
      checksum:
        description:
          - Digest that the download must have, as V(sha256:HEX).
        type: str
        default: ""
      contains:
        description: Text that must occur in the download, so that a proxy's error page is not mistaken for the file.
        type: str
        default: ""
      mode:
        description: Permissions, as an octal string. By default V(0755) for a directory, V(0600) for a secret and V(0644) for other files.
        type: str
        default: ""
      owner:
        description: Name or number of the owner.
        type: str
        default: root
      group:
        description: Name or number of the group.
        type: str
        default: root
      purge:
        description:
          - For a directory, whether files below it that an earlier run created and that are no longer listed are removed,
            or restored to their original content. Other files are kept.
        type: bool
        default: false
  packages:
    description: Packages, installed in one transaction that never removes another package.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name of the package.
        type: str
        required: true
      version:
        description: The version or its prefix; V(1.37.2) matches V(1.37.2-1.1). Empty for any version.
        type: str
        default: ""
      hold:
        description: Whether the package is held at its version (apt-mark hold, dnf versionlock). By default, a hold is not changed.
        type: bool
      state:
        description: Whether the package is installed.
        type: str
        choices: [present, absent]
        default: present
      modes:
        description: Permissions of files of the package by path, as octal strings with four digits. They are set again after each update of the package.
        type: dict
        default: {}
  package_sources:
    description: Files with the repositories of these packages. Only their package lists are updated when a version is not in the lists on the host.
    type: list
    elements: path
    default: []
  firewall:
    description: Ports, IP protocols and networks that firewalld allows, now and after a reload. firewalld must run on the host.
    type: dict
    suboptions:
      ports:
        description: Ports opened in the zone, such as V(6443/tcp) or V(30000-32767/tcp).
        type: list
        elements: str
        default: []
      protocols:
        description: IP protocols allowed in the zone, by number or name, such as V(4) for IP in IP.
        type: list
        elements: str
        default: []
      zone:
        description: Zone of the ports and protocols. If empty, the default zone.
        type: str
        default: ""
      trusted:
        description: Networks in the zone C(trusted), such as the pod network.
        type: list
        elements: str
        default: []
  absent_tables:
    description: nftables tables that are deleted, each with its family, such as V(inet kube-network-policies).
    type: list
    elements: str
    default: []
  units:
    description: systemd units.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Full name of the unit.
        type: str
        required: true
      enabled:
        description: Whether the unit starts at boot. By default, this is not changed.
        type: bool
      state:
        description: Whether the unit runs now. By default, this is not changed.
        type: str
        choices: [started, stopped]
      masked:
        description: Whether the unit is masked. By default, this is not changed.
        type: bool
      restart_when_newer:
        description: Files that the unit reads, or directories of such files. A running unit is restarted if one of them has changed since its start.
        type: list
        elements: path
        default: []
      restart_when_replaced:
        description: Whether a running unit is restarted if its program has been replaced since its start, by an update of its package.
        type: bool
        default: false
      health:
        description:
          - How to see whether the unit works after it was started. By default, that systemd has started it is enough.
          - If it does not work, the files in O(units[].restart_when_newer) that this call has changed are put back, the unit is restarted, and the
            module fails with what the unit's journal says.
        type: dict
        suboptions:
          url:
            description: URL on the host's loopback that answers with status 200 if the unit works.
            type: str
            required: true
          variables:
            description: Variables that hold the unit's settings, for the error message.
            type: str
            default: ""
attributes:
  check_mode:
    description: Predicts the changes without making them.
    support: full
  diff_mode:
    description: Returns one entry for each file, parameter, package and unit. Secrets are not shown.
    support: full
  platform:
    description: Debian, Ubuntu and RHEL-like systems with systemd.
    support: full
    platforms: debian, rhel
notes:
  - Only one module of this collection changes a host at a time; others wait for it.
seealso:
  - module: slipway.kube.host_info
"""

EXAMPLES = r"""
- name: Load kernel modules and set kernel parameters for pods
  slipway.kube.host_layer:
    name: kernel
    cluster: kubernetes
    modules:
      file: /etc/modules-load.d/k8s.conf
      names: [overlay, br_netfilter]
    sysctls:
      file: /etc/sysctl.d/k8s.conf
      values:
        net.bridge.bridge-nf-call-iptables: 1
        net.ipv4.ip_forward: 1

- name: Install a service with its configuration
  slipway.kube.host_layer:
    name: containerd
    files:
      - path: /etc/containerd/config.toml
        content: "{{ lookup('ansible.builtin.template', 'config.toml.j2') }}"
      - path: /etc/containerd/certs.d/docker.io/hosts.toml
        secret_content: "{{ lookup('ansible.builtin.template', 'hosts.toml.j2') }}"
    packages:
      - name: containerd.io
        version: 2.2.3
        hold: true
    units:
      - name: containerd.service
        enabled: true
        state: started
        restart_when_newer: [/etc/containerd/config.toml]
"""

RETURN = r"""
changes:
  description: Changes that were made, or in check mode would be made, one sentence each.
  returned: success
  type: list
  elements: str
  sample: ["file /etc/containerd/config.toml changed", "unit containerd.service restarted: /etc/containerd/config.toml changed since its start"]
restarted:
  description: Units that were started or restarted.
  returned: success
  type: list
  elements: str
  sample: [containerd.service]
notes:
  description: Notes about settings that were not changed.
  returned: success
  type: list
  elements: str
  sample: []
diff:
  description: State before and after each change.
  returned: in diff mode
  type: list
  elements: dict
"""

import os

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.urls import open_url

from ..module_utils._host.facts.proxies import LOGIN_NEEDED, PROXY_REMEDY, hide_logins
from ..module_utils._host.files import WantedFile
from ..module_utils._host.layer import Layer, WantedLayer
from ..module_utils._host.packages import WantedPackage
from ..module_utils._host.record import Record
from ..module_utils._host.system import HostError, System, host_lock
from ..module_utils._host.units import WantedUnit

FILE_OPTIONS = {
    "path": {"type": "path", "required": True},
    "state": {"type": "str", "choices": ["file", "directory", "absent"], "default": "file"},
    "content": {"type": "str"},
    "secret_content": {"type": "str", "no_log": True},
    "url": {"type": "str", "default": ""},
    "checksum": {"type": "str", "default": ""},
    "contains": {"type": "str", "default": ""},
    "mode": {"type": "str", "default": ""},
    "owner": {"type": "str", "default": "root"},
    "group": {"type": "str", "default": "root"},
    "purge": {"type": "bool", "default": False},
}
PACKAGE_OPTIONS = {
    "name": {"type": "str", "required": True},
    "version": {"type": "str", "default": ""},
    "hold": {"type": "bool"},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "modes": {"type": "dict", "default": {}},
}
UNIT_OPTIONS = {
    "name": {"type": "str", "required": True},
    "enabled": {"type": "bool"},
    "state": {"type": "str", "choices": ["started", "stopped"]},
    "masked": {"type": "bool"},
    "restart_when_newer": {"type": "list", "elements": "path", "default": []},
    "restart_when_replaced": {"type": "bool", "default": False},
    "health": {
        "type": "dict",
        "options": {"url": {"type": "str", "required": True}, "variables": {"type": "str", "default": ""}},
    },
}
ARGUMENTS = {
    "name": {"type": "str", "required": True},
    "cluster": {"type": "str", "default": ""},
    "record_dir": {"type": "path", "default": "/var/lib/slipway"},
    "http_proxy": {"type": "str", "default": "", "no_log": True},
    "https_proxy": {"type": "str", "default": "", "no_log": True},
    "no_proxy": {"type": "list", "elements": "str", "default": []},
    "swap": {"type": "dict", "options": {"state": {"type": "str", "choices": ["absent", "kept"], "default": "absent"}}},
    "modules": {
        "type": "dict",
        "options": {
            "file": {"type": "path", "required": True},
            "names": {"type": "list", "elements": "str", "required": True},
        },
    },
    "sysctls": {
        "type": "dict",
        "options": {"file": {"type": "path", "required": True}, "values": {"type": "dict", "required": True}},
    },
    "files": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": FILE_OPTIONS,
        "mutually_exclusive": [("content", "secret_content")],
    },
    "packages": {"type": "list", "elements": "dict", "default": [], "options": PACKAGE_OPTIONS},
    "package_sources": {"type": "list", "elements": "path", "default": []},
    "firewall": {
        "type": "dict",
        "options": {
            "ports": {"type": "list", "elements": "str", "default": []},
            "protocols": {"type": "list", "elements": "str", "default": []},
            "zone": {"type": "str", "default": ""},
            "trusted": {"type": "list", "elements": "str", "default": []},
        },
    },
    "absent_tables": {"type": "list", "elements": "str", "default": []},
    "units": {"type": "list", "elements": "dict", "default": [], "options": UNIT_OPTIONS},
}


def wanted_layer(params):
    """Return the desired layer from the module's options."""
    modules, sysctls, firewall = params["modules"] or {}, params["sysctls"] or {}, params["firewall"] or {}
    return WantedLayer(
        name=params["name"],
        cluster=params["cluster"],
        swap=(params["swap"] or {"state": "kept"})["state"],
        modules_file=modules.get("file", ""),
        modules=modules.get("names", []),
        sysctls_file=sysctls.get("file", ""),
        sysctls=sysctls.get("values", {}),
        files=[WantedFile.from_options(item) for item in params["files"]],
        packages=[WantedPackage(**item) for item in params["packages"]],
        package_sources=params["package_sources"],
        firewall_ports=firewall.get("ports", []),
        firewall_trusted=firewall.get("trusted", []),
        firewall_protocols=firewall.get("protocols", []),
        firewall_zone=firewall.get("zone", ""),
        absent_tables=params["absent_tables"],
        units=[WantedUnit.from_options(item) for item in params["units"]],
    )


def use_proxy(params):
    """Set the proxy for this process and the package managers that it runs; the module's own environment counts without one."""
    if params["http_proxy"] or params["https_proxy"]:
        values = {name: params[name] for name in ("http_proxy", "https_proxy")}
        values["no_proxy"] = ",".join(params["no_proxy"])
        for name, value in values.items():
            os.environ[name] = os.environ[name.upper()] = value


def fetch(url):
    """Return the content of a URL.

    :raises HostError: it cannot be downloaded.
    """
    try:
        return open_url(url, timeout=60, use_proxy=True).read()
    except Exception as error:  # open_url raises what urllib, ssl and socket raise
        reason = LOGIN_NEEDED if "407" in str(error) else hide_logins(str(error))
        remedy = PROXY_REMEDY if reason == LOGIN_NEEDED else "Correct the URL, or check that this host can reach it."
        raise HostError(f"{url} cannot be downloaded: {reason}. {remedy} [slipway:download_failed]") from error


def main():
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    use_proxy(module.params)
    try:
        with host_lock():
            record = Record.load(module.params["record_dir"])
            result = Layer(System(), record, wanted_layer(module.params), fetch).run(module.check_mode).as_dict()
    except HostError as error:
        module.fail_json(msg=f"Layer '{module.params['name']}': {error}")
    if not module._diff:
        result.pop("diff")
    module.exit_json(**result)


if __name__ == "__main__":
    main()
