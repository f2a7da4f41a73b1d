# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Upstream's addresses, the steps that fetch from them, and reading of package indexes. Pure functions.

Package repositories are described in https://wiki.debian.org/DebianRepository/Format (a signed release file lists the
digest of the package list, which lists the digest of every package); those of rpm have a signed ``repodata/repomd.xml``.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from xml.etree import ElementTree

from ...module_utils._kube.versions import version_key
from .catalog import NEWEST, Package, calico_images, cilium_images
from .names import BundleError, ImageName
from .staleness import BuildStep

# Placeholders: minor and version of Kubernetes or the component, architecture as in amd64, machine as in x86_64.
ADDRESSES = {
    "kubernetes": "https://pkgs.k8s.io/core:/stable:/v{minor}/deb/",
    "kubernetes_key": "https://pkgs.k8s.io/core:/stable:/v{minor}/deb/Release.key",
    "kubernetes_rpm": "https://pkgs.k8s.io/core:/stable:/v{minor}/rpm/",
    "kubernetes_rpm_key": "https://pkgs.k8s.io/core:/stable:/v{minor}/rpm/repodata/repomd.xml.key",
    "containerd": "https://download.docker.com/linux/debian",
    "containerd_suite": "bookworm",
    "containerd_key": "https://download.docker.com/linux/debian/gpg",
    "containerd_rpm": "https://download.docker.com/linux/centos/9/{machine}/stable/",
    "containerd_rpm_key": "https://download.docker.com/linux/centos/gpg",
    "calico": "https://raw.githubusercontent.com/projectcalico/calico/v{version}/manifests/calico.yaml",
    "cilium": "https://helm.cilium.io/cilium-{version}.tgz",
    "manifests": "https://raw.githubusercontent.com/",
    "kubectl": "https://dl.k8s.io/release/v{version}/bin/linux/{architecture}/kubectl",
    "helm": "https://get.helm.sh/helm-v{version}-linux-{architecture}.tar.gz",
    "kwok": "https://github.com/kubernetes-sigs/kwok/releases/download/v{version}/kwok-linux-{architecture}",
    "cosign": "https://github.com/sigstore/cosign/releases/download/v{version}/cosign-linux-{architecture}",
}
# Of each program: the suffix of the address at which its sha256 digest is published, and its path in the archive.
PROGRAMS = {
    "kubectl": (".sha256", ""),
    "helm": (".sha256sum", "linux-{architecture}/helm"),
    "kwok": ("", ""),
    "cosign": ("", ""),
}
MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}  # architectures as rpm names them


@dataclass(frozen=True)
class BundledManifest:
    """A Kubernetes manifest file in the bundle, and the images that its pods use."""

    target: str  # below manifests/
    path: str  # its source: a file or a URL
    digest: str  # of a file
    images: tuple[str, ...] = ()
    sha256: str = ""  # expected of what the URL returns; empty if it is not known


def check_addresses(addresses: Mapping[str, str]) -> dict[str, str]:
    """Return all addresses, those of upstream where *addresses* has none.

    :raises BundleError: a name is unknown.
    """
    for name in addresses:
        if name not in ADDRESSES:
            raise BundleError(
                f"bundle_upstream contains {name!r}, which is unknown.{_did_you_mean(name, ADDRESSES)} [slipway:bundle_variables]"
            )
    return {**ADDRESSES, **{name: address for name, address in addresses.items() if address}}


def _did_you_mean(name: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, list(known), 1)
    return f" Did you mean {near[0]}?" if near else f" It must be one of {', '.join(known)}."


def package_step(package: Package, form: str, architecture: str, addresses: Mapping[str, str]) -> BuildStep:
    """Return the step that fetches one package.

    :param form: ``deb`` or ``rpm``.
    """
    repository = f"{form}/{package.repository}"
    return BuildStep(
        f"package:{repository}/{package.name}_{package.version}",
        "fetch_package",
        f"fetching {package.name} {package.version} ({form})",
        {
            "name": package.name,
            "version": package.version,
            "repository": repository,
            "architecture": architecture,
            "source": package_source(package.repository, form, architecture, addresses),
        },
    )


