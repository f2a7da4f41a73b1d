#!/usr/bin/python
# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: lab_info
short_description: Gather information about a lab and the machine that runs it
version_added: 0.1.0
author:
  - slipway.kube authors (@slipway)
description:
  - Inspects this machine (Docker Engine, capabilities, routes, disk, programs) and computes the layout of the requested lab.
  - Returns everything that prevents the lab on this machine, before anything is changed.
options:
  name:
    description: Name of the lab.
    type: str
    required: true
  folder:
    description: Folder for keys, known hosts and inventory of the lab.
    type: path
    required: true
  kind:
    description: Whether the nodes are containers or virtual machines. Other hosts are always containers.
    type: str
    choices: [container, vm]
    default: container
  vm_cpus:
    description: Number of CPUs of a virtual machine.
    type: int
    default: 2
  vm_memory:
    description: Memory of a virtual machine in MiB.
    type: int
    default: 2048
  vm_disk:
    description: Disk of a virtual machine in GiB.
    type: int
    default: 20
  vm_kernel:
    description: Folder with a kernel for user-mode Linux and its modules, of which the virtual machines are processes. If empty, QEMU runs them.
    type: path
    default: ""
  vm_image:
    description: Disk image (qcow2 or raw, with cloud-init) for the virtual machines. If empty, the Debian image of the lab is used.
    type: path
    default: ""
  cache:
    description: Folder for the Debian disk of virtual machines.
    type: path
    default: ""
  control_planes:
    description: Number of control plane hosts.
    type: int
    default: 1
  workers:
    description: Number of worker hosts.
    type: int
    default: 2
  mirror:
    description: Whether the lab has a host that serves the bundle.
    type: bool
    default: false
  subnet:
    description: Network of the hosts, in CIDR notation.
    type: str
    required: true
  ip_families:
    description: Address families of the hosts, V(ipv4), V(ipv6) or both. The first one is that of their main addresses.
    type: list
    elements: str
    choices: [ipv4, ipv6]
    default: [ipv4]
  second_network:
    description: Whether nodes have a second interface with the default route, in a network in which they do not reach each other.
    type: bool
    default: false
  proxy:
    description: Whether a forward proxy on the host C(services) is the only way out for the nodes.
    type: bool
    default: false
  bundle:
    description: Folder of the bundle that the mirror serves.
    type: path
    required: true
  sources:
    description:
      - Where the hosts get their software. With V(auto), from upstream if it can be reached from this machine, otherwise from the origin.
      - With V(none), the names of upstream servers have no meaning on the hosts.
    type: str
    choices: [auto, upstream, origin, none]
    default: auto
  origin:
    description: Folder of the origin, which replaces upstream.
    type: path
    required: true
  distribution:
    description: Distribution of the hosts.
    type: str
    default: debian13
  host_distributions:
    description: Distributions by host name, for hosts that differ.
    type: dict
    default: {}
  disk_needed:
    description: Required disk space in MiB in the data folder of the Docker Engine. With 0, it is estimated from the number of hosts.
    type: int
    default: 0
  name_servers:
    description: Name servers of the hosts. If empty, those of this machine are used.
    type: list
    elements: str
    default: []
  user:
    description: User name for SSH connections to the hosts.
    type: str
    default: ops
  mirror_port:
    description: TCP port of the mirror.
    type: int
    default: 80
  cluster_variables:
    description: Variables of the group C(kube_cluster) in the inventory, in addition to the endpoint.
    type: dict
    default: {}
  waits:
    description:
      - Timeouts among the variables of the group C(kube_cluster). In the inventory they are multiplied by RV(slowness).
      - A number is in seconds; dictionaries may contain durations in the format of Kubernetes flags (V(15s)).
    type: dict
    default: {}
  mirror_variables:
    description: Variables of the group C(kube_mirror) in the inventory.
    type: dict
    default: {}
attributes:
  check_mode:
    description: The module only reads.
    support: full
"""

EXAMPLES = r"""
- name: Gather information about a lab
  slipway.kube.lab_info:
    name: lab
    folder: .lab/lab
    subnet: 10.123.0.0/24
    bundle: ~/.cache/slipway/bundle
    origin: ~/.cache/slipway/origin
  register: lab
"""

RETURN = r"""
problems:
  description: What prevents the lab on this machine, with evidence and remedy.
  returned: always
  type: list
  elements: str
