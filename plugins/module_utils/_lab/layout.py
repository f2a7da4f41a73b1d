# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The layout of a lab (hosts, addresses, container options), and what prevents it on this machine. Pure functions."""

from __future__ import annotations

import ipaddress
import re

from .._host.facts.network import is_loopback, parse_resolver
from .._host.facts.system import parse_capabilities
from . import machines, networks

# Fixed positions in the subnet, so that adding a host changes no address.
SERVICES_POSITION = 2
MIRROR_POSITION = 3
CONTROL_PLANE_POSITION = 10
WORKER_POSITION = 20
NODES = ("control_plane", "worker")
DISTRIBUTIONS = (*machines.DEBIAN, "el9")
MAX_CONTROL_PLANES = WORKER_POSITION - CONTROL_PLANE_POSITION - 1

NEW_CAPABILITIES = ("PERFMON", "BPF", "CHECKPOINT_RESTORE")
NEW_CAPABILITIES_SINCE = 23  # Docker Engine
# Without these, no host boots.
REQUIRED_CAPABILITIES = ("SYS_ADMIN", "NET_ADMIN", "MKNOD", "SYS_PTRACE")


def hosts(control_planes: int, workers: int, mirror: bool, subnet: str, kind: str = "container") -> list[dict]:
    """Return the hosts of the lab in inventory order.

    :returns: for each host its name, address, role (services, mirror, control_plane, worker) and kind; only nodes can be machines.
    :raises ValueError: the subnet is not valid or too small; the message contains the reason.
    """
    network = ipaddress.ip_network(subnet)
    if network.version != 4:
        raise ValueError(
            "it is not an IPv4 network; lab_ip_families gives the hosts IPv6 addresses [slipway:lab_variables]"
        )
    if control_planes > MAX_CONTROL_PLANES:
        raise ValueError(
            f"{control_planes} control planes were requested, but a lab has at most {MAX_CONTROL_PLANES}"
            " [slipway:lab_variables]"
        )
    layout = [("services", "services", SERVICES_POSITION)]
    layout += [("mirror", "mirror", MIRROR_POSITION)] if mirror else []
    layout += [
        (f"cp{number}", "control_plane", CONTROL_PLANE_POSITION + number) for number in range(1, control_planes + 1)
    ]
    layout += [(f"w{number}", "worker", WORKER_POSITION + number) for number in range(1, workers + 1)]
    last = max([position for _name, _role, position in layout], default=0)
    if last >= network.num_addresses - 1:
        raise ValueError(
            f"{subnet} has no room for address number {last}; use a larger lab_subnet [slipway:lab_variables]"
        )
    return [
        {
            "name": name,
            "role": role,
            "address": str(network[position]),
            "kind": kind if role in networks.NODES else "container",
        }
        for name, role, position in layout
    ]


def distributions(found: list[dict], distribution: str, own: dict) -> dict[str, str]:
    """Return the distribution of each host by its name.

    :param found: result of :func:`hosts`.
    :param distribution: of the lab; hosts that serve the others have the latest Debian where it is not one.
    :param own: distributions by host name, for hosts that differ.
    """
    serving = distribution if distribution in machines.DEBIAN else machines.DEBIAN[-1]
    usual = {host["name"]: distribution if host["role"] in NODES else serving for host in found}
    return {name: own.get(name, usual[name]) for name in usual}


def missing_capabilities(status: str) -> list[str]:
    """Return the capabilities that a process cannot pass on, from its /proc/PID/status, as Docker names them."""
    return [name.upper() for name in parse_capabilities(status, last=63)]


def container_flags(missing: list[str], version: str) -> dict:
    """Return the options of community.docker.docker_container that give a host's container all available privileges.

    With all capabilities this is --privileged. Otherwise --privileged fails, and the same rights are granted one by one.

    :param missing: capabilities that the Docker Engine itself lacks.
    :param version: version of the Docker Engine; an old one can neither grant nor drop capabilities that it does not know.
    """
    if not missing:
        return {"privileged": True, "cap_drop": [], "capabilities": [], "security_opts": [], "device_cgroup_rules": []}
    major = version.split(".", 1)[0]
    knows_new = major.isdigit() and int(major) >= NEW_CAPABILITIES_SINCE
    return {
        "privileged": False,
        "capabilities": ["ALL"],
        "cap_drop": sorted(name for name in missing if name not in NEW_CAPABILITIES or knows_new),
        "security_opts": ["seccomp=unconfined", "apparmor=unconfined"],
        "device_cgroup_rules": ["a *:* rwm"],
    }


