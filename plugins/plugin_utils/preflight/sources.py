# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where packages and images come from: which addresses a host must reach, and what their answers mean.

``requests_for`` is what look_at_host asks host_info for; the checks read its key ``reach``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from ipaddress import ip_address, ip_network
from typing import Any
from urllib.parse import urlsplit

from ...module_utils._kube.versions import parse_version
from .problem import Cluster, Host, Problem
from .syntax import split_endpoint

KUBERNETES_PACKAGES = ["kubeadm", "kubelet", "kubectl"]
CONTAINERD_PACKAGE = "containerd.io"


def requests_for(want: dict[str, Any]) -> list[dict[str, Any]]:
    """What a host is to reach, as the option ``urls`` of host_info.

    :param want: values of the collection's variables on the host.
    """
    requests = repository_requests(want.get("kube_kubernetes_repository") or {}, KUBERNETES_PACKAGES)
    package = str(want.get("containerd_package") or CONTAINERD_PACKAGE)
    requests += repository_requests(want.get("kube_containerd_repository") or {}, [package])
    requests += registry_requests(want)
    name, port, error = split_endpoint(str(want.get("kube_control_plane_endpoint") or ""))
    if name and not error:
        requests.append({"url": endpoint_url(name, port or int(want.get("kube_api_port") or 6443)), "kind": "tcp"})
    return list({request["url"]: request for request in requests}.values())


def endpoint_url(name: str, port: int) -> str:
    """Address of the endpoint for a probe of the kind tcp."""
    return "tcp://%s:%d" % (f"[{name}]" if ":" in name else name, port)


def repository_requests(repository: dict[str, Any], packages: list[str]) -> list[dict[str, Any]]:
    """Index and key of a package repository.

    Of an apt repository only a flat one (its suite ends in a slash) has its index at a place that does not depend on the host, so
    of others only the key is asked for.
    """
    requests = []
    suite = str(repository.get("suite") or "")
    if repository.get("deb_url") and suite.endswith("/"):
        requests.append(
            {"url": repository["deb_url"], "kind": "deb", "suite": suite, "packages": packages, "family": "debian"}
        )
    elif repository.get("deb_url") and repository.get("key_url"):
        requests.append({"url": repository["key_url"], "kind": "http", "family": "debian"})
    # An address with dnf's own variables means nothing to others.
    if repository.get("rpm_url") and "$" not in repository["rpm_url"]:
        requests.append({"url": repository["rpm_url"], "kind": "rpm", "packages": packages, "family": "rhel"})
    if repository.get("key_url") and suite.endswith("/"):
        requests.append({"url": repository["key_url"], "kind": "http"})
    return requests


def needed_images(want: dict[str, Any]) -> list[str]:
    """NAME:TAG of the images that kubeadm makes a node run, without their registry (``kubeadm config images list``).

    :param want: also has ``control_plane``, whether the node is one.
    """
    version, row = want.get("kube_version"), want.get("kube_component_versions") or {}
    images = [f"pause:{row['pause']}"] if row.get("pause") else []
    images += [f"kube-proxy:v{version}", f"coredns/coredns:v{row.get('coredns')}"]
    if want.get("control_plane"):
        images += [f"kube-{part}:v{version}" for part in ("apiserver", "controller-manager", "scheduler")]
        images += [f"etcd:{row.get('etcd')}-0"]
    return images


def manifest_urls(want: dict[str, Any]) -> list[str]:
    """Addresses of the needed images' manifests in the first mirror of the control plane's registry; none without a mirror."""
    registry, _slash, path = str(want.get("kube_image_registry") or "").partition("/")
    mirrors = (want.get("kube_registry_mirrors") or {}).get(registry) or []
    if not mirrors:
        return []
    base = str(mirrors[0]["url"]).rstrip("/") + ("" if mirrors[0].get("override_path") else "/v2")
    folder = "/".join(filter(None, (base, path)))
    return ["{}/{}/manifests/{}".format(folder, *image.split(":")) for image in needed_images(want)]


def registry_requests(want: dict[str, Any]) -> list[dict[str, Any]]:
    """The control plane's registry, or the first mirror of each mirrored one, and a manifest from it."""
    requests = []
    mirrors = want.get("kube_registry_mirrors") or {}
    registry = str(want.get("kube_image_registry") or "").partition("/")[0]
    proxy = want.get("containerd_proxy") or {}
    if registry and not mirrors.get(registry):
        url = f"https://{registry}/v2/"
        requests.append({"url": url, "kind": "registry", "proxy": proxy_for(url, proxy)})
    for entries in mirrors.values():
        access = access_to(entries[0], proxy)
        # Without a path of its own a mirror's API starts at /v2/ of the server.
        root = re.sub(r"/v2(/.*)?$", "", str(entries[0]["url"]).rstrip("/"))
        requests.append(dict(access, url=root + "/v2/", kind="registry"))
    for url in manifest_urls(want):
        requests.append(dict(access_to(mirrors[registry][0], proxy), url=url, kind="manifest"))
    return requests


