# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Checks of the package repositories, image registries and the endpoint, which every host must be able to reach.

Module host_info sends the requests that :func:`requests_for` returns; the checks read the responses from its key ``reach``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from ipaddress import ip_address, ip_network
from typing import Any
from urllib.parse import urlsplit

from ...module_utils._kube.versions import parse_version
from .problem import Checks, Cluster, Finding, Host
from .syntax import split_endpoint

CHECKS = Checks()

KUBERNETES_PACKAGES = ["kubeadm", "kubelet", "kubectl"]
CONTAINERD_PACKAGE = "containerd.io"


def requests_for(variables: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the requests that a host must be able to make, as the option ``urls`` of host_info.

    :param variables: values of the collection's variables on the host.
    """
    requests = repository_requests(variables.get("kube_kubernetes_repository") or {}, KUBERNETES_PACKAGES)
    package = str(variables.get("containerd_package") or CONTAINERD_PACKAGE)
    requests += repository_requests(variables.get("kube_containerd_repository") or {}, [package])
    proxy = {
        "http": variables.get("kube_http_proxy"),
        "https": variables.get("kube_https_proxy"),
        "no": variables.get("kube_no_proxy"),
    }
    requests = [dict(request, proxy=proxy_for(request["url"], proxy)) for request in requests]
    requests += registry_requests(variables)
    name, port, error = split_endpoint(str(variables.get("kube_control_plane_endpoint") or ""))
    if name and not error:
        port = port or int(variables.get("kube_api_port") or 6443)
        requests.append({"url": f"tcp://{f'[{name}]' if ':' in name else name}:{port}", "kind": "tcp"})
    return list({request["url"]: request for request in requests}.values())


def repository_requests(repository: dict[str, Any], packages: list[str]) -> list[dict[str, Any]]:
    """Return the requests for the index and the key of a package repository.

    Only the index of a flat apt repository (its suite ends with a slash) has a URL that does not depend on the host; for other apt
    repositories only the key is requested.
    """
    requests = []
    suite = str(repository.get("suite") or "")
    if repository.get("deb_url") and suite.endswith("/"):
        requests.append(
            {"url": repository["deb_url"], "kind": "deb", "suite": suite, "packages": packages, "family": "debian"}
        )
    elif repository.get("deb_url") and repository.get("key_url"):
        requests.append({"url": repository["key_url"], "kind": "http", "family": "debian"})
    # Only dnf can resolve a URL that contains dnf variables.
    if repository.get("rpm_url") and "$" not in repository["rpm_url"]:
        requests.append({"url": repository["rpm_url"], "kind": "rpm", "packages": packages, "family": "rhel"})
    if repository.get("key_url") and suite.endswith("/"):
        requests.append({"url": repository["key_url"], "kind": "http"})
    return requests


def needed_images(variables: dict[str, Any]) -> list[str]:
    """Return NAME:TAG of the images that kubeadm runs on a node, without their registry (``kubeadm config images list``).

    :param variables: also has ``control_plane``, whether the node is a control plane.
    """
    version, row = variables.get("kube_version"), variables.get("kube_component_versions") or {}
    images = [f"pause:{row['pause']}"] if row.get("pause") else []
    images += [f"kube-proxy:v{version}", f"coredns/coredns:v{row.get('coredns')}"]
    if variables.get("control_plane"):
        images += [f"kube-{part}:v{version}" for part in ("apiserver", "controller-manager", "scheduler")]
        images += [f"etcd:{row.get('etcd')}-0"]
    return images


def manifest_urls(variables: dict[str, Any]) -> list[str]:
    """Return the URLs of the needed images' manifests in the first mirror of the control plane's registry, if it has a mirror."""
    registry, _slash, path = str(variables.get("kube_image_registry") or "").partition("/")
    mirrors = (variables.get("kube_registry_mirrors") or {}).get(registry) or []
    if not mirrors:
        return []
    base = str(mirrors[0]["url"]).rstrip("/") + ("" if mirrors[0].get("override_path") else "/v2")
    folder = "/".join(filter(None, (base, path)))
    return [f"{folder}/{image.replace(':', '/manifests/')}" for image in needed_images(variables)]


def registry_requests(variables: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the requests for the control plane's registry, or for the first mirror of each registry, and for the needed manifests."""
    requests = []
    mirrors = variables.get("kube_registry_mirrors") or {}
    registry = str(variables.get("kube_image_registry") or "").partition("/")[0]
    proxy = dict(variables.get("containerd_proxy") or {})
    proxy["no"] = [*(proxy.get("no") or []), *(variables.get("kube_no_proxy") or [])]
    if registry and not mirrors.get(registry):
        url = f"https://{registry}/v2/"
        requests.append({"url": url, "kind": "registry", "proxy": proxy_for(url, proxy)})
    for entries in mirrors.values():
        access = access_to(entries[0], proxy)
        # The API of a mirror starts at /v2/ of the server.
        root = re.sub(r"/v2(/.*)?$", "", str(entries[0]["url"]).rstrip("/"))
        requests.append(dict(access, url=root + "/v2/", kind="registry"))
    for url in manifest_urls(variables):
        requests.append(dict(access_to(mirrors[registry][0], proxy), url=url, kind="manifest"))
    return requests


def proxy_for(url: str, proxy: dict[str, Any]) -> str:
    """Return the proxy that containerd uses for a URL; empty if it uses none.

    :param proxy: the variable containerd_proxy: ``http``, ``https`` and ``no``, a list of domains (which include their subdomains),
        addresses and networks.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    for entry in map(str, proxy.get("no") or []):
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


def repository_answers(host: Host) -> Iterator[tuple[str, str, str, list[str], dict[str, Any]]]:
    """Yield the variable, key, URL, needed packages and response of each package repository that the host requested."""
    package = str(host.variables.get("containerd_package") or CONTAINERD_PACKAGE)
    for variable, packages in (
        ("kube_kubernetes_repository", KUBERNETES_PACKAGES),
        ("kube_containerd_repository", [package]),
    ):
        repository = host.variables.get(variable) or {}
        for key in ("deb_url", "rpm_url", "key_url"):
            answer = host.facts["reach"].get(repository.get(key))
            if answer:
                yield variable, key, repository[key], packages, answer


@CHECKS.host("repository", settled=False)
def check_repository(host: Host) -> Iterator[Finding]:
    """The package repositories can be reached."""
    for variable, key, url, _packages, answer in repository_answers(host):
        if not answer["ok"]:
            yield (
                "A package repository cannot be reached.",
                f"{variable}.{key} {url}: {answer['error']}",
                f"Check the network, proxy, DNS and the server, or set another repository in {variable}.",
            )


@CHECKS.host("source_version", settled=False)
def check_source_version(host: Host) -> Iterator[Finding]:
    """The repositories have the desired version of each package. containerd's version may be a prefix, such as ``2.2``."""
    for variable, _key, url, packages, answer in repository_answers(host):
        if not answer["ok"] or "packages" not in answer:
            continue
        desired = str(
            host.variables.get("kube_version" if packages is KUBERNETES_PACKAGES else "containerd_version") or ""
        )
        missing: dict[tuple[str, ...], list[str]] = {}
        for package in packages if desired else ():
            offered = [re.sub(r"^\d+:", "", version) for version in answer["packages"].get(package) or []]
            if not any(re.match(re.escape(desired) + r"(?!\d)", version) for version in offered):
                upstream = sorted({version.split("-")[0] for version in offered}, key=parse_version)
                missing.setdefault(tuple(upstream), []).append(package)
        for available, names in missing.items():
            yield (
                f"The package repository does not have version {desired} of {', '.join(names)}.",
                f"{url} has {', '.join(available[-6:]) or 'no version of it'}",
                f"Choose an available version, or add {desired} to the repository in {variable}.",
            )


@CHECKS.host("registry", settled=False)
def check_registry(host: Host) -> Iterator[Finding]:
    """The image registry or its mirrors can be reached."""
    for url, answer in host.facts["reach"].items():
        if not answer["ok"] and answer["kind"] == "registry":
            yield (
                "An image registry cannot be reached.",
                f"{url}: {answer['error']}",
                "Check the network, proxy, DNS and the server, or set mirrors in kube_registry_mirrors.",
            )


@CHECKS.host("mirror_image", settled=False)
def check_mirror_image(host: Host) -> Iterator[Finding]:
    """The mirror serves the needed images in the form that containerd accepts."""
    for url, answer in host.facts["reach"].items():
        if answer["ok"] or answer["kind"] != "manifest":
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
    """The endpoint's name can be resolved, and if a control plane is running, the endpoint accepts connections."""
    serving = [host.name for host in cluster.control_planes if host.settled and host.facts["cluster"]["healthy"]]
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
