# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Configuration of Calico's published manifest, as objects.

Settings: https://docs.tigera.io/calico/latest/reference/configure-calico-node,
https://docs.tigera.io/calico/latest/networking/ipam/ipv6 and
https://docs.tigera.io/calico/latest/getting-started/kubernetes/self-managed-onprem/config-options.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from ...module_utils._kube.objects import mapping
from .settings import NetworkError, NetworkSettings, Object, move_images, pod_spec, settings_annotation

# Encapsulation: (IP-in-IP mode, VXLAN mode) of the IP pool.
ENCAPSULATIONS: dict[str, tuple[str, str]] = {
    "VXLAN": ("Never", "Always"),
    "VXLANCrossSubnet": ("Never", "CrossSubnet"),
    "IPIP": ("Always", "Never"),
    "IPIPCrossSubnet": ("CrossSubnet", "Never"),
    "None": ("Never", "Never"),
}
BIRD_PROBES = {"livenessProbe": "-bird-live", "readinessProbe": "-bird-ready"}
# Plugins of package kubernetes-cni (github.com/containernetworking/plugins). Calico's installer would replace the files of the package.
PACKAGED_PLUGINS = (
    *("bandwidth", "bridge", "dhcp", "dummy", "firewall", "host-device", "host-local", "ipvlan", "loopback", "macvlan"),
    *("portmap", "ptp", "sbr", "static", "tap", "tuning", "vlan", "vrf"),
)
# Set through options, so that there are no conflicting values.
RESERVED_ENV = (
    "CALICO_IPV4POOL_CIDR",
    "CALICO_IPV4POOL_IPIP",
    "CALICO_IPV4POOL_VXLAN",
    "CALICO_IPV6POOL_CIDR",
    "CALICO_IPV6POOL_VXLAN",
    "CALICO_NETWORKING_BACKEND",
    "FELIX_IPV6SUPPORT",
    "FELIX_WIREGUARDENABLED",
    "FELIX_WIREGUARDENABLEDV6",
)
REMEDY = (
    "This is not Calico's manifest (calico.yaml), or that of a version with a different structure: use the manifest of the pinned version, or set"
    " kube_calico_manifest."
)


@dataclass(frozen=True)
class Calico(NetworkSettings):
    """Settings of Calico. ``mtu`` applies to pod interfaces and tunnels.

    :ivar encapsulation: one of :data:`ENCAPSULATIONS`.
    :ivar bgp: whether BIRD runs on the nodes and distributes routes with BGP.
    :ivar wireguard: whether traffic between nodes is encrypted with WireGuard.
    :ivar node_env: additional environment variables of calico-node; the value None removes a variable.
    """

    NODE_PREFIX: ClassVar[dict[int, int]] = {4: 26, 6: 122}

    encapsulation: str = "VXLAN"
    bgp: bool = False
    wireguard: bool = False
    node_env: Mapping[str, Any] = field(default_factory=dict)

    @property
    def backend(self) -> str:
        """Return the routing backend, ``calico_backend`` in the manifest."""
        if self.bgp:
            return "bird"
        return "none" if self.encapsulation == "None" else "vxlan"

    def problems(self) -> list[str]:
        """Return what is wrong with the settings, with remedies."""
        found = super().problems()
        if self.encapsulation not in ENCAPSULATIONS:
            found.append(
                f"Calico has no encapsulation {self.encapsulation!r}; choose one of {', '.join(ENCAPSULATIONS)}."
            )
        elif self.encapsulation.startswith("IPIP") and not self.bgp:
            found.append(
                f"Encapsulation {self.encapsulation} needs BGP, which distributes the routes to the pods. Enable BGP, or use VXLAN."
            )
        if self.encapsulation.startswith("IPIP") and self.ipv6:
            found.append(f"IP in IP carries only IPv4, but the pod network is {self.pod_subnet}. Use VXLAN.")
        return found + [
            f"The environment variable {name} of calico-node is set through an option; use that option."
            for name in self.node_env
            if name in RESERVED_ENV
        ]


def configure(objects: Iterable[Any], settings: Calico) -> list[Object]:
    """Return a copy of the manifest's objects with the settings.

    :param objects: the parsed objects of Calico's manifest (``calico.yaml``).
    :raises NetworkError: the settings are not valid, or the manifest does not have the structure of Calico's.
    """
    settings.check()
    result: list[Object] = [copy.deepcopy(content) for content in objects if content]
    data = _find(result, "ConfigMap", "calico-config").get("data") or {}
    node = _find(result, "DaemonSet", "calico-node")
    _find(result, "Deployment", "calico-kube-controllers")
    for key in ("calico_backend", "veth_mtu"):
        if key not in data:
            raise NetworkError(
                f"ConfigMap calico-config of the manifest has no key {key}. {REMEDY} [slipway:network_manifest]"
            )
    data.update(calico_backend=settings.backend, veth_mtu=str(settings.mtu))
    container = _container(node, "containers", "calico-node")
    installer = _container(node, "initContainers", "install-cni")
    installer["env"] = merge_env(installer.get("env") or [], {"SKIP_CNI_BINARIES": ",".join(PACKAGED_PLUGINS)})
    if settings.ipv6:
        data["cni_network_config"] = _assign(str(data.get("cni_network_config") or ""), settings)
    container["env"] = merge_env(container.get("env") or [], {**node_env(settings), **settings.node_env})
    for probe in BIRD_PROBES:
        _set_bird_probe(container, probe, settings.bgp)
    metadata = node["spec"]["template"].setdefault("metadata", {})
    api_server = settings.api_server_env()
    metadata["annotations"] = {**(metadata.get("annotations") or {}), **settings_annotation([data, api_server])}
    if settings.image_registry:
        move_images(result, settings.image_registry)
    if api_server:
        # The manifest reads this optional ConfigMap.
        named = {"name": "kubernetes-services-endpoint", "namespace": "kube-system"}
        result.append({"apiVersion": "v1", "kind": "ConfigMap", "metadata": named, "data": api_server})
    return result


