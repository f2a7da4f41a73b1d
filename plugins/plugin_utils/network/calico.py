# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Calico's published manifest, set to what a cluster wants: objects in, objects out, no text edited.

The settings and what they mean: https://docs.tigera.io/calico/latest/reference/configure-calico-node and
https://docs.tigera.io/calico/latest/getting-started/kubernetes/self-managed-onprem/config-options.
"""

from __future__ import annotations

import copy
import hashlib
import ipaddress
import json
from dataclasses import dataclass, field
from typing import Any, Dict, Iterable, Mapping
from urllib.parse import urlsplit

Object = Dict[str, Any]

# Encapsulation: (mode of IP-in-IP, mode of VXLAN) of the pool of pod addresses.
ENCAPSULATIONS: dict[str, tuple[str, str]] = {
    "VXLAN": ("Never", "Always"),
    "VXLANCrossSubnet": ("Never", "CrossSubnet"),
    "IPIP": ("Always", "Never"),
    "IPIPCrossSubnet": ("CrossSubnet", "Never"),
    "None": ("Never", "Never"),
}
BIRD_PROBES = ("-bird-live", "-bird-ready")
# Set by options of their own, so that two places never disagree.
OWN_ENV = (
    "CALICO_IPV4POOL_CIDR",
    "CALICO_IPV4POOL_IPIP",
    "CALICO_IPV4POOL_VXLAN",
    "CALICO_NETWORKING_BACKEND",
    "FELIX_WIREGUARDENABLED",
)


class NetworkError(Exception):
    """A pod network cannot be what is asked for; the message says why and what to do."""


@dataclass(frozen=True)
class Calico:
    """What is wanted of Calico.

    :ivar pod_subnet: IPv4 network of the pods, in CIDR notation.
    :ivar encapsulation: one of :data:`ENCAPSULATIONS`.
    :ivar bgp: whether BIRD runs on the nodes and tells routes by BGP.
    :ivar mtu: MTU of pod interfaces and tunnels in bytes; 0 lets Calico find it.
    :ivar wireguard: whether traffic between nodes is encrypted with WireGuard.
    :ivar node_env: further environment of calico-node; a value of None takes a variable away.
    :ivar image_registry: registry to take the images from instead of the manifest's.
    :ivar api_server: HOST or HOST:PORT at which nodes reach the API server; empty for the Service's address.
    :ivar api_port: port of the API server where C(api_server) names none.
    """

    pod_subnet: str
    encapsulation: str = "VXLAN"
    bgp: bool = False
    mtu: int = 0
    wireguard: bool = False
    node_env: Mapping[str, Any] = field(default_factory=dict)
    image_registry: str = ""
    api_server: str = ""
    api_port: int = 6443

    @property
    def backend(self) -> str:
        """What carries routes between nodes, C(calico_backend) in the manifest."""
        if self.bgp:
            return "bird"
        return "none" if self.encapsulation == "None" else "vxlan"

    def problems(self) -> list[str]:
        """Say what cannot work about these settings, each with its remedy."""
        found = (
            pod_subnet_problems(self.pod_subnet, 26)
            + mtu_problems(self.mtu)
            + api_server_problems(self.api_server, self.api_port)
        )
        if self.encapsulation not in ENCAPSULATIONS:
            found.append(
                f"Calico has no encapsulation {self.encapsulation!r}; choose one of {', '.join(ENCAPSULATIONS)}."
            )
        elif self.encapsulation.startswith("IPIP") and not self.bgp:
            found.append(
                f"Encapsulation {self.encapsulation} needs BGP, which tells the nodes each other's pods. Set BGP on, or use VXLAN."
            )
        for name in self.node_env:
            if name in OWN_ENV:
                found.append(f"Environment {name} of calico-node has an option of its own; set that one instead.")
        return found


def pod_subnet_problems(subnet: str, block: int) -> list[str]:
    """Say why a network cannot be that of the pods.

    :param block: prefix length of what each node gets of it.
    """
    try:
        network = ipaddress.ip_network(subnet, strict=True)
    except ValueError as error:
        return [f"The pod network {subnet!r} is no network in CIDR notation: {error}."]
    if network.version != 4:
        return [f"The pod network {subnet} is IPv6; this role sets up IPv4 pod networks."]
    if network.prefixlen > block:
        return ["The pod network %s is too small: each node takes a /%d of it." % (subnet, block)]
    return []


def mtu_problems(mtu: int) -> list[str]:
    """Say why a number of bytes cannot be the MTU of a pod network; 0 means to find it."""
    if mtu == 0 or 576 <= mtu <= 65535:
        return []
    return ["An MTU of %d bytes is not usable: give 576 to 65535, or 0 to have it found." % mtu]


def api_server_problems(api_server: str, port: int) -> list[str]:
    """Say why a text does not tell where the API server is."""
    try:
        api_server_env(api_server, port)
    except ValueError:
        return [f"The API server's address {api_server!r} is not HOST or HOST:PORT."]
    return []


def api_server_env(api_server: str, port: int) -> dict[str, str]:
    """Tell pods on the nodes' network where the API server is, so that they need no kube-proxy to begin.

    Without it a pod network that starts before kube-proxy fails on the Service's address, and waits before it tries again.

    :param api_server: HOST, HOST:PORT or [ADDRESS]:PORT; empty to leave it to the Service.
    :param port: the port where C(api_server) names none.
    :raises ValueError: it is none of these.
    """
    if not api_server:
        return {}
    parts = urlsplit(f"//[{api_server}]" if api_server.count(":") > 1 and "[" not in api_server else "//" + api_server)
    if not parts.hostname or parts.path or parts.query or parts.username:
        raise ValueError(api_server)
    return {"KUBERNETES_SERVICE_HOST": parts.hostname, "KUBERNETES_SERVICE_PORT": str(parts.port or port)}


def configure(objects: Iterable[Any], wanted: Calico) -> list[Object]:
    """Give the manifest's objects with the wanted settings; what is passed in stays as it is.

    :param objects: the objects of Calico's manifest (C(calico.yaml)) of one version, parsed.
    :raises NetworkError: the settings cannot work, or the manifest is not shaped as Calico's.
    """
    problems = wanted.problems()
    if problems:
        raise NetworkError(" ".join(problems))
    result: list[Object] = [copy.deepcopy(content) for content in objects if content]
    config = _find(result, "ConfigMap", "calico-config")
    node = _find(result, "DaemonSet", "calico-node")
    _find(result, "Deployment", "calico-kube-controllers")
    for key in ("calico_backend", "veth_mtu"):
        if key not in (config.get("data") or {}):
            raise NetworkError(f"ConfigMap calico-config of the manifest has no key {key}. {_REMEDY}")
    config["data"].update(calico_backend=wanted.backend, veth_mtu=str(wanted.mtu))
    container = _container(node, "calico-node")
    ipip, vxlan = ENCAPSULATIONS[wanted.encapsulation]
    env = {"CALICO_IPV4POOL_CIDR": wanted.pod_subnet, "CALICO_IPV4POOL_IPIP": ipip, "CALICO_IPV4POOL_VXLAN": vxlan}
    if wanted.wireguard:
        env["FELIX_WIREGUARDENABLED"] = "true"
    container["env"] = merge_env(container.get("env") or [], dict(env, **wanted.node_env))
    for probe in ("livenessProbe", "readinessProbe"):
        _set_bird_probe(container, probe, wanted.bgp)
    metadata = node["spec"]["template"].setdefault("metadata", {})
    told = [config["data"], api_server_env(wanted.api_server, wanted.api_port)]
    metadata["annotations"] = dict(metadata.get("annotations") or {}, **fingerprint(told))
    if wanted.image_registry:
        for content in result:
            _move_images(content, wanted.image_registry.rstrip("/"))
    if wanted.api_server:
        # The manifest reads it where it is there.
        named = {"name": "kubernetes-services-endpoint", "namespace": "kube-system"}
        result.append(
            {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": named,
                "data": api_server_env(wanted.api_server, wanted.api_port),
            }
        )
    return result


def fingerprint(settings: Any) -> dict[str, str]:
    """Make the annotation of a pod template by which pods are made anew when settings change that they read at their start."""
    text = json.dumps(settings, sort_keys=True)
    return {"slipway.kube/settings": hashlib.sha256(text.encode()).hexdigest()[:16]}


def merge_env(env: Iterable[Mapping[str, Any]], values: Mapping[str, Any]) -> list[Object]:
    """Set variables of a container's environment where they are, add new ones at the end, take away those that are None."""
    merged: list[Object] = []
    left = dict(values)
    for variable in env:
        name = variable["name"]
        if name not in left:
            merged.append(dict(variable))
            continue
        value = left.pop(name)
        if value is not None:
            merged.append({"name": name, "value": _env_text(value)})
    return merged + [{"name": name, "value": _env_text(value)} for name, value in left.items() if value is not None]


