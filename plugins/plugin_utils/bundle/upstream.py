# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What comes from upstream's own servers: planning and reading of their indexes. Pure functions.

Packages come from apt repositories as they are described in https://wiki.debian.org/DebianRepository/Format: a signed
release file names the digest of the package list, the list names the digest of every package.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from ...module_utils._kube.versions import version_key
from .catalog import Catalog, Package
from .errors import BundleError
from .staleness import Step

NEWEST = "newest"


@dataclass(frozen=True)
class Manifest:
    """A manifest that a bundle takes in, and the images that its pods name."""

    target: str  # below manifests/
    path: str  # where it comes from: a file or an address
    digest: str
    images: tuple[str, ...] = ()


def upstream_package_steps(catalog: Catalog, architecture: str, addresses: Mapping[str, str]) -> list[Step]:
    """One download for each package, and upstream's cri-tools, which upstream's kubeadm depends on.

    :param addresses: ``kubernetes`` (with ``{minor}``), ``kubernetes_key``, ``containerd``, ``containerd_suite``, ``containerd_key``.
    """
    packages = list(catalog.packages.values())
    for repository in dict.fromkeys(package.repository for package in packages if package.name == "kubeadm"):
        packages.append(Package("cri-tools", NEWEST, repository, ()))
    return [
        Step(
            f"package:{package.repository}/{package.name}_{package.version}",
            "fetch_package",
            f"fetching {package.name} {package.version}",
            {
                "name": package.name,
                "version": package.version,
                "repository": package.repository,
                "architecture": architecture,
                "source": package_source(package.repository, addresses),
            },
        )
        for package in packages
    ]


def package_source(repository: str, addresses: Mapping[str, str]) -> dict[str, str]:
    """Upstream's apt repository for a folder of the bundle: where its release file and its packages are, and its key."""
    found = re.match(r"^deb/kubernetes/v(.+)$", repository)
    if found:
        base = addresses["kubernetes"].format(minor=found.group(1)).rstrip("/")
        return {
            "release": f"{base}/",
            "packages": "Packages",
            "base": f"{base}/",
            "key": addresses["kubernetes_key"].format(minor=found.group(1)),
        }
    base, suite = addresses["containerd"].rstrip("/"), addresses["containerd_suite"]
    return {
        "release": f"{base}/dists/{suite}/",
        "packages": "stable/binary-{architecture}/Packages",
        "base": f"{base}/",
        "key": addresses["containerd_key"],
    }


def upstream_images(catalog: Catalog, rows: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    """Every image that an upstream bundle holds, and its version: the catalog's, Calico's and flannel's plugin."""
    images = {image.name: image.version for image in catalog.images.values()}
    for row in rows.values():
        images.update(dict.fromkeys(calico_images(row), row["calico"]))
        if row.get("flannel_cni_plugin"):
            images[f"ghcr.io/flannel-io/flannel-cni-plugin:v{row['flannel_cni_plugin']}-flannel1"] = row[
                "flannel_cni_plugin"
            ]
    return images


def calico_images(row: Mapping[str, str]) -> list[str]:
    """The images that Calico's manifest for one cluster names; none where the table has no Calico."""
    version = row.get("calico", "")
    return [f"quay.io/calico/{part}:v{version}" for part in ("cni", "kube-controllers", "node")] if version else []


def upstream_image_steps(images: Mapping[str, str], architecture: str) -> list[Step]:
    """One copy with skopeo for each image."""
    return [
        Step(
            f"image:{name}",
            "copy_image",
            f"fetching image {name}",
            {"name": name, "version": version, "architecture": architecture, "origin": f"docker://{name}"},
            hints={"source": f"docker://{name}"},
        )
        for name, version in images.items()
    ]


def upstream_manifests(rows: Mapping[str, Mapping[str, str]], addresses: Mapping[str, str]) -> list[Manifest]:
    """Manifests of the pod networks, pinned by version."""
    found = {}
    for row in rows.values():
        if row.get("calico"):
            found[f"calico/v{row['calico']}/calico.yaml"] = Manifest(
                f"calico/v{row['calico']}/calico.yaml",
                addresses["calico"].format(version=row["calico"]),
                "",
                tuple(calico_images(row)),
            )
        target = f"flannel/v{row['flannel']}/kube-flannel.yml"
        found[target] = Manifest(target, addresses["flannel"].format(version=row["flannel"]), "")
    return list(found.values())


def skopeo_copy(source: str, layout: str, architecture: str) -> list[str]:
    """The command that writes one image as an OCI layout: always OCI, always one architecture."""
    return [
        "skopeo",
        "--insecure-policy",
        "--override-os",
        "linux",
        "--override-arch",
        architecture,
        "copy",
        "--quiet",
        "--format",
        "oci",
        "--multi-arch",
        "system",
        "--dest-compress-format",
        "zstd",
        source,
        f"oci:{layout}:image",
    ]


def read_release(text: str) -> dict[str, tuple[str, int]]:
    """Digest (``sha256:…``) and size of every file that a Release file names.

    :raises BundleError: it has no SHA256 section.
    """
    section = re.search(r"^SHA256:\n((?: .+\n?)+)", text, re.MULTILINE)
    if not section:
        raise BundleError("The release file names no SHA256 digests: it is not one that packages can be trusted by.")
    entries = (line.split() for line in section.group(1).splitlines())
    return {name: (f"sha256:{digest}", int(size)) for digest, size, name in entries}


def read_packages(text: str) -> list[dict[str, str]]:
    """The stanzas of a Packages file; folded lines are left out."""
    return [
        dict(line.split(": ", 1) for line in stanza.splitlines() if not line.startswith(" ") and ": " in line)
        for stanza in re.split(r"\n\s*\n", text.strip())
        if stanza.strip()
    ]


def choose_package(
    stanzas: list[dict[str, str]], name: str, version: str, architecture: str, where: str
) -> dict[str, str]:
    """The stanza of one package.

    :param version: an exact version, or ``newest``.
    :param where: the repository, for the error.
    :raises BundleError: it is not there; the versions that are there are told.
    """
    offered = [
        one for one in stanzas if one.get("Package") == name and one.get("Architecture") in (architecture, "all")
    ]
    chosen = [one for one in offered if version in (NEWEST, one.get("Version"))]
    if not chosen:
        newest = (
            ", ".join(sorted((one.get("Version", "") for one in offered), key=version_key)[-5:]) or "no version of it"
        )
        raise BundleError(
            f"{where} has no {name} {version} for {architecture}; it has {newest}. Correct the version in kube_versions or bundle_kubernetes_versions."
        )
    best = max(chosen, key=lambda one: version_key(one.get("Version", "")))
    if not best.get("Filename") or not best.get("SHA256"):
        raise BundleError(
            f"{where} lists {name} {version} without a file name or a SHA256 digest: the repository's index is damaged."
        )
    return best