def package_source(repository: str, form: str, architecture: str, addresses: Mapping[str, str]) -> dict[str, str]:
    """Return the addresses of an upstream repository.

    :returns: form; base, to which the names of packages are relative; key; architecture; and of a deb repository also
        release, the address of its release file, and packages, the path of its package list below that.
    """
    name = repository.split("/")[0]
    suffix = "_rpm" if form == "rpm" else ""
    machine = MACHINES[architecture] if form == "rpm" else architecture
    values = {"minor": repository.rpartition("/v")[2], "machine": MACHINES[architecture], "architecture": architecture}
    base = addresses[f"{name}{suffix}"].format(**values).rstrip("/") + "/"
    key = addresses[f"{name}{suffix}_key"].format(**values)
    source = {"form": form, "base": base, "key": key, "architecture": machine}
    if form == "deb" and name == "containerd":
        release = f"{base}dists/{addresses['containerd_suite']}/"
        source.update(release=release, packages=f"stable/binary-{architecture}/Packages")
    elif form == "deb":
        source.update(release=base, packages="Packages")
    return source


def image_steps(
    images: Mapping[str, str], architecture: str, registries: Mapping[str, str], ca: str
) -> list[BuildStep]:
    """Return one step for each image, which copies it with skopeo.

    :param images: versions by the image's name.
    :param registries: addresses to copy from instead of a registry, with a path if images are below one.
    :param ca: a file with CA certificates to trust in addition.
    """
    steps = []
    for text, version in images.items():
        name = ImageName.parse(text)
        source = f"docker://{registries.get(name.registry, name.registry).rstrip('/')}/{name.repository}:{name.tag}"
        inputs = {"name": str(name), "version": version, "architecture": architecture, "origin": source}
        hints = {"source": source, "ca": ca}
        steps.append(BuildStep(f"image:{name}", "copy_image", f"fetching image {name}", inputs, hints=hints))
    return steps


def check_registries(registries: Mapping[str, str]) -> None:
    """Check the addresses of registries.

    :raises BundleError: one is not an address with an optional path.
    """
    for registry, address in registries.items():
        if (
            not re.fullmatch(r"[\w.-]+(:\d+)?|\[[0-9a-f:.]+\](:\d+)?", str(address).partition("/")[0])
            or "//" in address
        ):
            raise BundleError(
                f"bundle_registries has the address {address!r} for {registry}: it must be a host with an optional port and path, "
                f"such as 10.0.0.2:5000/{registry}. [slipway:bundle_variables]"
            )


def program_steps(programs: Mapping[str, str], architecture: str, addresses: Mapping[str, str]) -> list[BuildStep]:
    """Return the steps that fetch programs for the control node.

    :param programs: versions by the program's name.
    :raises BundleError: a program is unknown or has no version.
    """
    steps = []
    for name, version in sorted(programs.items()):
        if name not in PROGRAMS:
            raise BundleError(
                f"bundle_programs lists {name!r}, which is not available.{_did_you_mean(name, PROGRAMS)} [slipway:bundle_variables]"
            )
        if not version:
            raise BundleError(
                f"bundle_program_versions has no version of {name}. Add one, such as {name}: 1.2.3. [slipway:bundle_variables]"
            )
        url = addresses[name].format(version=version, architecture=architecture)
        suffix, member = PROGRAMS[name]
        inputs = {
            "name": name,
            "version": version,
            "architecture": architecture,
            "url": url,
            "digest_url": f"{url}{suffix}" if suffix else "",
            "member": member.format(architecture=architecture),
        }
        title = f"fetching program {name} {version} for linux-{architecture}"
        steps.append(BuildStep(f"program:{name}", "fetch_program", title, inputs))
    return steps


def upstream_manifests(
    rows: Iterable[Mapping[str, str]], plugins: Iterable[str], addresses: Mapping[str, str]
) -> dict[str, BundledManifest]:
    """Return the manifests of the pod networks, and the chart of Cilium, by their names, pinned by version. Flannel's objects are part of role network."""
    found = {}
    for row in rows:
        if "calico" in plugins and (version := row.get("calico")):
            target, url = f"calico/v{version}/calico.yaml", addresses["calico"].format(version=version)
            found[target] = BundledManifest(target, url, "", tuple(calico_images(row)))
        if "cilium" in plugins and (version := row.get("cilium")):
            target, url = f"cilium/cilium-{version}.tgz", addresses["cilium"].format(version=version)
            found[target] = BundledManifest(target, url, "", tuple(cilium_images(row)))
    return found


def skopeo_copy(source: str, layout: str, architecture: str, certificates: str = "") -> list[str]:
    """Return the command that writes an image as an OCI layout, in OCI format and for one architecture.

    :param certificates: a folder with CA certificates (``*.crt``) to trust in addition.
    """
    options = f"--insecure-policy --override-os linux --override-arch {architecture} copy --quiet --format oci"
    return [
        "skopeo",
        *f"{options} --multi-arch system --dest-compress-format zstd".split(),
        *(["--src-cert-dir", certificates] if certificates else []),
        source,
        f"oci:{layout}:image",
    ]