def images(objects: Iterable[Any]) -> list[str]:
    """List the images that a manifest's workloads use, each once, in order of appearance."""
    found: dict[str, None] = {}
    for content in objects:
        for container in _containers(content or {}):
            found[container.get("image", "")] = None
    return [image for image in found if image]


_REMEDY = "This is not Calico's manifest (calico.yaml), or one of a version with another shape: take the pinned version's, or set kube_calico_manifest."


def _find(objects: list[Object], kind: str, name: str) -> Object:
    for content in objects:
        if (
            isinstance(content, dict)
            and content.get("kind") == kind
            and (content.get("metadata") or {}).get("name") == name
        ):
            return content
    raise NetworkError(f"The manifest has no {kind} named {name}. {_REMEDY}")


def _pod_spec(content: Mapping[str, Any]) -> Object:
    return ((content.get("spec") or {}).get("template") or {}).get("spec") or {}


def _containers(content: Mapping[str, Any]) -> list[Object]:
    spec = _pod_spec(content) if isinstance(content, dict) else {}
    return (spec.get("initContainers") or []) + (spec.get("containers") or [])


def _container(workload: Object, name: str) -> Object:
    for container in _pod_spec(workload).get("containers") or []:
        if container.get("name") == name:
            return container
    raise NetworkError(f"DaemonSet calico-node of the manifest has no container {name}. {_REMEDY}")


def _set_bird_probe(container: Object, probe: str, bgp: bool) -> None:
    command = ((container.get(probe) or {}).get("exec") or {}).get("command")
    if not command:
        raise NetworkError(f"Container calico-node of the manifest has no command in its {probe}. {_REMEDY}")
    kept = [part for part in command if part not in BIRD_PROBES]
    container[probe]["exec"]["command"] = kept + (
        ["-bird-live" if probe == "livenessProbe" else "-bird-ready"] if bgp else []
    )


def _move_images(content: Object, registry: str) -> None:
    for container in _containers(content):
        first, slash, rest = container["image"].partition("/")
        named = slash and ("." in first or ":" in first or first == "localhost")
        container["image"] = f"{registry}/{rest if named else container['image']}"


def _env_text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
