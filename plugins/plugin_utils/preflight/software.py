# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Checks of the software that is installed on a host: container runtimes, packages and CNI configurations."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ...module_utils._host.facts.cni import ENGINES
from ...module_utils._kube.versions import parse_version
from .problem import Checks, Finding, Host

CHECKS = Checks()

OTHER_RUNTIMES = ("docker-ce", "docker.io", "moby-engine", "podman-docker", "cri-o", "k3s", "rke2-server")
OTHER_UNITS = tuple(f"{name}.service" for name in ("docker", "crio", "k3s", "k3s-agent", "rke2-server", "rke2-agent"))
# Packages that exclude each other (fields Conflicts of Docker's containerd.io, in its deb and in its rpm), and what needs those of Debian.
EXCLUDED = {"containerd.io": ("containerd", "runc"), "containerd": ("containerd.io",)}
DEPENDENTS = ("docker.io",)
# The oldest containerd whose configuration the role containerd writes.
OLDEST_CONTAINERD = [1, 7]

# The file that each pod network writes into /etc/cni/net.d.
OWN_CNI = {"calico": "10-calico.conflist", "flannel": "10-flannel.conflist", "cilium": "05-cilium.conflist"}


def containerd_package(host: Host) -> str:
    """Return the name of the package that the role containerd installs."""
    return str(host.variables.get("containerd_package") or "containerd.io")


def upstream_version(version: str) -> str:
    """Return the upstream version of a package: ``2.2.3`` for ``3:2.2.3-1~debian.12``, empty if it has none."""
    match = re.match(r"(?:\d+:)?(\d+(?:\.\d+)*)", version)
    return match.group(1) if match else ""


def numbers(version: str) -> list[int]:
    """Return the numbers of a package's upstream version."""
    return [int(number) for number in re.findall(r"\d+", upstream_version(version))]


def conflicting(host: Host) -> list[str]:
    """Return the installed packages that would have to be removed for the wanted package of containerd."""
    packages = host.facts["packages"]
    found = [name for name in EXCLUDED.get(containerd_package(host), ()) if name in packages]
    return found + [name for name in DEPENDENTS if found and name in packages and "containerd.io" not in found]


@CHECKS.host("runtimes", settled=False)
def check_runtimes(host: Host) -> Iterator[Finding]:
    """The host has no other container runtime or Kubernetes distribution, and no package that excludes containerd's."""
    packages, conflicts = host.facts["packages"], conflicting(host)
    found = [name for name in OTHER_UNITS if host.facts["units"].get(name, {}).get("active")]
    found += [name for name in OTHER_RUNTIMES if name in packages and name not in conflicts]
    if conflicts:
        remove = "dnf" if host.facts["os"]["family"] == "rhel" else "apt-get"
        adopt = (
            " To use the distribution's containerd instead, set containerd_package: containerd,"
            f' containerd_version: "{upstream_version(packages["containerd"])}" and kube_containerd_repository: {{}}.'
            if "containerd" in conflicts and numbers(packages["containerd"]) >= OLDEST_CONTAINERD
            else ""
        )
        yield (
            f"Installed packages exclude {containerd_package(host)}; they are not removed automatically.",
            ", ".join(f"{name} {packages[name]}" for name in conflicts),
            f"Remove them with `{remove} remove {' '.join(conflicts)}`.{adopt}",
        )
    if any(name.startswith(("k3s", "rke2")) for name in found):
        yield (
            "The host runs another Kubernetes distribution.",
            ", ".join(found),
            "Remove it with its uninstaller, or use another host.",
        )
    elif found:
        yield (
            "Another container runtime is installed. It shares containerd and the packet filter with the cluster.",
            ", ".join(found),
            "Remove it unless you need it on this host.",
            "warning",
        )


