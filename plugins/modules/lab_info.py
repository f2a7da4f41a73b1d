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

import os
import shutil

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._lab import layout, machines, networks, sources
from ..module_utils._lab.engine import LABEL, DockerEngine, free_megabytes, read_text, socket_path
from ..module_utils._lab.inventory import connection, endpoint, inventory, mirror_url

# Programs, and the Debian packages that provide them.
PROGRAMS = {"dockerd": "docker.io", "mmdebstrap": "mmdebstrap", "ssh-keygen": "openssh-client", "ssh": "openssh-client"}
MACHINE_PROGRAMS = {"mkfs.ext4": "e2fsprogs"}
# Disk space of a host with a cluster (unpacked images, etcd, logs), and of the image with its tar file or disk.
HOST_MB = {"container": 2500, "vm": 5000}
SERVICE_MB = 500
IMAGE_MB = {"container": 1000, "vm": 3000}
API_PORT = 6443


def inspect_engine(path: str, programs: dict[str, str]) -> dict:
    """Return the state of the Docker Engine, and whether it and the *programs* can be installed."""
    places = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"])
    info = DockerEngine(path).info() if path else None
    pid = read_text("/var/run/docker.pid").strip()
    # An engine cannot grant capabilities that it lacks; one that is started here inherits those of this process.
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
        "capabilities_missing": layout.missing_capabilities(status),
        "service_manager": os.path.isdir("/run/systemd/system"),
        "installable": os.geteuid() == 0 and shutil.which("apt-get") is not None,
        "missing_programs": {
            program: package for program, package in programs.items() if shutil.which(program, path=places) is None
        },
    }


def identity(path: str) -> str:
    """Return what distinguishes this folder from another one at the same path."""
    try:
        state = os.stat(path)
    except OSError:
        return ""
    return f"{state.st_dev}-{state.st_ino}"


def lab_inventory(params: dict, hosts: list[dict], slowness: float, variables: dict) -> dict:
    """Return the complete inventory.

    :param variables: variables of the group kube_cluster that the sources and networks require.
    """
    waits = machines.stretched(params["waits"], slowness)
    shared = connection(params["folder"], params["user"])
    own = params["cluster_variables"]
    # With a virtual IP address, the control planes need no load balancer.
    balanced = {} if own.get("kube_control_plane_vip") else {"kube_control_plane_endpoint": endpoint(hosts, API_PORT)}
    cluster = {**balanced, **waits, **variables, **own}
    mirrors = [host["address"] for host in hosts if host["role"] == "mirror"]
    if mirrors:
        shared["kube_mirror_url"] = mirror_url(mirrors[0], params["mirror_port"])
    return inventory(hosts, shared, cluster, params["mirror_variables"])


def owner_of(containers: list[dict], folder: str) -> str:
    """Return the folder that the containers of a lab were created from; empty if it is this one or is gone.

    :param containers: as the Docker Engine lists them; each host mounts `FOLDER/hosts/NAME` at /lab (roles/lab/tasks/hosts.yml).
    """
    mounted = [mount["Source"] for entry in containers for mount in entry["Mounts"] if mount["Destination"] == "/lab"]
    folders = {os.path.realpath(os.path.join(source, "..", "..")) for source in mounted}
    others = folders - {os.path.realpath(folder)}
    return next((owner for owner in sorted(others) if os.path.isdir(owner)), "")


def existing(name: str, network: str, engine: dict, folder: str) -> dict:
    """Return what exists of the lab: containers, owner, machines, kinds of hosts, subnets; and the number of other containers.

    :param network: name of the lab's first network; those of the others begin with it.
    """
    if not engine["running"]:
        return {"containers": [], "owner": "", "machines": [], "kinds": [], "others": 0, "subnets": []}
    docker = DockerEngine(engine["socket"])
    containers = docker.containers()
    own = [entry for entry in containers if entry["Labels"].get(LABEL) == name]
    found = [docker.network(network + suffix) or {} for suffix in ("", "-second")]
    return {
        "containers": [{"name": entry["Names"][0].lstrip("/"), "state": entry["State"]} for entry in own],
        "owner": owner_of(own, folder),
        "machines": [
            {"machine": entry["Labels"][f"{LABEL}.machine"], "state": entry["State"]}
            for entry in own
            if f"{LABEL}.machine" in entry["Labels"]
        ],
        "kinds": sorted({entry["Labels"][f"{LABEL}.kind"] for entry in own if f"{LABEL}.kind" in entry["Labels"]}),
        "others": len(containers) - len(own),
        "subnets": [entry["Subnet"] for one in found for entry in one.get("IPAM", {}).get("Config") or []],
    }


