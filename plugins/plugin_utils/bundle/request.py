# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The requested bundle, and what it inherits from the existing one. Pure: all files have been read before."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ...module_utils._kube.versions import minor_of
from .catalog import DEFAULT_NETWORK_PLUGINS
from .index import Index
from .names import ImageName
from .upstream import ADDRESSES, BundledManifest


@dataclass(frozen=True)
class ArchivedImage:
    """One image of an archive that the user supplies."""

    source: str  # skopeo's name for it, such as docker-archive:/images/calico.tar:quay.io/calico/node:v3.32.1
    name: ImageName
    path: str  # the archive
    digest: str  # of the archive, or of the index.json of an OCI folder


@dataclass
class Request:
    """What is requested of a bundle and of an origin alike."""

    architecture: str
    kubernetes_versions: list[str]
    table: dict[str, dict[str, str]]  # component versions by Kubernetes minor version, from role `cluster`
    archives: list[ArchivedImage] = field(default_factory=list)
    manifests: list[BundledManifest] = field(default_factory=list)
    programs: dict[str, str] = field(default_factory=dict)  # for the control node: name and version
    images: list[str] = field(default_factory=list)  # names of additional images


@dataclass
class BundleRequest(Request):
    """The bundle that the user requests."""

    package_formats: list[str] = field(default_factory=lambda: ["deb"])
    network_plugins: list[str] = field(default_factory=lambda: list(DEFAULT_NETWORK_PLUGINS))
    flannel_cni_plugin: bool = True
    addons: list[str] = field(default_factory=list)
    addon_paths: list[str] = field(default_factory=list)
    upstream: dict[str, str] = field(default_factory=lambda: dict(ADDRESSES))
    registries: dict[str, str] = field(default_factory=dict)  # where images are copied from instead
    ca: str = ""


def carry_over(request: Request, index: Index) -> None:
    """Add to the request what the existing folder holds and the request does not replace.

    These are other Kubernetes versions, additional programs and images, and files that the user supplied. A build takes
    minutes and an archive may no longer be at hand, so nothing is dropped only because it is not requested again.
    """
    if index.architecture != request.architecture:
        return
    minors = {minor_of(version) for version in request.kubernetes_versions}
    request.kubernetes_versions += [version for version in index.kubernetes_versions if minor_of(version) not in minors]
    names = {str(archive.name) for archive in request.archives}
    request.archives += [
        ArchivedImage(entry["source"], ImageName.parse(entry["name"]), entry["path"], entry["digest"])
        for entry in index.brought.get("archives", [])
        if entry["name"] not in names
    ]
    targets = {manifest.target for manifest in request.manifests}
    request.manifests += [
        BundledManifest(entry["target"], entry["path"], entry["digest"], tuple(entry["images"]))
        for entry in index.brought.get("manifests", [])
        if entry["target"] not in targets
    ]
    for entry in index.brought.get("programs", []):
        request.programs.setdefault(entry["name"], entry["version"])
    request.images += [
        entry["name"] for entry in index.brought.get("images", []) if entry["name"] not in request.images
    ]


def describe(request: Request, more: dict[str, Any] | None = None) -> Index:
    """Return an index with what describes the requested folder as a whole.

    :param more: further descriptions.
    """
    brought: dict[str, list[dict[str, Any]]] = {
        "archives": [
            {"name": str(one.name), "source": one.source, "path": one.path, "digest": one.digest}
            for one in request.archives
        ],
        "manifests": [
            {"target": one.target, "path": one.path, "digest": one.digest, "images": list(one.images)}
            for one in request.manifests
        ],
        "programs": [{"name": name, "version": version} for name, version in sorted(request.programs.items())],
        "images": [{"name": name} for name in sorted(request.images)],
    }
    return Index(request.architecture, list(request.kubernetes_versions), brought, more or {})