def node_env(settings: Calico) -> dict[str, str]:
    """Return the environment variables of calico-node that follow from the settings."""
    ipip, vxlan = ENCAPSULATIONS[settings.encapsulation]
    env = {}
    if settings.ipv4:
        env = {
            # The kubelet's --node-ip. Calico's own default, first-found, moves a node to an interface that appears later.
            "IP_AUTODETECTION_METHOD": "kubernetes-internal-ip",
            "CALICO_IPV4POOL_CIDR": settings.ipv4,
            "CALICO_IPV4POOL_IPIP": ipip,
            "CALICO_IPV4POOL_VXLAN": vxlan,
            **({"FELIX_WIREGUARDENABLED": "true"} if settings.wireguard else {}),
        }
    else:
        # The manifest's IP in IP would set up a tunnel for a default pool that no pod uses.
        env = {"IP": "none", "CALICO_IPV4POOL_IPIP": "Never", "CALICO_ROUTER_ID": "hash"}
    if settings.ipv6:
        env.update(
            IP6="autodetect",
            IP6_AUTODETECTION_METHOD="kubernetes-internal-ip",
            CALICO_IPV6POOL_CIDR=settings.ipv6,
            CALICO_IPV6POOL_VXLAN=vxlan,
            # The default of IPv4, and not of IPv6: pods with private addresses reach other networks through their node.
            CALICO_IPV6POOL_NAT_OUTGOING="true",
            FELIX_IPV6SUPPORT="true",
            **({"FELIX_WIREGUARDENABLEDV6": "true"} if settings.wireguard else {}),
        )
        if settings.mtu:
            env.update(FELIX_VXLANMTUV6=str(settings.mtu), FELIX_WIREGUARDMTUV6=str(settings.mtu))
    return env


def _assign(network_config: str, settings: Calico) -> str:
    """Return the CNI configuration, a text with placeholders, with the address families that pods get."""
    if '"assign_ipv6"' in network_config:
        return network_config
    family = f'"assign_ipv4": "{str(bool(settings.ipv4)).lower()}", "assign_ipv6": "true"'
    text, count = re.subn(r'("type": *"calico-ipam")', rf"\1, {family}", network_config)
    if count != 1:
        raise NetworkError(
            f"The CNI configuration of the manifest has no address management calico-ipam. {REMEDY}"
            " [slipway:network_manifest]"
        )
    return text


def merge_env(env: Iterable[Mapping[str, Any]], values: Mapping[str, Any]) -> list[Object]:
    """Set environment variables of a container in place, append new ones, and remove those with the value None."""
    merged: list[Object] = []
    left = dict(values)
    for variable in env:
        name = variable["name"]
        if name not in left:
            merged.append(dict(variable))
        elif (value := left.pop(name)) is not None:
            merged.append({"name": name, "value": _env_text(value)})
    return merged + [{"name": name, "value": _env_text(value)} for name, value in left.items() if value is not None]


def _find(objects: list[Object], kind: str, name: str) -> Object:
    for content in objects:
        if mapping(content).get("kind") == kind and mapping(content.get("metadata")).get("name") == name:
            return content
    raise NetworkError(f"The manifest has no {kind} named {name}. {REMEDY} [slipway:network_manifest]")


def _container(daemon_set: Object, kind: str, name: str) -> Object:
    for container in pod_spec(daemon_set).get(kind) or []:
        if container.get("name") == name:
            return container
    raise NetworkError(
        f"DaemonSet calico-node of the manifest has no container {name}. {REMEDY} [slipway:network_manifest]"
    )


def _set_bird_probe(container: Object, probe: str, bgp: bool) -> None:
    command = ((container.get(probe) or {}).get("exec") or {}).get("command")
    if not command:
        raise NetworkError(
            f"Container calico-node of the manifest has no command in its {probe}. {REMEDY} [slipway:network_manifest]"
        )
    kept = [part for part in command if part not in BIRD_PROBES.values()]
    container[probe]["exec"]["command"] = kept + ([BIRD_PROBES[probe]] if bgp else [])


def _env_text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
