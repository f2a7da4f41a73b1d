# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Packages, images and manifests from upstream's servers: the steps that fetch them, and reading of package indexes.

Pure functions. Package repositories are described in https://wiki.debian.org/DebianRepository/Format: a signed
release file lists the digest of the package list, which lists the digest of every package.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from ...module_utils._kube.versions import version_key
from .catalog import Catalog, Package
from .names import BundleError
from .staleness import BuildStep

NEWEST = "newest"


@dataclass(frozen=True)
class BundledManifest:
    """A Kubernetes manifest file in the bundle, and the images that its pods use."""

    target: str  # below manifests/
    path: str  # its source: a file or a URL
    digest: str
    images: tuple[str, ...] = ()


def upstream_package_steps(catalog: Catalog, architecture: str, addresses: Mapping[str, str]) -> list[BuildStep]:
    """Return one download step for each package, and one for cri-tools, which upstream's kubeadm package depends on.

    :param addresses: ``kubernetes`` (with ``{minor}``), ``kubernetes_key``, ``containerd``, ``containerd_suite``, ``containerd_key``.
    """
    packages = list(catalog.packages.values())
    for repository in dict.fromkeys(package.repository for package in packages if package.name == "kubeadm"):
        packages.append(Package("cri-tools", NEWEST, repository, ()))
    return [
        BuildStep(
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
    """Return the URLs of upstream's apt repository for a folder of the bundle: release file, packages and key."""
    if repository.startswith("deb/kubernetes/v"):
        minor = repository.removeprefix("deb/kubernetes/v")
        base = addresses["kubernetes"].format(minor=minor).rstrip("/") + "/"
        key = addresses["kubernetes_key"].format(minor=minor)
        return {"release": base, "packages": "Packages", "base": base, "key": key}
    base, suite = addresses["containerd"].rstrip("/"), addresses["containerd_suite"]
    return {
        "release": f"{base}/dists/{suite}/",
        "packages": "stable/binary-{architecture}/Packages",
        "base": f"{base}/",
        "key": addresses["containerd_key"],
    }


def upstream_images(catalog: Catalog, rows: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    """Return the name and version of every image in an upstream bundle: the catalog's, Calico's, and flannel's CNI plugin."""
    images = {image.name: image.version for image in catalog.images.values()}
    for row in rows.values():
        images.update(dict.fromkeys(calico_images(row), row["calico"]))
        if version := row.get("flannel_cni_plugin"):
            images[f"ghcr.io/flannel-io/flannel-cni-plugin:v{version}-flannel1"] = version
    return images


def calico_images(row: Mapping[str, str]) -> list[str]:
    """Return the images that Calico's manifest uses; none if the table has no version of Calico."""
    version = row.get("calico", "")
    return [f"quay.io/calico/{part}:v{version}" for part in ("cni", "kube-controllers", "node")] if version else []


def upstream_image_steps(images: Mapping[str, str], architecture: str) -> list[BuildStep]:
    """Return one step for each image, which copies it with skopeo."""
    return [
        BuildStep(
            f"image:{name}",
            "copy_image",
            f"fetching image {name}",
            {"name": name, "version": version, "architecture": architecture, "origin": f"docker://{name}"},
            hints={"source": f"docker://{name}"},
        )
        for name, version in images.items()
    ]


def upstream_manifests(rows: Mapping[str, Mapping[str, str]], addresses: Mapping[str, str]) -> list[BundledManifest]:
    """Return the manifests of the pod networks, pinned by version."""
    found = []
    for row in rows.values():
        if version := row.get("calico"):
            url = addresses["calico"].format(version=version)
            found.append(BundledManifest(f"calico/v{version}/calico.yaml", url, "", tuple(calico_images(row))))
        url = addresses["flannel"].format(version=row["flannel"])
        found.append(BundledManifest(f"flannel/v{row['flannel']}/kube-flannel.yml", url, ""))
    return list({manifest.target: manifest for manifest in found}.values())


def skopeo_copy(source: str, layout: str, architecture: str) -> list[str]:
    """Return the command that writes an image as an OCI layout, in OCI format and for one architecture."""
    options = f"--insecure-policy --override-os linux --override-arch {architecture} copy --quiet --format oci"
    return [
        "skopeo",
        *f"{options} --multi-arch system --dest-compress-format zstd".split(),
        source,
        f"oci:{layout}:image",
    ]


def read_release(text: str) -> dict[str, tuple[str, int]]:
    """Return the digest (``sha256:…``) and the size of every file that a Release file lists.

    :raises BundleError: the file has no SHA256 section.
    """
    section = re.search(r"^SHA256:\n((?: .+\n?)+)", text, re.MULTILINE)
    if not section:
        raise BundleError("The Release file lists no SHA256 digests, so the repository's packages cannot be verified.")
    entries = (line.split() for line in section.group(1).splitlines())
    return {name: (f"sha256:{digest}", int(size)) for digest, size, name in entries}


def read_packages(text: str) -> list[dict[str, str]]:
    """Return the stanzas of a Packages file, without continuation lines."""
    return [
        dict(line.split(": ", 1) for line in stanza.splitlines() if not line.startswith(" ") and ": " in line)
        for stanza in re.split(r"\n\s*\n", text.strip())
        if stanza.strip()
    ]


def choose_package(
    stanzas: list[dict[str, str]], name: str, version: str, architecture: str, where: str
) -> dict[str, str]:
    """Return the stanza of one package.

    :param version: an exact version, or ``newest``.
    :param where: the repository, for error messages.
    :raises BundleError: the repository does not have it; the message lists the available versions.
    """
    offered = [
        one for one in stanzas if one.get("Package") == name and one.get("Architecture") in (architecture, "all")
    ]
    chosen = [one for one in offered if version in (NEWEST, one.get("Version"))]
    if not chosen:
        newest = sorted((one.get("Version", "") for one in offered), key=version_key)[-5:]
        raise BundleError(
            f"{where} has no {name} {version} for {architecture}; it has {', '.join(newest) or 'no version of it'}. "
            "Correct the version in kube_versions or bundle_kubernetes_versions."
        )
    best = max(chosen, key=lambda one: version_key(one.get("Version", "")))
    if not best.get("Filename") or not best.get("SHA256"):
        raise BundleError(
            f"{where} lists {name} {version} without a file name or a SHA256 digest: the index of the repository is damaged."
        )
    return best
