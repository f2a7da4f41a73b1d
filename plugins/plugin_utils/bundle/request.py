# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a user asks for, and what of an earlier bundle is asked for silently. Pure: files were read before."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from .index import Index
from .names import ImageName, minor_of
from .upstream import Manifest


@dataclass(frozen=True)
class Archive:
    """One image of an archive that the site brought."""

    source: str  # what skopeo calls it, such as docker-archive:/images/calico.tar:quay.io/calico/node:v3.32.1
    name: ImageName
    path: str  # the archive
    digest: str  # of the archive, or of an OCI folder's index.json


@dataclass
class Want:
    """A bundle as it is asked for."""

    origin: str
    architecture: str
    kubernetes_versions: list[str]
    table: dict[str, dict[str, str]]  # versions by Kubernetes minor, from the role `cluster`
    debian: str = "12 bookworm"
    debian_sources: list[str] = field(default_factory=list)
    archives: list[Archive] = field(default_factory=list)
    manifests: list[Manifest] = field(default_factory=list)
    locks: dict[str, str] = field(default_factory=dict)  # digest of go.mod and go.sum by component
    texts: dict[str, str] = field(default_factory=dict)  # own sources, such as pause.c
    upstream: dict[str, str] = field(default_factory=dict)  # addresses, see role `bundle`
    programs: dict[str, str] = field(default_factory=dict)  # for the control node: name and version
    debian_images: list[str] = field(default_factory=list)  # names of images that are made of Debian packages


def carry_over(want: Want, index: Index) -> None:
    """Add to *want* what is in the bundle already and not replaced: other Kubernetes versions, additions, what the site brought.

    A build takes minutes and an archive may be on a stick in a drawer, so nothing goes because it is not asked for again.
    """
    if index.architecture != want.architecture:
        return
    minors = {minor_of(version) for version in want.kubernetes_versions}
    want.kubernetes_versions += [version for version in index.kubernetes_versions if minor_of(version) not in minors]
    names = {str(archive.name) for archive in want.archives}
    for brought in index.brought.get("archives", []):
        if brought["name"] not in names:
            want.archives.append(
                Archive(brought["source"], ImageName.parse(brought["name"]), brought["path"], brought["digest"])
            )
    targets = {manifest.target for manifest in want.manifests}
    for brought in index.brought.get("manifests", []):
        if brought["target"] not in targets:
            want.manifests.append(
                Manifest(brought["target"], brought["path"], brought["digest"], tuple(brought["images"]))
            )
    for added in index.brought.get("programs", []):
        want.programs.setdefault(added["name"], added["version"])
    want.debian_images += [
        added["name"] for added in index.brought.get("debian_images", []) if added["name"] not in want.debian_images
    ]


def describe(want: Want) -> Index:
    """What the index says of the wanted bundle as a whole."""
    archives = [
        {"name": str(one.name), "source": one.source, "path": one.path, "digest": one.digest} for one in want.archives
    ]
    manifests = [
        {"target": one.target, "path": one.path, "digest": one.digest, "images": list(one.images)}
        for one in want.manifests
    ]
    brought: dict[str, list[dict[str, Any]]] = {"archives": archives, "manifests": manifests}
    # Left out where there are none, so that a bundle without additions is the same as before there were any.
    if want.programs:
        brought["programs"] = [{"name": name, "version": version} for name, version in sorted(want.programs.items())]
    if want.debian_images:
        brought["debian_images"] = [{"name": name} for name in sorted(want.debian_images)]
    return Index(want.origin, want.architecture, list(want.kubernetes_versions), brought)