def overlaps(subnet: str, routes: list[dict], lab_routes: list[str]) -> list[str]:
    """Return a sentence for each route ({destination, interface}) that overlaps the subnet and is not the lab's."""
    network = ipaddress.ip_network(subnet)
    found = []
    for route in routes:
        destination = ipaddress.ip_network(route["destination"])
        if destination.prefixlen and destination.overlaps(network) and str(destination) not in lab_routes:
            found.append(f"{subnet} overlaps the route to {destination} by {route['interface']}")
    return found


def free_subnet(routes: list[dict]) -> str:
    """Return a /24 next to the default subnet that overlaps no route; empty if there is none."""
    candidates = (f"10.123.{third}.0/24" for third in range(256))
    return next((candidate for candidate in candidates if not overlaps(candidate, routes, [])), "")


def parse_routes(text: str) -> list[dict]:
    """Return the routes in /proc/net/route: destination network and interface (proc(5); addresses are little-endian hex)."""
    routes = []
    for line in text.splitlines()[1:]:
        fields = line.split()
        if len(fields) < 8:
            continue
        address, mask = (".".join(str(byte) for byte in reversed(bytes.fromhex(fields[index]))) for index in (1, 7))
        network = ipaddress.ip_network(f"{address}/{mask}", strict=False)
        routes.append({"destination": str(network), "interface": fields[0]})
    return routes


def name_servers(resolv_conf: str, families: list[str]) -> list[str]:
    """Return the name servers of a resolv.conf that hosts with these address families can use too, which excludes loopback addresses."""
    return [
        server
        for server in parse_resolver(resolv_conf)
        if not is_loopback(server) and ("ipv6" if ":" in server else "ipv4") in families
    ]


def problems(want: dict, have: dict) -> list[str]:
    """Return everything that prevents this lab on this machine: what is wrong, the evidence, the remedy.

    :param want: name, kind, control_planes, workers, mirror, subnet, ip_families, second_network, proxy, bundle, disk_needed_mb, distribution,
        host_distributions; of virtual machines also vm_cpus, vm_memory, vm_disk, vm_image, machine.
    :param have: running, installable, missing_programs, remote, capabilities_missing, routes, own_routes, network_subnets (of the existing
        lab, by network), kinds (of the existing hosts), ipv6, disk_free_mb, disk_path, sources, sources_problem; for virtual machines also
        :func:`machines.facts`.
    """
    found = []
    if not re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?", want["name"]):
        found.append(
            f"lab_name {want['name']!r} is not a valid name for containers and folders: use up to 32 lower-case letters, digits and dashes."
        )
    control_planes = want["control_planes"]
    if control_planes < 1:
        found.append(f"lab_control_planes is {control_planes}: a lab has at least one control plane.")
    if want["workers"] < 0:
        found.append(f"lab_workers is {want['workers']}: it cannot be negative.")
    found += _network_problems(want, have) or _distribution_problems(want)
    found = [f"{one} [slipway:lab_variables]" for one in found + networks.problems(want, have)]
    found += [f"{one} [slipway:lab_engine]" for one in _engine_problems(have)]
    found += [f"{have['sources_problem']} [slipway:lab_sources]"] if have["sources_problem"] else []
    found += _disk_problems(want, have)
    found += [
        f"Lab {want['name']} has hosts of kind {other}, but lab_kind is {want['kind']}: remove the lab first (lab_state: absent), or use "
        "another lab_name. [slipway:lab_exists]"
        for other in sorted(set(have["kinds"]) - {want["kind"]})
    ]
    found += [f"{one} [slipway:lab_machines]" for one in machines.problems(want, have)] if want["kind"] == "vm" else []
    return found


