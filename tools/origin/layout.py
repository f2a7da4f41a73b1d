# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where upstream publishes things: one folder for each host name, and the paths below it. Pure functions.

Addresses are those from which role ``bundle`` fetches by default; what they leave open is here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ansible_collections.slipway.kube.plugins.plugin_utils.bundle.names import ImageName
from ansible_collections.slipway.kube.plugins.plugin_utils.bundle.upstream import ADDRESSES, MACHINES

from .catalog import Package

REGISTRIES = {"docker.io": "registry-1.docker.io"}  # registries that are served under another name
# Distributions for which Docker publishes containerd.io: release and version, of deb and of rpm.
DEBS = {
    "debian": {"bookworm": "12", "trixie": "13"},
    "ubuntu": {"jammy": "22.04", "noble": "24.04"},
}
RPMS = {"rhel": ("9",), "centos": ("9",)}
DOCKER = "download.docker.com/linux"


@dataclass(frozen=True)
class PackageFile:
    """One file of a package: its path, its format, the revision in its version, and the repository that lists it."""

    path: str
    form: str
    revision: str
    repository: Repository


@dataclass(frozen=True)
class Repository:
    """A package repository.

    :param base: its folder, to which the names of packages are relative.
    :param form: ``deb`` or ``rpm``.
    :param key: path of its public key.
    :param suite: of a deb repository with suites; else it is flat.
    """

    base: str
    form: str
    key: str
    suite: str = ""


def path_of(address: str) -> str:
    """Return the path below the origin's root of what upstream publishes at an address."""
    return re.sub(r"^https?://", "", address).rstrip("/")


# Servers that roles, bundles and clusters ask by default.
# Cilium's chart is not part of an origin: its images cannot be built.
USUAL_NAMES = {
    path_of(address).split("/")[0] for name, address in ADDRESSES.items() if "://" in address and name != "cilium"
} | {
    "ghcr.io",
    "quay.io",
    "registry-1.docker.io",
    "registry.k8s.io",
}


def image_folder(name: ImageName) -> str:
    """Return the folder of an image's repository."""
    return f"{REGISTRIES.get(name.registry, name.registry)}/v2/{name.repository}"


def repositories(package: Package, architecture: str, rpm: bool) -> list[PackageFile]:
    """Return the files of a package in all repositories that upstream has of it.

    :param rpm: whether to include rpms.
    """
    files = _kubernetes(package, architecture) if package.repository == "kubernetes" else _docker(package, architecture)
    return [file for file in files if rpm or file.form == "deb"]


def _kubernetes(package: Package, architecture: str) -> list[PackageFile]:
    deb, deb_key, rpm, rpm_key = (
        path_of(ADDRESSES[name].format(minor=package.minor))
        for name in ("kubernetes", "kubernetes_key", "kubernetes_rpm", "kubernetes_rpm_key")
    )
    machine, name, version = MACHINES[architecture], package.name, package.version
    return [
        PackageFile(
            f"{deb}/{architecture}/{name}_{version}-1.1_{architecture}.deb",
            "deb",
            "1.1",
            Repository(deb, "deb", deb_key),
        ),
        PackageFile(
            f"{rpm}/{machine}/{name}-{version}-150500.1.1.{machine}.rpm",
            "rpm",
            "150500.1.1",
            Repository(rpm, "rpm", rpm_key),
        ),
    ]


def _docker(package: Package, architecture: str) -> list[PackageFile]:
    machine, files = MACHINES[architecture], []
    for system, suites in DEBS.items():
        base = f"{DOCKER}/{system}"
        for suite, number in suites.items():
            revision = f"1~{system}.{number}~{suite}"
            name = f"{package.name}_{package.version}-{revision}_{architecture}.deb"
            path = f"{base}/dists/{suite}/pool/stable/{architecture}/{name}"
            files.append(PackageFile(path, "deb", revision, Repository(base, "deb", f"{base}/gpg", suite)))
    for system, releases in RPMS.items():
        for release in releases:
            base, revision = f"{DOCKER}/{system}/{release}/{machine}/stable", f"1.el{release}"
            path = f"{base}/Packages/{package.name}-{package.version}-{revision}.{machine}.rpm"
            files.append(PackageFile(path, "rpm", revision, Repository(base, "rpm", f"{DOCKER}/{system}/gpg")))
    return files
