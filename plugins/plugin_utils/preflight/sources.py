# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Checks of the image registries and the endpoint, which every host must be able to reach.

Module host_info sends the requests that :func:`requests_for` returns; the checks read the responses from its key ``reach``.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from ipaddress import ip_address, ip_network
from typing import Any
from urllib.parse import urlsplit

from ...module_utils._host.facts.reachability import key_of
from .problem import Checks, Cluster, Finding, Host
from .repositories import repositories_of
from .syntax import split_endpoint

CHECKS = Checks()

# By how many seconds a host's clock may differ from that of the servers; more than it would take to notice an answer from a cache.
MAXIMUM_SERVER_DIFFERENCE = 300


def requests_for(variables: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the requests that a host must be able to make, as the option ``urls`` of host_info.

    :param variables: values of the collection's variables on the host, ``kube_host``, its facts, and ``between``, see :func:`repositories_of`.
    """
    proxy = {
        "http": variables.get("kube_http_proxy"),
        "https": variables.get("kube_https_proxy"),
        "no_proxy": variables.get("kube_no_proxy"),
    }
    requests = [
        dict(request, proxy=proxy_for(request["url"], proxy))
        for repository in repositories_of(variables)
        for request in repository.requests(variables["kube_host"])
    ]
    requests += registry_requests(variables)
    name, port, error = split_endpoint(str(variables.get("kube_control_plane_endpoint") or ""))
    if name and not error and not variables.get("etcd"):
        port = port or int(variables.get("kube_api_port") or 6443)
        requests.append({"url": f"tcp://{f'[{name}]' if ':' in name else name}:{port}", "kind": "tcp"})
    found: dict[str, dict[str, Any]] = {}
    for request in requests:
        known = found.get(key_of(request), {})
        lists = {name: [*known.get(name, []), *request.get(name, [])] for name in ("components", "packages")}
        merged = {name: list(dict.fromkeys(values)) for name, values in lists.items() if values}
        found[key_of(request)] = {**request, **merged}
    return list(found.values())


def needed_images(variables: dict[str, Any]) -> list[str]:
    """Return NAME:TAG of the images that kubeadm runs on a node, without their registry (``kubeadm config images list``).

    :param variables: also has ``control_plane``, whether the node is a control plane, ``etcd``, whether it runs a member of an external etcd only,
        and ``external_etcd``, whether there is one.
    """
    version, row = variables.get("kube_version"), variables.get("kube_component_versions") or {}
    images = [f"pause:{row['pause']}"] if row.get("pause") else []
    if variables.get("etcd"):
        return [*images, f"etcd:{row.get('etcd')}-0"]
    images += [f"kube-proxy:v{version}", f"coredns/coredns:v{row.get('coredns')}"]
    if variables.get("control_plane"):
        images += [f"kube-{part}:v{version}" for part in ("apiserver", "controller-manager", "scheduler")]
        images += [] if variables.get("external_etcd") else [f"etcd:{row.get('etcd')}-0"]
    return images


def manifest_urls(variables: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the mirror of each manifest that a mirror must have, by the manifest's URL: of the needed images and those of add-ons.

    Only the first mirror of a registry is asked, and a registry without a mirror is not.
    """
    registry, _slash, path = str(variables.get("kube_image_registry") or "").partition("/")
    releases = [variables, *({**variables, **release} for release in variables.get("between") or [])]
    needed = dict.fromkeys(image for release in releases for image in needed_images(release))
    images = [(registry, "/".join(filter(None, (path, image)))) for image in needed]
    images += [(image.partition("/")[0], image.partition("/")[2]) for image in variables.get("addon_images") or []]
    found = {}
    for server, image in images:
        mirrors = (variables.get("kube_registry_mirrors") or {}).get(server) or []
        if mirrors:
            base = str(mirrors[0]["url"]).rstrip("/") + ("" if mirrors[0].get("override_path") else "/v2")
            name, _colon, tag = image.rpartition(":")
            found[f"{base}/{name}/manifests/{tag}"] = mirrors[0]
    return found


def registry_requests(variables: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the requests for the control plane's registry, or for the first mirror of each registry, and for the needed manifests."""
    requests = []
    mirrors = variables.get("kube_registry_mirrors") or {}
    registry, _slash, path = str(variables.get("kube_image_registry") or "").partition("/")
    proxy = dict(variables.get("containerd_proxy") or {})
    proxy["no_proxy"] = [*(proxy.get("no_proxy") or []), *(variables.get("kube_no_proxy") or [])]
    if registry and not mirrors.get(registry):
        url = f"https://{registry}/v2/"
        image = "/".join(filter(None, (path, needed_images(variables)[0])))
        requests.append({"url": url, "kind": "registry", "image": image, "proxy": proxy_for(url, proxy)})
    for entries in mirrors.values():
        access = access_to(entries[0], proxy)
        # The API of a mirror starts at /v2/ of the server.
        root = re.sub(r"/v2(/.*)?$", "", str(entries[0]["url"]).rstrip("/"))
        requests.append(dict(access, url=root + "/v2/", kind="registry"))
    for url, mirror in manifest_urls(variables).items():
        requests.append(dict(access_to(mirror, proxy), url=url, kind="manifest"))
    return requests


def proxy_for(url: str, proxy: dict[str, Any]) -> str:
    """Return the proxy that containerd uses for a URL; empty if it uses none.

    :param proxy: the variable containerd_proxy: ``http``, ``https`` and ``no_proxy``, a list of domains (which include their subdomains),
        addresses and networks.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    for entry in map(str, proxy.get("no_proxy") or []):
        try:
            if ip_address(host) in ip_network(entry, strict=False):
                return ""
        except ValueError:
            pass
        name = entry.lstrip("*").lstrip(".")
        if name and (host == name or host.endswith("." + name)):
            return ""
    return str(proxy.get(parts.scheme) or "")


def access_to(mirror: dict[str, Any], proxy: dict[str, Any]) -> dict[str, Any]:
    """Return how to access a mirror: its CA, whether to verify it, headers and proxy."""

    def first(value: Any) -> Any:
        return value[0] if isinstance(value, list) else value

    return {
        "ca": first(mirror.get("ca") or ""),
        "verify": not mirror.get("skip_verify", False),
        "headers": {name: first(value) for name, value in (mirror.get("header") or {}).items()},
        "proxy": proxy_for(str(mirror["url"]), proxy),
    }


@CHECKS.host("registry", sources=True)
def check_registry(host: Host) -> Iterator[Finding]:
    """Images can be pulled from the image registry or its mirrors."""
    for url, answer in host.facts["reach"].items():
        if answer["ok"] or answer["kind"] not in ("registry", "manifest") or answer["status"] == 407:
            continue  # status 407 is reported by the check "proxy"
        if answer["status"] == 401:
            yield (
                "An image registry requires credentials.",
                f"{url}: {answer['error']}",
                "Set the header Authorization of a mirror of this registry in kube_registry_mirrors, or allow anonymous pulls.",
            )
        elif answer["kind"] == "registry":
            remedy = "Check the network, proxy, DNS and the server, or set mirrors in kube_registry_mirrors."
            yield "An image registry cannot be reached.", f"{url}: {answer['error']}", remedy


@CHECKS.host("mirror_image", sources=True)
def check_mirror_image(host: Host) -> Iterator[Finding]:
    """The mirror serves the needed images in the form that containerd accepts."""
    for url, answer in host.facts["reach"].items():
        if answer["ok"] or answer["kind"] != "manifest" or answer["status"] in (401, 407):
            continue
        if answer["status"] == 404:
            remedy = "Add the image to the mirror; a bundle of this version contains it."
            yield "The mirror lacks an image that the node needs.", f"{url}: not found", remedy
        elif answer["status"]:  # without a response at all, the registry is reported
            yield (
                "The mirror does not serve image manifests in the form that containerd requires.",
                f"{url}: {answer['error']}",
                "Serve manifests unmodified and with their media type as Content-Type, as the role mirror does.",
            )


@CHECKS.cluster("endpoint_reach")
def check_endpoint_reach(cluster: Cluster) -> Iterator[Finding]:
    """The endpoint's name can be resolved, and if a control plane is running, the endpoint accepts connections.

    One to which the cluster is moved need not do so yet.
    """
    desired = split_endpoint(str(cluster.variables.get("kube_control_plane_endpoint") or ""))[0]
    settled = [host for host in cluster.control_planes if host.settled]
    moved = bool(cluster.variables.get("kube_move_endpoint")) and any(
        split_endpoint(host.facts["cluster"]["endpoint"])[0] != desired for host in settled
    )
    serving = [host.name for host in settled if host.facts["cluster"]["healthy"] and not moved]
    for host in cluster.inspected:
        for url, answer in host.facts["reach"].items():
            if answer["kind"] != "tcp" or answer["ok"] or host.settled:
                continue
            unresolved = "resolved" in answer["error"]
            if serving or unresolved:
                yield (
                    host.name,
                    "The control plane's endpoint cannot be reached.",
                    f"{url}: {answer['error']}{'' if unresolved else f'; the API server of {serving[0]} is healthy'}",
                    "Check DNS, load balancer and firewall: every host must reach the control planes through kube_control_plane_endpoint.",
                )


@CHECKS.host("clock", sources=True)
def check_clock_of_servers(host: Host) -> Iterator[Finding]:
    """The host's clock agrees with at least one server: certificates of servers have a validity period.

    One server's clock may be wrong; two that agree show that the host's is.
    """
    clocks: dict[str, float] = {}
    for url, answer in host.facts["reach"].items():
        if answer.get("clock") is not None:
            clocks.setdefault(urlsplit(url.split()[0]).netloc, answer["clock"])
    if not clocks or min(map(abs, clocks.values())) <= MAXIMUM_SERVER_DIFFERENCE:
        return
    pairs = itertools.combinations(clocks.items(), 2)
    agreed = next((pair for pair in pairs if abs(pair[0][1] - pair[1][1]) <= MAXIMUM_SERVER_DIFFERENCE), None)
    if agreed:
        (first, clock), (second, _clock) = agreed
        shown = f"{_difference(clock)} {first} and {second}"
    else:
        shown = ", ".join(f"{_difference(clock)} {server}" for server, clock in clocks.items())
    yield (
        "The host's clock differs from those of the servers that it reaches.",
        f"it is {shown}, according to the header Date of their responses",
        "Run a time service (systemd-timesyncd, chrony) on the host, or correct the clock of the server.",
        "error" if agreed else "warning",
    )


def _difference(clock: float) -> str:
    return f"{abs(clock):.0f} seconds {'ahead of' if clock > 0 else 'behind'}"