unbuilt:
  description:
    - What must be built before the lab can be created, the origin or the bundle, with the remedy. These are also in C(problems), except in check
      mode, in which the rest is predicted.
  returned: always
  type: list
  elements: str
hosts:
  description:
    - Hosts of the lab with name, address, addresses, role, kind, distribution, container, the image of the container (V(machine), or the
      distribution), environment, and inventory variables.
    - Their networks and etc_hosts are options of community.docker.docker_container.
  returned: always
  type: list
  elements: dict
flags:
  description: Options of community.docker.docker_container that are required with this engine.
  returned: always
  type: dict
engine:
  description: The state of the Docker Engine, and whether it can be installed and started.
  returned: always
  type: dict
containers:
  description: Existing containers of this lab (name, state), including those that are no longer part of it.
  returned: always
  type: list
  elements: dict
owner:
  description: Folder that the existing hosts of this lab were created from, if it is another one than O(folder) and still exists; empty otherwise.
  returned: always
  type: str
others:
  description: Number of containers on the engine that do not belong to this lab.
  returned: always
  type: int
network:
  description: Name, subnet and gateway of the lab's network.
  returned: always
  type: dict
networks:
  description: All networks of the lab, as options of community.docker.docker_network.
  returned: always
  type: list
  elements: dict
sources:
  description: The sources that the hosts use, the reason, and the names of the servers that the origin replaces.
  returned: always
  type: dict
  sample: {"used": "upstream", "reason": "upstream can be reached", "names": []}
folder_ids:
  description:
    - Identifies the folders that hosts serve, by the role of the host. It changes when a folder is replaced, to which an existing bind mount
      does not react.
  returned: always
  type: dict
name_servers:
  description: Name servers of the hosts.
  returned: always
  type: list
  elements: str
endpoint:
  description: HOST:PORT of the cluster's API.
  returned: always
  type: str
disk:
  description: The data folder of the engine, the free space in MiB for the lab, and the space that the lab requires.
  returned: always
  type: dict
kernel_modules:
  description: Whether this machine has kernel modules that hosts can load.
  returned: always
  type: bool
machine:
  description: Description of the virtual machines. If existing machines differ, a problem is returned.
  returned: always
  type: str
trial:
  description:
    - The result of trying the accelerators, if recorded (accelerator, seconds, kvm, image), from C(trial.json) in the folder of the lab.
  returned: always
  type: dict
slowness:
  description: The factor by which these hosts are slower than hardware, at least 1.
  returned: always
  type: float
inventory:
  description: The inventory of the lab as data.
  returned: always
  type: dict
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._lab import networks
from ..module_utils._lab.gather import gather


def main() -> None:
    """Gather the information."""
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "folder": {"type": "path", "required": True},
            "kind": {"type": "str", "choices": ["container", "vm"], "default": "container"},
            "vm_cpus": {"type": "int", "default": 2},
            "vm_memory": {"type": "int", "default": 2048},
            "vm_disk": {"type": "int", "default": 20},
            "vm_image": {"type": "path", "default": ""},
            "vm_kernel": {"type": "path", "default": ""},
            "cache": {"type": "path", "default": ""},
            "control_planes": {"type": "int", "default": 1},
            "workers": {"type": "int", "default": 2},
            "mirror": {"type": "bool", "default": False},
            "subnet": {"type": "str", "required": True},
            "ip_families": {"type": "list", "elements": "str", "choices": list(networks.FAMILIES), "default": ["ipv4"]},
            "second_network": {"type": "bool", "default": False},
            "proxy": {"type": "bool", "default": False},
            "bundle": {"type": "path", "required": True},
            "sources": {"type": "str", "choices": ["auto", "upstream", "origin", "none"], "default": "auto"},
            "origin": {"type": "path", "required": True},
            "distribution": {"type": "str", "default": "debian13"},
            "host_distributions": {"type": "dict", "default": {}},
            "disk_needed": {"type": "int", "default": 0},
            "name_servers": {"type": "list", "elements": "str", "default": []},
            "user": {"type": "str", "default": "ops"},
            "mirror_port": {"type": "int", "default": 80},
            "cluster_variables": {"type": "dict", "default": {}},
            "waits": {"type": "dict", "default": {}},
            "mirror_variables": {"type": "dict", "default": {}},
        },
        supports_check_mode=True,
    )
    module.exit_json(changed=False, **gather(module.params, module.check_mode))


if __name__ == "__main__":
    main()
