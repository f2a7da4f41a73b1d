#!/usr/bin/python
# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: lab_info
short_description: What a lab would be on this machine, and what there is of it
version_added: 0.1.0
author:
  - slipway.kube authors (@slipway)
description:
  - Looks at this machine (its Docker Engine, capabilities, routes, disk, programs) and works out the lab that was asked for.
  - Names everything that speaks against it, before anything is touched.
options:
  name:
    description: Name of the lab.
    type: str
    required: true
  folder:
    description: Folder of the lab's keys, known hosts and inventory.
    type: path
    required: true
  kind:
    description: What hosts are made of. The mirror is a container in both.
    type: str
    choices: [container, vm]
    default: container
  vm_cpus:
    description: CPUs of a virtual machine.
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
  vm_image:
    description: Disk image (qcow2 or raw, with cloud-init) of which machines are copies. Empty for the lab's own.
    type: path
    default: ""
  cache:
    description: Folder in which the machines' own disk is kept.
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
    description: Whether a host serves the bundle.
    type: bool
    default: true
  subnet:
    description: Network of the hosts, in CIDR notation.
    type: str
    required: true
  bundle:
    description: Folder of the bundle that the mirror serves.
    type: path
    required: true
  disk_needed:
    description: Room in MiB that must be free where the engine keeps its data. 0 works it out from the number of hosts.
    type: int
    default: 0
  name_servers:
    description: Name servers for the hosts. Empty for those of this machine.
    type: list
    elements: str
    default: []
  user:
    description: User by whom the hosts are reached.
    type: str
    default: ops
  mirror_port:
    description: TCP port of the mirror.
    type: int
    default: 80
  cluster_variables:
    description: Variables of the group C(kube_cluster) in the inventory, besides the endpoint.
    type: dict
    default: {}
  waits:
    description:
      - Variables of the group C(kube_cluster) that are times, RV(slowness) times as long in the inventory.
      - A number is seconds; a time as Kubernetes' flags take it (V(15s)) may stand anywhere in a dictionary.
    type: dict
    default: {}
  mirror_variables:
    description: Variables of the group C(kube_mirror) in the inventory.
    type: dict
    default: {}
attributes:
  check_mode:
    description: Only looks.
    support: full
"""

EXAMPLES = r"""
- name: Look at this machine
  slipway.kube.lab_info:
    name: lab
    folder: .lab/lab
    subnet: 10.123.0.0/24
    bundle: ~/.cache/slipway/bundle
  register: lab
"""

RETURN = r"""
problems:
  description: What speaks against making the lab here, each with evidence and remedy.
  returned: always
  type: list
  elements: str
hosts:
  description: Hosts of the lab with name, address, role, kind and container.
  returned: always
  type: list
  elements: dict
flags:
  description: Options of community.docker.docker_container that this engine needs.
  returned: always
  type: dict
engine:
  description: The Docker Engine, whether it runs, and how it can be had where it does not.
  returned: always
  type: dict
containers:
  description: Containers of this lab that there are (name, state), whether still wanted or not.
  returned: always
  type: list
  elements: dict
others:
  description: Number of containers on the engine that are not this lab's.
  returned: always
  type: int
network:
  description: Name, subnet and gateway of the lab's network.
  returned: always
  type: dict
bundle_id:
  description: Changes when the bundle's folder is another one than before (a bind mount keeps the old one).
  returned: always
  type: str
name_servers:
  description: Name servers that the hosts are told.
  returned: always
  type: list
  elements: str
endpoint:
  description: HOST:PORT of the cluster's API.
  returned: always
  type: str
disk:
  description: Where the engine keeps its data, the room in MiB that is free there for the lab, and what the lab takes.
  returned: always
  type: dict
kernel_modules:
  description: Whether this machine's kernel has modules that hosts could load.
  returned: always
  type: bool
machine:
  description: What each virtual machine of this lab is, in words. Machines that are there are refused where they are something else.
  returned: always
  type: str
trial:
  description:
    - What trying the accelerators gave, where it was done (accelerator, seconds, kvm, image), from C(trial.json) in the lab's folder.
  returned: always
  type: dict
slowness:
  description: How much longer than on real hardware things take on these hosts, at least 1.
  returned: always
  type: float
inventory:
  description: The lab's inventory as data.
  returned: always
  type: dict
