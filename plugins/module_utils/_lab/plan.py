# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a lab will be: its hosts and addresses, how their containers are started, what speaks against it."""

from __future__ import annotations

import ipaddress
import re

from . import machines

# Fixed places in the subnet, so that a host keeps its address whatever is added beside it.
MIRROR_PLACE = 2
CONTROL_PLANE_PLACE = 10
WORKER_PLACE = 20
MOST_CONTROL_PLANES = WORKER_PLACE - CONTROL_PLANE_PLACE - 1

# By bit, as in /proc/PID/status (include/uapi/linux/capability.h).
# fmt: off
CAPABILITIES = [
    "CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID", "SETPCAP",
    "LINUX_IMMUTABLE", "NET_BIND_SERVICE", "NET_BROADCAST", "NET_ADMIN", "NET_RAW", "IPC_LOCK", "IPC_OWNER",
    "SYS_MODULE", "SYS_RAWIO", "SYS_CHROOT", "SYS_PTRACE", "SYS_PACCT", "SYS_ADMIN", "SYS_BOOT", "SYS_NICE",
    "SYS_RESOURCE", "SYS_TIME", "SYS_TTY_CONFIG", "MKNOD", "LEASE", "AUDIT_WRITE", "AUDIT_CONTROL", "SETFCAP",
    "MAC_OVERRIDE", "MAC_ADMIN", "SYSLOG", "WAKE_ALARM", "BLOCK_SUSPEND", "AUDIT_READ", "PERFMON", "BPF",
    "CHECKPOINT_RESTORE",
]
# fmt: on
NEW_CAPABILITIES = ("PERFMON", "BPF", "CHECKPOINT_RESTORE")
NEW_CAPABILITIES_SINCE = 23  # Docker Engine
# Without these no host boots, whatever the flags.
NEEDED_CAPABILITIES = ("SYS_ADMIN", "NET_ADMIN", "MKNOD", "SYS_PTRACE")


def hosts(control_planes: int, workers: int, mirror: bool, subnet: str, kind: str = "container") -> list[dict]:
    """Hosts of the lab in the order in which they appear in the inventory.

    Each has name, address, role (mirror, control_plane, worker) and kind: the mirror is a container beside machines too.

    :raises ValueError: when the subnet has no room for them, with the reason.
    """
    network = ipaddress.ip_network(subnet)
    if control_planes > MOST_CONTROL_PLANES:
        raise ValueError(
            "%d control planes were asked for; a lab has at most %d" % (control_planes, MOST_CONTROL_PLANES)
        )
    wanted = [("mirror", "mirror", MIRROR_PLACE)] if mirror else []
    wanted += [
        (f"cp{number}", "control_plane", CONTROL_PLANE_PLACE + number) for number in range(1, control_planes + 1)
    ]
    wanted += [(f"w{number}", "worker", WORKER_PLACE + number) for number in range(1, workers + 1)]
    last = max([place for _name, _role, place in wanted], default=0)
    if last >= network.num_addresses - 1:
        raise ValueError("%s has no room for address number %d; take a larger lab_subnet" % (subnet, last))
    return [
        {
            "name": name,
            "role": role,
            "address": str(network[place]),
            "kind": "container" if role == "mirror" else kind,
        }
        for name, role, place in wanted
    ]


def gateway(subnet: str) -> str:
    """The engine's own address in the lab's network."""
    return str(ipaddress.ip_network(subnet)[1])


def container_flags(missing: list[str], version: str) -> dict:
    """How a host's container is started, as options of community.docker.docker_container.

    *missing* are capabilities that the engine itself lacks. With all of them, --privileged; without some, --privileged
    fails to start and the same rights are given one by one. *version* is the engine's: an old one neither gives nor takes
    away capabilities that it does not know.
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


def overlaps(subnet: str, routes: list[dict], own: list[str]) -> list[str]:
    """Sentences about routes ({destination, interface}) that share addresses with the subnet; those in *own* are the lab's."""
    network = ipaddress.ip_network(subnet)
    found = []
    for route in routes:
        destination = ipaddress.ip_network(route["destination"])
        if destination.prefixlen and destination.overlaps(network) and str(destination) not in own:
            found.append(f"{subnet} overlaps the route to {destination} by {route['interface']}")
    return found


def free_subnet(routes: list[dict]) -> str:
    """A /24 beside the default one that no route overlaps."""
    for third in range(256):
        candidate = "10.123.%d.0/24" % third
        if not overlaps(candidate, routes, []):
            return candidate
    return ""


def parse_routes(text: str) -> list[dict]:
    """Routes out of /proc/net/route: destination as a network, interface (proc(5); addresses are little-endian hex)."""
    routes = []
    for line in text.splitlines()[1:]:
        fields = line.split()
        if len(fields) < 8:
            continue
        destination, mask = (".".join(str(byte) for byte in reversed(bytes.fromhex(fields[place]))) for place in (1, 7))
        routes.append(
            {
                "destination": str(ipaddress.ip_network(f"{destination}/{mask}", strict=False)),
                "interface": fields[0],
            }
        )
    return routes


