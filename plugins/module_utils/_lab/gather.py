# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything that is known about a lab before it is created: the machine, what exists, the hosts, and what prevents it."""

from __future__ import annotations

import os
import shutil

from . import layout, machines, networks, sources
from .engine import LABEL, DockerEngine, free_megabytes, read_text, socket_path
from .inventory import connection, endpoint, inventory, mirror_url

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


def planned_hosts(params: dict, network: str, chosen: dict) -> list[dict]:
    """Return the hosts of the lab with their networks, containers and images.

    :param network: name of the lab's first network.
    :param chosen: the sources of their software, see C(sources.choose).
    """
    hosts = layout.hosts(
        params["control_planes"], params["workers"], params["mirror"], params["subnet"], params["kind"]
    )
    hosts = networks.place(hosts, params, network, chosen)
    own = layout.distributions(hosts, params["distribution"], params["host_distributions"])
    for host in hosts:
        host["container"] = f"{network}-{host['name']}"
        host["distribution"] = own[host["name"]]
        host["image"] = "machine" if host["kind"] == "vm" else host["distribution"]
    return hosts


def gather(params: dict, check: bool) -> dict:
    """Return the result of the module lab_info.

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
    hosts = [] if problems else planned_hosts(params, network, chosen)
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
        "network": {
            "name": network,
            "subnet": params["subnet"],
            "gateway": "" if problems else networks.main_gateway(params),
        },
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