"""

import os
import shutil

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._lab import machines, plan
from ..module_utils._lab.engine import LABEL, Engine, free_megabytes, missing_capabilities, read_text, socket_path
from ..module_utils._lab.inventory import connection, endpoint, inventory, mirror_url

# Program, and Debian's package that brings it.
PROGRAMS = {"dockerd": "docker.io", "mmdebstrap": "mmdebstrap", "ssh-keygen": "openssh-client", "ssh": "openssh-client"}
MACHINE_PROGRAMS = {"mkfs.ext4": "e2fsprogs"}
# A host with a cluster on it (unpacked images, etcd, logs), and the image with its tar file; the same with machines' disk.
HOST_MB = {"container": 2500, "vm": 5000}
IMAGE_MB = {"container": 1000, "vm": 3000}
API_PORT = 6443


def look_at_engine(path: str, programs: dict[str, str]) -> dict:
    """The engine as it is, and whether it and the *programs* can be had here."""
    places = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"])
    info = Engine(path).info() if path else None
    pid = read_text("/var/run/docker.pid").strip()
    # An engine can hand on no more than it holds itself; one that is to be started will hold what this process does.
    status = read_text(f"/proc/{pid if info and pid else 'self'}/status")
    unified = os.path.exists("/sys/fs/cgroup/cgroup.controllers")
    return {
        "running": info is not None,
        "remote": not path,
        "socket": path,
        "version": (info or {}).get("ServerVersion", ""),
        "root": (info or {}).get("DockerRootDir", "/var/lib/docker"),
        "cgroup_version": int((info or {}).get("CgroupVersion") or (2 if unified else 1)),
        "systemd_cgroup": unified or "name=systemd" in read_text("/proc/mounts"),
        "capabilities_missing": missing_capabilities(status, plan.CAPABILITIES),
        "service_manager": os.path.isdir("/run/systemd/system"),
        "installable": os.geteuid() == 0 and shutil.which("apt-get") is not None,
        "missing_programs": {
            program: package for program, package in programs.items() if shutil.which(program, path=places) is None
        },
    }


def identity(path: str) -> str:
    """What tells this folder from another one at the same path."""
    try:
        state = os.stat(path)
    except OSError:
        return ""
    return "%d-%d" % (state.st_dev, state.st_ino)


def lab_inventory(params: dict, hosts: list[dict], slowness: float) -> dict:
    """The inventory with all that a site would write into it."""
    waits = machines.stretched(params["waits"], slowness)
    shared = connection(params["folder"], params["user"])
    cluster = dict(
        {"kube_control_plane_endpoint": endpoint(hosts, API_PORT)}, **dict(waits, **params["cluster_variables"])
    )
    mirrors = [host["address"] for host in hosts if host["role"] == "mirror"]
    if mirrors:
        shared["kube_mirror_url"] = mirror_url(mirrors[0], params["mirror_port"])
    return inventory(hosts, shared, cluster, params["mirror_variables"])


def look(params: dict) -> dict:
    """The module's whole answer for its parameters."""
    engine_path = socket_path(os.environ.get("DOCKER_HOST"))
    kind = params["kind"]
    engine = look_at_engine(engine_path, dict(PROGRAMS, **(MACHINE_PROGRAMS if kind == "vm" else {})))
    network_name = "slipway-" + params["name"]
    containers, made, others, network, kinds = [], [], 0, None, set()
    if engine["running"]:
        asked = Engine(engine_path)
        everything = asked.containers()
        mine = [found for found in everything if found["Labels"].get(LABEL) == params["name"]]
        containers = [{"name": found["Names"][0].lstrip("/"), "state": found["State"]} for found in mine]
        kinds = {found["Labels"][LABEL + ".kind"] for found in mine if LABEL + ".kind" in found["Labels"]}
        made = [
            {"machine": found["Labels"][LABEL + ".machine"], "state": found["State"]}
            for found in mine
            if LABEL + ".machine" in found["Labels"]
        ]
        others = len(everything) - len(mine)
        network = asked.network(network_name)
    subnets = [entry.get("Subnet", "") for entry in ((network or {}).get("IPAM", {}).get("Config") or [])]
    routes = plan.parse_routes(read_text("/proc/net/route"))
    count = params["control_planes"] + params["workers"]
    room = plan.disk_needed(count, HOST_MB[kind], IMAGE_MB[kind]) + params["mirror"] * HOST_MB["container"]
    have = dict(
        engine,
        kinds=sorted(kinds),
        **(machines.facts(params, made) if kind == "vm" else {}),
        routes=routes,
        own_routes=subnets,
        network_subnet=subnets[0] if subnets else "",
        disk_path=engine["root"],
        # Hosts that are there have taken their room already.
        disk_free_mb=free_megabytes(engine["root"]) + HOST_MB[kind] * len(containers),
        bundle_found=os.path.exists(os.path.join(params["bundle"], "bundle.json")),
    )
    want = dict(params, disk_needed_mb=params["disk_needed"] or room, machine=machines.described(params))
    found = plan.problems(want, have)
    trial = machines.trial_of(params["folder"]) if kind == "vm" else {}
    slowness = machines.slowness(
        trial.get("seconds", 0.0), count if kind == "vm" else 0, params["vm_cpus"], os.cpu_count() or 1
    )
    hosts = []
    if not found:
        hosts = plan.hosts(params["control_planes"], params["workers"], params["mirror"], params["subnet"], kind)
        for host in hosts:
            host["container"] = f"{network_name}-{host['name']}"
    return {
        "problems": found,
        "hosts": hosts,
        "flags": plan.container_flags(engine["capabilities_missing"], engine["version"]),
        "engine": engine,
        "containers": containers,
        "others": others,
        "network": {
            "name": network_name,
            "subnet": params["subnet"],
            "gateway": plan.gateway(params["subnet"]) if not found else "",
        },
        "bundle_id": identity(params["bundle"]),
        "name_servers": params["name_servers"] or plan.name_servers(read_text("/etc/resolv.conf")),
        "endpoint": endpoint(hosts, API_PORT),
        "inventory": lab_inventory(params, hosts, slowness),
        "machine": want["machine"],
        "trial": trial,
        "slowness": slowness,
        "disk": {"path": engine["root"], "free_mb": have["disk_free_mb"], "needed_mb": want["disk_needed_mb"]},
        "kernel_modules": os.path.isdir("/lib/modules"),
    }


def main() -> None:
    """Look, and answer."""
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "folder": {"type": "path", "required": True},
            "kind": {"type": "str", "choices": ["container", "vm"], "default": "container"},
            "vm_cpus": {"type": "int", "default": 2},
            "vm_memory": {"type": "int", "default": 2048},
            "vm_disk": {"type": "int", "default": 20},
            "vm_image": {"type": "path", "default": ""},
            "cache": {"type": "path", "default": ""},
            "control_planes": {"type": "int", "default": 1},
            "workers": {"type": "int", "default": 2},
            "mirror": {"type": "bool", "default": True},
            "subnet": {"type": "str", "required": True},
            "bundle": {"type": "path", "required": True},
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
    module.exit_json(changed=False, **look(module.params))


if __name__ == "__main__":
    main()