def gather(params: dict, check: bool) -> dict:
    """Return the result of the module.

    :param check: whether what is not built yet is no problem, so that what a run would do can be predicted.
    """
    kind, network = params["kind"], f"slipway-{params['name']}"
    programs = dict(PROGRAMS, **(MACHINE_PROGRAMS if kind == "vm" else {}))
    engine = inspect_engine(socket_path(os.environ.get("DOCKER_HOST")), programs)
    lab = existing(params["name"], network, engine, params["folder"])
    chosen = sources.choose(params["sources"], params["origin"])
    count = params["control_planes"] + params["workers"]
    images = 1 + len(set(params["host_distributions"].values()) - {params["distribution"]})
    estimate = images * IMAGE_MB[kind] + count * HOST_MB[kind] + (1 + params["mirror"]) * SERVICE_MB
    have = dict(
        engine,
        kinds=lab["kinds"],
        **(machines.facts(params, lab["machines"]) if kind == "vm" else {}),
        routes=layout.parse_routes(read_text("/proc/net/route")),
        own_routes=lab["subnets"],
        network_subnets=lab["subnets"],
        ipv6=os.path.exists("/proc/net/if_inet6"),
        disk_path=engine["root"],
        # Existing hosts already use their share of the space.
        disk_free_mb=free_megabytes(engine["root"]) + HOST_MB[kind] * len(lab["containers"]),
        sources=chosen["used"],
        sources_problem=chosen["problem"],
        sources_missing=chosen["missing"],
        bundle_found=os.path.exists(os.path.join(params["bundle"], "bundle.json")),
    )
    want = dict(params, disk_needed_mb=params["disk_needed"] or estimate, machine=machines.described(params))
    unbuilt = layout.unbuilt(want, have)
    problems = layout.problems(want, have) + ([] if check else unbuilt)
    trial = machines.trial_of(params["folder"]) if kind == "vm" else {}
    count = count if kind == "vm" else 0
    slowness = machines.slowness(trial, count, params["vm_cpus"], os.cpu_count() or 1)
    subnet = params["subnet"]
    hosts = []
    if not problems:
        hosts = layout.hosts(params["control_planes"], params["workers"], params["mirror"], subnet, kind)
        hosts = networks.place(hosts, params, network, chosen)
    own = layout.distributions(hosts, params["distribution"], params["host_distributions"])
    for host in hosts:
        host["container"] = f"{network}-{host['name']}"
        host["distribution"] = own[host["name"]]
        host["image"] = "machine" if host["kind"] == "vm" else host["distribution"]
    variables = {**chosen["variables"], **networks.cluster_variables(params, hosts)}
    return {
        "problems": problems,
        "unbuilt": unbuilt,
        "hosts": hosts,
        "flags": layout.container_flags(engine["capabilities_missing"], engine["version"]),
        "engine": engine,
        "containers": lab["containers"],
        "owner": lab["owner"],
        "others": lab["others"],
        "network": {"name": network, "subnet": subnet, "gateway": "" if problems else networks.main_gateway(params)},
        "networks": [] if problems else networks.networks(params, network, chosen["used"]),
        "sources": {name: chosen[name] for name in ("used", "reason", "names")},
        "folder_ids": {"mirror": identity(params["bundle"]), "services": identity(params["origin"])},
        "name_servers": params["name_servers"]
        or layout.name_servers(read_text("/etc/resolv.conf"), params["ip_families"]),
        "endpoint": endpoint(hosts, API_PORT),
        "inventory": lab_inventory(params, hosts, slowness, variables),
        "machine": want["machine"],
        "trial": trial,
        "slowness": slowness,
        "disk": {"path": engine["root"], "free_mb": have["disk_free_mb"], "needed_mb": want["disk_needed_mb"]},
        "kernel_modules": os.path.isdir("/lib/modules"),
    }


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