def _network_problems(want: dict, have: dict) -> list[str]:
    try:
        hosts(want["control_planes"], want["workers"], want["mirror"], want["subnet"])
    except ValueError as error:
        return [f"lab_subnet {want['subnet']} cannot be used: {error}."]
    wanted = [subnet for subnets in networks.wanted_subnets(want).values() for subnet in subnets]
    if have["network_subnets"] and sorted(have["network_subnets"]) != sorted(wanted):
        return [
            f"Lab {want['name']} already uses {', '.join(have['network_subnets'])}, but {', '.join(wanted)} was requested (lab_subnet, "
            "lab_ip_families, lab_second_network): remove the lab first (lab_state: absent), or keep its networks."
        ]
    # What an engine that does not run has left behind may be the lab's own network; it is checked again once the engine runs.
    routes = [route for route in have["routes"] if have["running"] or not route["interface"].startswith("br-")]
    remedy = f"Set lab_subnet to an unused network, for example {free_subnet(have['routes']) or 'another private /24'}."
    second = networks.second_subnet(want["subnet"]) if want["second_network"] else ""
    return [f"lab_subnet {sentence}. {remedy}" for sentence in overlaps(want["subnet"], routes, have["own_routes"])] + [
        f"lab_second_network takes {second}, and {sentence}. {remedy}"
        for sentence in (overlaps(second, routes, have["own_routes"]) if second else [])
    ]


def _distribution_problems(want: dict) -> list[str]:
    roles = {
        host["name"]: host["role"]
        for host in hosts(want["control_planes"], want["workers"], want["mirror"], want["subnet"])
    }
    found = []
    for name, distribution in want["host_distributions"].items():
        if name not in roles:
            found.append(
                f"lab_host_distributions names {name}, which is no host of the lab: it has {', '.join(roles)}. Correct the name, or remove it."
            )
        elif distribution not in DISTRIBUTIONS:
            found.append(
                f"lab_host_distributions has the unknown distribution {distribution} for {name}. Use one of {', '.join(DISTRIBUTIONS)}."
            )
        elif roles[name] not in NODES and distribution not in machines.DEBIAN:
            found.append(
                f"lab_host_distributions has {distribution} for {name}, which serves the other hosts and needs Debian: {', '.join(machines.DEBIAN)}."
            )
    return found


def _engine_problems(have: dict) -> list[str]:
    if have["remote"]:
        return [
            "DOCKER_HOST refers to a Docker Engine on another machine, but a lab mounts folders of this machine. Unset it, or run this on the "
            "machine of that engine."
        ]
    if not have["running"] and not have["installable"]:
        return [
            f"No Docker Engine responds on {have['socket']}, and it cannot be installed or started here, which requires root and apt. "
            "Install it (on Debian: apt-get install docker.io), start it, and give this user access to its socket."
        ]
    found = []
    if have["missing_programs"] and not have["installable"]:
        programs, packages = sorted(have["missing_programs"]), sorted(have["missing_programs"].values())
        found.append(
            f"Programs are missing on this machine: {', '.join(programs)}. Install them (on Debian: apt-get install {' '.join(packages)}), "
            "or run this as root."
        )
    lacking = [name for name in REQUIRED_CAPABILITIES if name in have["capabilities_missing"]]
    if lacking:
        found.append(
            f"The Docker Engine lacks capabilities that a host needs to boot: {', '.join(lacking)}. Run it as root, outside of a "
            "restricted container."
        )
    return found


def _disk_problems(want: dict, have: dict) -> list[str]:
    if have["disk_free_mb"] >= want["disk_needed_mb"]:
        return []
    count = 1 + want["mirror"] + want["control_planes"] + want["workers"]
    return [
        f"{have['disk_path']} has {have['disk_free_mb']} MiB free and the lab needs about {want['disk_needed_mb']} (hosts: {count}). "
        "Free some space there, use fewer hosts, or override the estimate with lab_disk_needed. [slipway:lab_disk]"
    ]


def unbuilt(want: dict, have: dict) -> list[str]:
    """Return what must be built before the lab can be created, each a sentence with the remedy.

    :param have: sources_missing, bundle_found.
    """
    found = [f"{have['sources_missing']} [slipway:lab_sources]"] if have["sources_missing"] else []
    if want["mirror"] and not have["bundle_found"]:
        found.append(
            f"There is no bundle in {want['bundle']} (bundle.json is missing), which the mirror would serve. Collect one with "
            "`ansible-playbook slipway.kube.bundle`, set lab_bundle, or set lab_mirror: false. [slipway:lab_sources]"
        )
    return found
