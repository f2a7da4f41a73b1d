# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings that all pod networks share."""

from __future__ import annotations

import hashlib
import ipaddress
import json
from collections.abc import Iterable, Mapping
from dataclasses import KW_ONLY, dataclass
from typing import Any, ClassVar
from urllib.parse import urlsplit

from ...module_utils._kube.objects import mapping

Object = dict[str, Any]


class NetworkError(Exception):
    """The settings of a pod network are not valid. The message includes the remedy."""


@dataclass(frozen=True)
class NetworkSettings:
    """Settings of a pod network.

    :ivar pod_subnet: network of the pods in CIDR notation; with two address families, one of each, separated by a comma.
    :ivar mtu: MTU in bytes, 0 to detect it.
    :ivar image_registry: registry for the images, "" for the upstream registry.
    :ivar api_server: HOST or HOST:PORT at which the nodes reach the API server, "" for the address of the Service.
    :ivar api_port: port of the API server if ``api_server`` has none.
    :cvar NODE_PREFIX: prefix length of the part of the pod network that each node gets, by IP version.
    """

    NODE_PREFIX: ClassVar[dict[int, int]]

    pod_subnet: str
    keyword_only: KW_ONLY
    mtu: int = 0
    image_registry: str = ""
    api_server: str = ""
    api_port: int = 6443

    @property
    def pod_subnets(self) -> list[str]:
        """Return the networks of the pods, one for each address family."""
        return [text.strip() for text in self.pod_subnet.split(",")]

    @property
    def ipv4(self) -> str:
        """Return the IPv4 network of the pods, "" if there is none."""
        return next((text for text in self.pod_subnets if ":" not in text), "")

    @property
    def ipv6(self) -> str:
        """Return the IPv6 network of the pods, "" if there is none."""
        return next((text for text in self.pod_subnets if ":" in text), "")

    def problems(self) -> list[str]:
        """Return what is wrong with the settings, with remedies."""
        found = []
        versions = []
        for text in self.pod_subnets:
            try:
                network = ipaddress.ip_network(text, strict=True)
            except ValueError as error:
                found.append(f"The pod network {text!r} is not a valid network in CIDR notation: {error}.")
                continue
            versions.append(network.version)
            prefix = self.NODE_PREFIX[network.version]
            if network.prefixlen > prefix:
                found.append(f"The pod network {text} is too small: each node takes a /{prefix} of it.")
        if len(set(versions)) < len(versions):
            found.append(f"The pod network {self.pod_subnet} has two networks of one address family; use one of each.")
        if self.mtu and not 576 <= self.mtu <= 65535:
            found.append(f"An MTU of {self.mtu} bytes is not valid: set 576 to 65535, or 0 to detect it.")
        try:
            self.api_server_env()
        except ValueError:
            found.append(f"The API server address {self.api_server!r} is not HOST or HOST:PORT.")
        return found

    def check(self) -> None:
        """Check the settings.

        :raises NetworkError: they are not valid.
        """
        problems = self.problems()
        if problems:
            raise NetworkError(f"{' '.join(problems)} [slipway:variables]")

    def api_server_env(self) -> dict[str, str]:
        """Return environment variables with the address of the API server, so that the pods of the network do not need kube-proxy to start.

        Otherwise, a pod that starts before kube-proxy fails to connect to the address of the Service, and waits before it tries again.

        :raises ValueError: ``api_server`` is not HOST, HOST:PORT or [ADDRESS]:PORT.
        """
        text = self.api_server
        if not text:
            return {}
        parts = urlsplit(f"//[{text}]" if text.count(":") > 1 and "[" not in text else "//" + text)
        if not parts.hostname or parts.path or parts.query or parts.username:
            raise ValueError(text)
        return {
            "KUBERNETES_SERVICE_HOST": parts.hostname,
            "KUBERNETES_SERVICE_PORT": str(parts.port or self.api_port),
        }


def settings_annotation(settings: Any) -> dict[str, str]:
    """Return a pod template annotation that changes with the settings, so that pods that read them at their start are replaced."""
    text = json.dumps(settings, sort_keys=True)
    return {"slipway.kube/settings": hashlib.sha256(text.encode()).hexdigest()[:16]}


def pod_spec(content: Any) -> Mapping[str, Any]:
    """Return the description of the pods of a workload; empty if the object has none."""
    spec = mapping(mapping(content).get("spec"))
    if "jobTemplate" in spec:
        spec = mapping(mapping(spec["jobTemplate"]).get("spec"))
    return mapping(mapping(spec.get("template")).get("spec"))


def move_images(objects: Iterable[Any], registry: str) -> None:
    """Replace the registry of all images, in place."""
    for content in objects:
        spec = pod_spec(content)
        for container in (spec.get("initContainers") or []) + (spec.get("containers") or []):
            first, slash, rest = container["image"].partition("/")
            has_registry = slash and ("." in first or ":" in first or first == "localhost")
            container["image"] = f"{registry.rstrip('/')}/{rest if has_registry else container['image']}"
