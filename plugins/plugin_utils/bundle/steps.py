# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The build steps of a requested bundle. Pure functions: all files have been read before."""

from __future__ import annotations

import re
from collections.abc import Iterable

from ...module_utils._kube.versions import minor_of
from .build_steps import c_build, go_build, image_step, package_step, tools_step
from .catalog import NETWORK_TOOLS, Catalog, add_kubernetes, component_versions
from .extras import debian_images, image_steps, program_steps
from .names import BundleError, check_kubernetes_version
from .request import ArchivedImage, BundleRequest
from .staleness import BuildStep
from .upstream import BundledManifest, upstream_image_steps, upstream_images, upstream_manifests, upstream_package_steps
from .vars_file import vars_of

ORIGINS = ("go_modules", "upstream")
ARCHITECTURES = ("amd64", "arm64")


def catalog_of(request: BundleRequest) -> Catalog:
    """Return all components, packages and images of the requested Kubernetes versions.

    :raises BundleError: there is no version, two of one minor version, an unknown version, origin or architecture.
    """
    if request.origin not in ORIGINS:
        raise BundleError(f"bundle_origin is {request.origin!r}: it must be one of {', '.join(ORIGINS)}.")
    if request.architecture not in ARCHITECTURES:
        raise BundleError(
            f"bundle_architecture is {request.architecture!r}: it must be one of {', '.join(ARCHITECTURES)}."
        )
    if not request.kubernetes_versions:
        raise BundleError("bundle_kubernetes_versions is empty: list at least one Kubernetes version, such as 1.36.3.")
    seen: dict[str, str] = {}
    catalog = Catalog()
    for version in request.kubernetes_versions:
        check_kubernetes_version(version)
        minor = minor_of(version)
        if minor in seen:
            raise BundleError(
                f"bundle_kubernetes_versions lists {seen[minor]} and {version}: a bundle contains one release of each minor version. Remove one of them."
            )
        seen[minor] = version
        add_kubernetes(catalog, version, component_versions(version, request.table), request.debian)
    return catalog


def steps_of(request: BundleRequest) -> list[BuildStep]:
    """Return every step of the requested bundle in dependency order.

    :raises BundleError: the request cannot be met; see :func:`catalog_of`, :func:`go_steps` and :func:`check_images`.
    """
    catalog = catalog_of(request)
    rows = {minor_of(version): component_versions(version, request.table) for version in request.kubernetes_versions}
    manifests = {manifest.target: manifest for manifest in request.manifests}
    if request.origin == "go_modules":
        steps = go_steps(request, catalog) + image_steps(request)
    else:
        steps = upstream_package_steps(catalog, request.architecture, request.upstream)
        steps += upstream_image_steps(upstream_images(catalog, rows), request.architecture)
        steps += upstream_image_steps(
            {image.name: image.version for image in debian_images(request)}, request.architecture
        )
        manifests = {
            **{manifest.target: manifest for manifest in upstream_manifests(rows, request.upstream)},
            **manifests,
        }
    steps += program_steps(request, steps)
    steps += [
        archive_step(archive, request.architecture) for archive in unique_archives(request.archives, image_names(steps))
    ]
    steps += [manifest_step(manifest) for manifest in manifests.values()]
    steps.append(repository_step(steps, request.architecture))
    images = image_names(steps)
    check_images(manifests.values(), images)
    values = vars_of(request.kubernetes_versions, rows, images, list(manifests.values()))
    steps.append(BuildStep("vars", "vars", "writing vars.yml", {"values": values}))
    return steps


def image_names(steps: Iterable[BuildStep]) -> list[str]:
    """Return the names of the images that *steps* add to the bundle."""
    return [step.inputs["name"] for step in steps if step.kind in ("image", "copy_image")]


def go_steps(request: BundleRequest, catalog: Catalog) -> list[BuildStep]:
    """Return the steps that build programs from Go modules, and packages and images from programs.

    :raises BundleError: the collection has no lock files (go.mod, go.sum) for a component.
    """
    unlocked = [component.key for component in catalog.components.values() if component.key not in request.locks]
    if unlocked:
        raise BundleError(
            f"{', '.join(unlocked)} cannot be built from Go modules: the collection has no go.mod and go.sum for "
            f"{'it' if len(unlocked) == 1 else 'them'} in roles/bundle/files/go (it has {', '.join(sorted(request.locks))}). "
            "Choose an available version or bundle_origin: upstream. bundle_prune: true removes what only an earlier run requested."
        )
    steps = [go_build(component, request) for component in catalog.components.values()]
    pauses = {image.version for image in catalog.images.values() if image.name.startswith("registry.k8s.io/pause:")}
    steps += [c_build("pause", version, request) for version in sorted(pauses)]
    tool_sets = sorted(
        {image.tools for image in catalog.images.values() if image.tools}, key=lambda tools: tools != NETWORK_TOOLS
    )
    steps += [tools_step(tools, request) for tools in tool_sets]
    steps += [package_step(package, request) for package in catalog.packages.values()]
    steps += [image_step(image, request) for image in catalog.images.values()]
    return steps


def unique_archives(archives: Iterable[ArchivedImage], built: Iterable[str]) -> list[ArchivedImage]:
    """Return one archive for each image name.

    :raises BundleError: two archives contain the same image with different content, or one contains an image that the
        bundle builds itself.
    """
    unique: dict[str, ArchivedImage] = {}
    for archive in archives:
        name = str(archive.name)
        if name in built:
            raise BundleError(
                f"{archive.path} contains {name}, which the bundle builds itself. Remove it from bundle_image_archives."
            )
        first = unique.setdefault(name, archive)
        if first.digest != archive.digest:
            raise BundleError(
                f"{first.path} and {archive.path} both contain {name}. Remove one of them from bundle_image_archives."
            )
    return list(unique.values())


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
            f"bundle_manifests contains the name {manifest.target!r}, which must be a relative path such as calico/v3.32.1/calico.yaml."
        )
    target, key = manifest.target, f"manifest:{manifest.target}"
    if not manifest.digest:
        inputs = {"target": target, "url": manifest.path}
        return BuildStep(key, "fetch_manifest", f"fetching manifest {target}", inputs)
    hints = {"source": manifest.path, "file": manifest.path, "images": manifest.images}
    inputs = {"target": target, "digest": manifest.digest}
    return BuildStep(key, "manifest", f"copying manifest {target}", inputs, hints=hints)


def repository_step(steps: Iterable[BuildStep], architecture: str) -> BuildStep:
    """Return the step that indexes and signs all apt repositories; one step, so that key and signatures always match."""
    packages = [step for step in steps if step.kind in ("package", "fetch_package")]
    folders: dict[str, list[str]] = {}
    for step in packages:
        folders.setdefault(step.inputs["repository"], []).append(step.key)
    return BuildStep(
        "repositories",
        "repositories",
        f"signing {len(folders)} apt repositories",
        {"repositories": folders, "architecture": architecture},
        after=tuple(step.key for step in packages),
    )


def check_images(manifests: Iterable[BundledManifest], images: Iterable[str]) -> None:
    """Check that the bundle has either all images of a manifest or none of them, which is a deliberate choice.

    :raises BundleError: some images of a manifest are missing.
    """
    available = set(images)
    for manifest in manifests:
        missing = [name for name in manifest.images if name not in available]
        if missing and len(missing) < len(manifest.images):
            raise BundleError(
                f"The bundle lacks {', '.join(missing)}, required by manifest {manifest.target} ({manifest.path}). It only has "
                f"{', '.join(sorted(set(manifest.images) & available))}. Add an archive with the missing images to bundle_image_archives."
            )