@CHECKS.host("installed")
def check_installed(host: Host) -> Iterator[Finding]:
    """On a host outside any cluster, installed packages of another version are replaced, unless somebody holds them at it."""
    desired, packages = parse_version(host.variables.get("kube_version")), host.facts["packages"]
    others = [
        name
        for name in ("kubeadm", "kubelet", "kubectl")
        if name in packages and parse_version(re.split("[-+]", packages[name])[0]) != desired
    ]
    if host.member or host.prepared:
        return
    held = [name for name in others if name in host.facts["held"]]
    if held:
        yield (
            "Packages of Kubernetes are held at another version than the wanted one.",
            f"{', '.join(f'{name} {packages[name]}' for name in held)}; kube_version is {host.variables.get('kube_version')}",
            f"If the host no longer needs them, remove the hold with `{unhold(host)} {' '.join(held)}`; otherwise use another host.",
        )
    for name in others:
        if name not in held and name != "kubectl":
            yield (
                "Another version of Kubernetes is installed and will be replaced.",
                f"{name} {packages[name]}",
                "Use another host if the installed version is still needed.",
                "info",
            )


def unhold(host: Host) -> str:
    """Return the command that removes the hold of a package on a host."""
    return "dnf versionlock delete" if host.facts["os"]["family"] == "rhel" else "apt-mark unhold"


@CHECKS.host("installed")
def check_containerd_version(host: Host) -> Iterator[Finding]:
    """A newer containerd is not downgraded, and one that somebody else holds at its version is not changed."""
    name, wanted = containerd_package(host), str(host.variables.get("containerd_version") or "")
    installed = str(host.facts["packages"].get(name) or "")
    have, want = numbers(installed), numbers(wanted)
    have = have[: len(want)]
    if not have or have == want:
        return
    evidence = f"{name} {installed} is installed; containerd_version is {wanted}"
    keep = f'To keep it, set containerd_version: "{upstream_version(installed)}".'
    if have > want:
        yield (
            "The installed containerd is newer than the wanted version and would be downgraded.",
            evidence,
            f"{keep} To downgrade it, add installed to preflight_waive.",
        )
    elif name in host.facts["held"] and not host.prepared:
        yield (
            "The installed containerd is held at another version than the wanted one.",
            evidence,
            f"{keep} To upgrade it, remove the hold with `{unhold(host)} {name}`.",
        )


@CHECKS.host("cni", settled=False)
def check_cni(host: Host) -> Iterator[Finding]:
    """No other network is configured: containerd uses the first file of the folder, and the node is Ready once there is one.

    Pods that start before the pod network has written its file, such as CoreDNS, would stay in the other network.
    """
    plugin = str(host.variables.get("kube_network_plugin"))
    own = OWN_CNI.get(plugin, "")
    leftovers = []
    for found in host.facts["cni"] if not host.member else ():
        path, owner = found["path"], found["owner"]
        if owner in ENGINES:
            when = f"until {own} is there" if own else "unless the pod network's file sorts before it"
            if own and path.rsplit("/", 1)[1] < own:
                when = f"before {own}"
            yield (
                f"containerd would connect pods to a network of {owner}, which is no pod network.",
                f"{path} (network {found['network']}); containerd uses it {when}",
                f"If {owner} does not need the file (Podman with netavark does not, see networkBackend in `podman info`),"
                " move it out of /etc/cni/net.d; otherwise use another host.",
            )
        elif not host.prepared or (own and owner.lower() != plugin):
            leftovers.append(found)
    if leftovers:
        yield (
            "The CNI configuration has leftovers of another pod network, which pods would be connected to.",
            ", ".join(f"{one['path']} ({describe_network(one)})" for one in leftovers),
            f"Remove them with `rm {' '.join(one['path'] for one in leftovers)}`, or move them out of /etc/cni/net.d.",
        )


def describe_network(found: dict[str, str]) -> str:
    """Return the network of a CNI configuration and its owner, for a message."""
    owner = f" of {found['owner']}" if found["owner"] else ""
    return f"network {found['network']}{owner}" if found["network"] else f"no valid configuration{owner}"