def name_servers(resolv_conf: str) -> list[str]:
    """Name servers of a resolv.conf that another host can ask too: no loopback address."""
    found = []
    for line in resolv_conf.splitlines():
        fields = line.split()
        if len(fields) > 1 and fields[0] == "nameserver" and not fields[1].startswith("127.") and fields[1] != "::1":
            found.append(fields[1])
    return found


def disk_needed(count: int, per_host_mb: int, image_mb: int) -> int:
    """Room (MiB) that a lab of *count* hosts takes with a cluster on it."""
    return image_mb + count * per_host_mb


def problems(want: dict, have: dict) -> list[str]:
    """Everything that speaks against making this lab here: what is wrong, the evidence, the remedy. Empty when nothing does.

    *want*: name, kind, control_planes, workers, mirror, subnet, bundle, disk_needed_mb, and of machines vm_cpus, vm_memory,
    vm_disk, vm_image, machine. *have*: running, installable, missing_programs, remote, capabilities_missing, routes, own_routes,
    network_subnet, kinds (of the hosts that there are), disk_free_mb, disk_path, bundle_found, and what machines.facts found.
    """
    found = []
    if not re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?", want["name"]):
        found.append(
            "lab_name {!r} is no name for containers and folders: use up to 32 small letters, digits and dashes.".format(
                want["name"]
            )
        )
    if want["control_planes"] < 1:
        found.append("lab_control_planes is %d: a lab has at least one control plane." % want["control_planes"])
    if want["workers"] < 0:
        found.append("lab_workers is %d: it cannot be negative." % want["workers"])
    if want["control_planes"] > 1 and not want["mirror"]:
        found.append(
            "lab_control_planes is %d without lab_mirror: the mirror host balances the API servers. Set lab_mirror: true."
            % want["control_planes"]
        )
    found += _network_problems(want, have) + _engine_problems(have) + _room_problems(want, have)
    for other in sorted(set(have["kinds"]) - {want["kind"]}):
        found.append(
            "Lab {} has hosts of the kind {} and lab_kind says {}: remove it first (lab_state: absent), or take another lab_name.".format(
                want["name"], other, want["kind"]
            )
        )
    return found + (machines.problems(want, have) if want["kind"] == "vm" else [])


def _network_problems(want: dict, have: dict) -> list[str]:
    try:
        hosts(want["control_planes"], want["workers"], want["mirror"], want["subnet"])
    except ValueError as error:
        return [f"lab_subnet {want['subnet']} cannot serve: {error}."]
    if have["network_subnet"] and have["network_subnet"] != want["subnet"]:
        return [
            "Lab {} is on {} already and lab_subnet says {}: remove it first (lab_state: absent), or keep its subnet.".format(
                want["name"], have["network_subnet"], want["subnet"]
            )
        ]
    return [
        "lab_subnet {}. A lab needs addresses of its own: set lab_subnet, for example to {}.".format(
            sentence, free_subnet(have["routes"]) or "another private /24"
        )
        for sentence in overlaps(want["subnet"], have["routes"], have["own_routes"])
    ]


def _engine_problems(have: dict) -> list[str]:
    if have["remote"]:
        return [
            "DOCKER_HOST names an engine on another machine: a lab mounts folders of this one. Unset it, or run this where that engine is."
        ]
    if not have["running"] and not have["installable"]:
        return [
            "No Docker Engine answers on {}, and it cannot be installed or started from here (that takes root and Debian's apt). Install it "
            "(on Debian: apt-get install docker.io), start it, and give this user access to its socket.".format(
                have["socket"]
            )
        ]
    found = []
    if have["missing_programs"] and not have["installable"]:
        found.append(
            "Programs are missing on this machine: {}. Install them (on Debian: apt-get install {}), or run this as root.".format(
                ", ".join(sorted(have["missing_programs"])), " ".join(sorted(have["missing_programs"].values()))
            )
        )
    lacking = [name for name in NEEDED_CAPABILITIES if name in have["capabilities_missing"]]
    if lacking:
        found.append(
            "The Docker Engine lacks capabilities without which no host boots: {}. Run it as root, outside a confined container.".format(
                ", ".join(lacking)
            )
        )
    return found


def _room_problems(want: dict, have: dict) -> list[str]:
    found = []
    if have["disk_free_mb"] < want["disk_needed_mb"]:
        found.append(
            "%s has %d MiB free and the lab needs about %d (hosts: %d): make room there, take fewer hosts, or set lab_disk_needed if you know better."
            % (
                have["disk_path"],
                have["disk_free_mb"],
                want["disk_needed_mb"],
                want["control_planes"] + want["workers"] + want["mirror"],
            )
        )
    if want["mirror"] and not have["bundle_found"]:
        found.append(
            "There is no bundle at {} (bundle.json is missing): make one with `ansible-playbook slipway.kube.bundle`, set lab_bundle, or set "
            "lab_mirror: false for hosts without a mirror.".format(want["bundle"])
        )
    return found
