# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The steps of a requested bundle. Pure functions: all files have been read before."""

from __future__ import annotations

import re
from collections.abc import Iterable

from .addons import addon_parts
from .catalog import NETWORK_PLUGINS, images, network_images, packages, rows_of
from .names import BundleError, ImageName
from .request import ArchivedImage, BundleRequest, Request
from .staleness import BuildStep
from .upstream import (
    BundledManifest,
    check_registries,
    image_steps,
    package_step,
    program_steps,
    upstream_manifests,
)
from .vars_file import vars_of

ARCHITECTURES = ("amd64", "arm64")
FORMATS = ("deb", "rpm")


def check_request(request: BundleRequest) -> None:
    """Check the settings that allow only certain values.

    :raises BundleError: one has another value.
    """
    for variable, values, known in (
        ("bundle_architecture", [request.architecture], ARCHITECTURES),
        ("bundle_package_formats", request.package_formats, FORMATS),
        ("bundle_network_plugins", request.network_plugins, NETWORK_PLUGINS),
    ):
        for value in values or [""]:
            if value not in known:
                raise BundleError(
                    f"{variable} contains {value!r}: it must be {' or '.join(known)}. [slipway:bundle_variables]"
                    if values
                    else f"{variable} is empty: list {' or '.join(known)}. [slipway:bundle_variables]"
                )
    check_registries(request.registries)


def steps_of(request: BundleRequest) -> list[BuildStep]:
    """Return every step of the requested bundle in dependency order.

    :raises BundleError: the request cannot be met; see :func:`check_request`, :func:`rows_of` and :func:`check_images`.
    """
    check_request(request)
    rows = rows_of(request.kubernetes_versions, request.table, "bundle_kubernetes_versions")
    wanted: dict[str, str] = {}
    found: list[BuildStep] = []
    for version, row in zip(request.kubernetes_versions, rows.values(), strict=True):
        wanted.update(images(version, row))
        wanted.update(network_images(row, request.network_plugins, request.flannel_cni_plugin))
        for form in request.package_formats:
            found += [
                package_step(package, form, request.architecture, request.upstream)
                for package in packages(version, row)
            ]
    addon_images, addon_manifests = addon_parts(
        request.addons, request.addon_paths, rows.values(), request.upstream["manifests"]
    )
    wanted.update({name: version for name, version in addon_images.items() if name not in wanted})
    for name in request.images:
        wanted.setdefault(str(ImageName.parse(name)), ImageName.parse(name).tag)
    archives = unique_archives(request.archives)
    # The user's archive of an image replaces the one of upstream, which may not be reachable.
    wanted = {name: version for name, version in wanted.items() if name not in archives}
    steps = list({step.key: step for step in found}.values())
    repositories = repository_step(steps, request.architecture)
    steps += image_steps(wanted, request.architecture, request.registries, request.ca)
    steps += program_steps(programs_of(request), request.architecture, request.upstream)
    steps += [archive_step(archive, request.architecture) for archive in archives.values()]
    manifests = {
        **upstream_manifests(rows.values(), request.network_plugins, request.upstream),
        **addon_manifests,
        **{manifest.target: manifest for manifest in request.manifests},
    }
    steps += [manifest_step(manifest) for manifest in manifests.values()]
    steps.append(repositories)
    names = image_names(steps)
    check_images(manifests.values(), names)
    values = vars_of(request.kubernetes_versions, rows, names, list(manifests.values()), request.package_formats)
    steps.append(BuildStep("vars", "vars", "writing vars.yml", {"values": values}))
    return steps


def programs_of(request: Request) -> dict[str, str]:
    """Return the requested programs; kubectl has the version of the first Kubernetes version."""
    versions = request.kubernetes_versions
    return {name: versions[0] if name == "kubectl" else version for name, version in request.programs.items()}


def image_names(steps: Iterable[BuildStep]) -> list[str]:
    """Return the names of the images that *steps* add to the bundle."""
    return [step.inputs["name"] for step in steps if step.kind in ("image", "copy_image")]


def unique_archives(archives: Iterable[ArchivedImage]) -> dict[str, ArchivedImage]:
    """Return one archive for each image name.

    :raises BundleError: two archives contain the same image with different content.
    """
    unique: dict[str, ArchivedImage] = {}
    for archive in archives:
        first = unique.setdefault(str(archive.name), archive)
        if first.digest != archive.digest:
            raise BundleError(
                f"{first.path} and {archive.path} both contain {archive.name}. Remove one of these image archives. [slipway:bundle_image_archive]"
            )
    return unique


def archive_step(archive: ArchivedImage, architecture: str) -> BuildStep:
    """Return the step that copies an image from an archive."""
    name, file = str(archive.name), archive.path.rsplit("/", 1)[-1]
    inputs = {"name": name, "architecture": architecture, "digest": archive.digest, "origin": f"archive {file}"}
    hints = {"source": archive.source, "file": archive.path}
    return BuildStep(f"image:{name}", "copy_image", f"copying {name} from {file}", inputs, hints=hints)


def manifest_step(manifest: BundledManifest) -> BuildStep:
    """Return the step that adds a manifest.

    :raises BundleError: the name points outside the folder for manifests.
    """
    if not re.match(r"^(?!.*\.\.)[\w.-]+(/[\w.-]+)*$", manifest.target):
        raise BundleError(
            f"bundle_manifests contains the name {manifest.target!r}, which must be a relative path such as calico/v3.32.1/calico.yaml. "
            "[slipway:bundle_manifest]"
        )
    target, key = manifest.target, f"manifest:{manifest.target}"
    if not manifest.digest:
        expected = {"digest": f"sha256:{manifest.sha256}"} if manifest.sha256 else {}
        inputs = {"target": target, "url": manifest.path, **expected}
        return BuildStep(key, "fetch_manifest", f"fetching manifest {target}", inputs)
    hints = {"source": manifest.path, "file": manifest.path, "images": manifest.images}
    inputs = {"target": target, "digest": manifest.digest}
    return BuildStep(key, "manifest", f"copying manifest {target}", inputs, hints=hints)


def repository_step(steps: Iterable[BuildStep], architecture: str) -> BuildStep:
    """Return the step that indexes all repositories and signs those of deb; one step, so that key and signatures always match."""
    folders: dict[str, list[str]] = {}
    sources = {}
    for step in steps:
        folders.setdefault(step.inputs["repository"], []).append(step.key)
        sources[step.inputs["repository"]] = step.inputs["source"]
    return BuildStep(
        "repositories",
        "repositories",
        f"indexing {len(folders)} package repositories",
        {"repositories": folders, "architecture": architecture},
        after=tuple(key for keys in folders.values() for key in keys),
        hints={"sources": sources},
    )


def check_images(manifests: Iterable[BundledManifest], images: Iterable[str]) -> None:
    """Check that there are either all images of a manifest or none of them, which is a deliberate choice.

    :raises BundleError: some images of a manifest are missing.
    """
    available = set(images)
    for manifest in manifests:
        missing = [name for name in manifest.images if name not in available]
        if missing and len(missing) < len(manifest.images):
            available_ones = ", ".join(sorted(set(manifest.images) & available))
            raise BundleError(
                f"Manifest {manifest.target} ({manifest.path}) lacks {', '.join(missing)}: only {available_ones} is there. "
                "Add the missing images as well. [slipway:bundle_manifest]"
            )