def proxy_for(url: str, proxy: dict[str, Any]) -> str:
    """The proxy by which containerd reaches a URL; "" for none.

    :param proxy: the variable containerd_proxy: ``http``, ``https`` and ``no``, a list of names (that stand for all below them),
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
    """How to reach a mirror: its CA, whether to verify, headers, proxy."""
    headers = {
        name: value[0] if isinstance(value, list) else value for name, value in (mirror.get("header") or {}).items()
    }
    ca = mirror.get("ca") or ""
    authority = ca[0] if isinstance(ca, list) else ca
    return {
        "ca": authority,
        "verify": not mirror.get("skip_verify", False),
        "headers": headers,
        "proxy": proxy_for(str(mirror["url"]), proxy),
    }


def check_repository(host: Host) -> Iterator[Problem]:
    """The package repositories can be reached and have what is wanted."""
    reach = host.look["reach"]
    package = str(host.want.get("containerd_package") or CONTAINERD_PACKAGE)
    for variable, names in (
        ("kube_kubernetes_repository", KUBERNETES_PACKAGES),
        ("kube_containerd_repository", [package]),
    ):
        repository = host.want.get(variable) or {}
        for key in ("deb_url", "rpm_url", "key_url"):
            answer = reach.get(repository.get(key))
            if answer and not answer["ok"]:
                yield Problem(
                    "repository",
                    host.name,
                    "A package repository cannot be reached.",
                    f"{variable}.{key} {repository[key]}: {answer['error']}",
                    f"Make the host reach it (network, proxy, DNS, server), or name another source in {variable}.",
                )
            if answer and answer["ok"] and "packages" in answer:
                yield from judge_versions(
                    host, variable, repository[key], {name: answer["packages"].get(name) or [] for name in names}
                )


def judge_versions(host: Host, variable: str, url: str, offered: dict[str, list[str]]) -> Iterator[Problem]:
    """The sources have the wanted version of each package; containerd's may be given by its beginning.

    :param offered: versions by package.
    """
    missing: dict[tuple[str, ...], list[str]] = {}
    wanted = ""
    for package, versions in offered.items():
        wanted = str(host.want.get("kube_version" if package in KUBERNETES_PACKAGES else "containerd_version") or "")
        bare = [re.sub(r"^\d+:", "", version) for version in versions]
        if wanted and not any(re.match(re.escape(wanted) + r"(?!\d)", version) for version in bare):
            upstream = sorted({version.split("-")[0] for version in bare}, key=parse_version)
            missing.setdefault(tuple(upstream), []).append(package)
    for there, packages in missing.items():
        yield Problem(
            "source_version",
            host.name,
            f"The sources do not have {wanted} of {', '.join(packages)}.",
            f"they have {', '.join(there[-6:]) or 'no version of it'} ({url})",
            f"Choose a version that they have, or bring {wanted} into the repository that {variable} names.",
        )


def check_registry(host: Host) -> Iterator[Problem]:
    """The registry or its mirrors answer, with manifests that containerd takes."""
    for url, answer in host.look["reach"].items():
        if answer["ok"] or answer["kind"] not in ("registry", "manifest"):
            continue
        if answer["kind"] == "registry":
            yield Problem(
                "registry",
                host.name,
                "An image registry cannot be reached.",
                f"{url}: {answer['error']}",
                "Make the host reach it (network, proxy, DNS, server), or name mirrors in kube_registry_mirrors.",
            )
        elif answer["status"] == 404:
            evidence, remedy = (
                f"{url}: not found",
                "Bring the image into the mirror (a bundle of this version has it).",
            )
            yield Problem("mirror_image", host.name, "The mirror lacks an image that the node needs.", evidence, remedy)
        elif answer["status"]:
            yield Problem(
                "mirror_image",
                host.name,
                "The mirror does not serve images as containerd needs them.",
                f"{url}: {answer['error']}",
                "Serve manifests unchanged and with their own media type as Content-Type, as the role mirror does.",
            )


def check_endpoint_reach(cluster: Cluster) -> Iterator[Problem]:
    """The endpoint's name resolves, and once there is a control plane, it answers."""
    serving = [host.name for host in cluster.control_planes if host.settled and host.look["cluster"]["healthy"]]
    for host in cluster.seen:
        for url, answer in host.look["reach"].items():
            if answer["kind"] != "tcp" or answer["ok"] or host.settled:
                continue
            unresolved = "resolved" in answer["error"]
            if serving or unresolved:
                yield Problem(
                    "endpoint_reach",
                    host.name,
                    "The control plane's endpoint cannot be reached.",
                    "{}: {}{}".format(url, answer["error"], "" if unresolved else f"; {serving[0]} serves the API"),
                    "Make kube_control_plane_endpoint lead to the control planes, from every host (DNS, load balancer, firewall).",
                )


HOST_CHECKS: dict[str, Callable[[Host], Iterator[Problem]]] = {
    "repository": check_repository,
    "registry": check_registry,
}


def check_sources(cluster: Cluster) -> Iterator[Problem]:
    """All checks of this file; a member has its packages and images, so sources matter to it no more."""
    for host in cluster.seen:
        for check in () if host.settled else HOST_CHECKS.values():
            yield from check(host)
    yield from check_endpoint_reach(cluster)