def read_release(text: str) -> dict[str, tuple[str, int]]:
    """Return the digest (``sha256:…``) and the size of every file that a Release file lists.

    :raises BundleError: the file has no SHA256 section.
    """
    section = re.search(r"^SHA256:\n((?: .+\n?)+)", text, re.MULTILINE)
    if not section:
        raise BundleError(
            "The Release file lists no SHA256 digests, so the repository's packages cannot be verified. [slipway:bundle_unverified]"
        )
    entries = (line.split() for line in section.group(1).splitlines())
    return {name: (f"sha256:{digest}", int(size)) for digest, size, name in entries}


def read_packages(text: str) -> list[dict[str, str]]:
    """Return the stanzas of a Packages file, without continuation lines."""
    return [
        dict(line.split(": ", 1) for line in stanza.splitlines() if not line.startswith(" ") and ": " in line)
        for stanza in re.split(r"\n\s*\n", text.strip())
        if stanza.strip()
    ]


def read_repomd(text: bytes) -> tuple[str, str]:
    """Return the path and the digest (``sha256:…``) of the package list that a repomd.xml names.

    :raises BundleError: it names none, or without a sha256 digest.
    """
    for data in _parse(text, "repomd.xml").iterfind("{*}data[@type='primary']"):
        location, checksum = data.find("{*}location"), data.find("{*}checksum[@type='sha256']")
        if location is not None and checksum is not None:
            return location.get("href", ""), f"sha256:{(checksum.text or '').strip()}"
    raise BundleError(
        "repomd.xml lists no package list with a SHA256 digest, so packages cannot be verified. [slipway:bundle_unverified]"
    )


def read_primary(text: bytes) -> list[dict[str, str]]:
    """Return the packages of an rpm repository's package list, with the fields of a Packages file."""
    found = []
    for package in _parse(text, "primary.xml").iterfind("{*}package"):
        version, location = package.find("{*}version"), package.find("{*}location")
        if version is None or location is None:
            continue
        architecture = package.findtext("{*}arch", "")
        found.append(
            {
                "Package": package.findtext("{*}name", ""),
                "Version": f"{version.get('ver')}-{version.get('rel')}",
                "Architecture": "all" if architecture == "noarch" else architecture,
                "Filename": location.get("href", ""),
                "SHA256": package.findtext("{*}checksum[@type='sha256']", "").strip(),
            }
        )
    return found


def _parse(text: bytes, name: str) -> ElementTree.Element:
    try:
        return ElementTree.fromstring(text)
    except ElementTree.ParseError as error:
        raise BundleError(
            f"{name} is not valid XML ({error}): the index of the repository is damaged. [slipway:bundle_unverified]"
        ) from error


def upstream_version(version: str) -> str:
    """Return the version without epoch and revision: ``2.2.3`` for ``2.2.3-1~debian.12~bookworm``."""
    return (version.partition(":")[2] or version).rpartition("-")[0] or version


def choose_package(
    stanzas: list[dict[str, str]], name: str, version: str, architecture: str, where: str
) -> dict[str, str]:
    """Return the stanza of one package, with its newest revision.

    :param version: an upstream version such as ``1.37.2``, or ``newest``.
    :param where: the repository, for error messages.
    :raises BundleError: the repository does not have it; the message lists the available versions.
    """
    offered = [
        one for one in stanzas if one.get("Package") == name and one.get("Architecture") in (architecture, "all")
    ]
    chosen = [one for one in offered if version in (NEWEST, upstream_version(one.get("Version", "")))]
    if not chosen:
        newest = sorted((one.get("Version", "") for one in offered), key=version_key)[-5:]
        raise BundleError(
            f"{where} has no {name} {version} for {architecture}; it has {', '.join(newest) or 'no version of it'}. "
            "Correct the version in kube_versions or bundle_kubernetes_versions. [slipway:bundle_unpublished]"
        )
    best = max(chosen, key=lambda one: version_key(one.get("Version", "")))
    if not best.get("Filename") or not best.get("SHA256"):
        raise BundleError(
            f"{where} lists {name} {version} without a file name or a SHA256 digest: the index of the repository is damaged. [slipway:bundle_unverified]"
        )
    return best
