# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From what a user asks for to the steps that make it. Pure functions: files were read before."""

from __future__ import annotations

import re
from collections.abc import Iterable

from .build_steps import go_build, image_step, package_step, tools_step
from .catalog import NETWORK_TOOLS, Catalog, add_kubernetes, component_versions
from .errors import BundleError
from .extras import debian_images, image_steps, program_steps
from .names import minor_of
from .request import Archive, Want
from .staleness import Step
from .upstream import Manifest, upstream_image_steps, upstream_images, upstream_manifests, upstream_package_steps
from .vars_file import vars_of

ORIGINS = ("go_modules", "upstream")
ARCHITECTURES = ("amd64", "arm64")


def catalog_of(want: Want) -> Catalog:
    """All components, packages and images of the wanted Kubernetes versions.

    :raises BundleError: no version, one twice a minor, an unknown one, an unknown origin or architecture.
    """
    if want.origin not in ORIGINS:
        raise BundleError(f"bundle_origin is {want.origin!r}: it is one of {', '.join(ORIGINS)}.")
    if want.architecture not in ARCHITECTURES:
        raise BundleError(f"bundle_architecture is {want.architecture!r}: it is one of {', '.join(ARCHITECTURES)}.")
    if not want.kubernetes_versions:
        raise BundleError("bundle_kubernetes_versions is empty: name at least one Kubernetes version, such as 1.36.3.")
    seen: dict[str, str] = {}
    catalog = Catalog()
    for version in want.kubernetes_versions:
        minor = minor_of(version)
        if minor in seen:
            raise BundleError(
                f"bundle_kubernetes_versions names {seen[minor]} and {version}: a bundle holds one release of each minor, so leave one out."
            )
        seen[minor] = version
        add_kubernetes(catalog, version, component_versions(version, want.table), want.debian)
    return catalog


def steps_of(want: Want) -> list[Step]:
    """Every step of the wanted bundle, forerunners first.

    :raises BundleError: what is wanted cannot be; see :func:`catalog_of`, :func:`go_steps` and :func:`check_images`.
    """
    catalog = catalog_of(want)
    rows = {minor_of(version): component_versions(version, want.table) for version in want.kubernetes_versions}
    manifests = {manifest.target: manifest for manifest in want.manifests}
    if want.origin == "go_modules":
        steps = go_steps(want, catalog) + image_steps(want)
    else:
        steps = upstream_package_steps(catalog, want.architecture, want.upstream)
        steps += upstream_image_steps(upstream_images(catalog, rows), want.architecture)
        steps += upstream_image_steps({image.name: image.version for image in debian_images(want)}, want.architecture)
        manifests = {**{manifest.target: manifest for manifest in upstream_manifests(rows, want.upstream)}, **manifests}
    steps += program_steps(want, steps)
    steps += [
        archive_step(archive, want.architecture) for archive in unique_archives(want.archives, image_names(steps))
    ]
    steps += [manifest_step(manifest) for manifest in manifests.values()]
    steps.append(repository_step(steps, want.architecture))
    images = image_names(steps)
    check_images(manifests.values(), images)
    values = vars_of(want.kubernetes_versions, rows, images, list(manifests.values()))
    steps.append(Step("vars", "vars", "writing vars.yml", {"values": values}))
    return steps


def image_names(steps: Iterable[Step]) -> list[str]:
    """Names of the images that *steps* bring."""
    return [step.inputs["name"] for step in steps if step.kind in ("image", "copy_image")]


def go_steps(want: Want, catalog: Catalog) -> list[Step]:
    """Build programs from Go modules, then packages and images from programs.

    :raises BundleError: a component has no lock files (go.mod, go.sum) in the collection.
    """
    unlocked = [component.key for component in catalog.components.values() if component.key not in want.locks]
    if unlocked:
        raise BundleError(
            f"{', '.join(unlocked)} cannot be built from Go modules: the collection has no go.mod and go.sum for "
            f"{'it' if len(unlocked) == 1 else 'them'} in roles/bundle/files/go (it has {', '.join(sorted(want.locks))}). "
            "Choose a version that it has, or bundle_origin: upstream; bundle_prune: true leaves out what only an earlier run asked for."
        )
    steps = [go_build(component, want) for component in catalog.components.values()]
    pauses = {image.version for image in catalog.images.values() if image.name.startswith("registry.k8s.io/pause:")}
    steps += [
        Step(
            f"build:pause-{version}",
            "c_build",
            f"building pause {version} (1 program)",
            {"name": "pause", "version": version, "architecture": want.architecture, "source": want.texts["pause.c"]},
            kept=False,
        )
        for version in sorted(pauses)
    ]
    tool_sets = sorted(
        {image.tools for image in catalog.images.values() if image.tools}, key=lambda tools: tools != NETWORK_TOOLS
    )
    steps += [tools_step(tools, want) for tools in tool_sets]
    steps += [package_step(package, want) for package in catalog.packages.values()]
    steps += [image_step(image, want) for image in catalog.images.values()]
    return steps


def unique_archives(archives: Iterable[Archive], made: Iterable[str]) -> list[Archive]:
    """One archive for each image name.

    :raises BundleError: two archives bring the same name with different content, or one brings what the bundle makes itself.
    """
    unique: dict[str, Archive] = {}
    for archive in archives:
        name = str(archive.name)
        if name in made:
            raise BundleError(
                f"{archive.path} brings {name}, which the bundle makes itself: leave it out of bundle_image_archives."
            )
        first = unique.setdefault(name, archive)
        if first.digest != archive.digest:
            raise BundleError(
                f"{first.path} and {archive.path} both bring {name}: leave one of them out of bundle_image_archives."
            )
    return list(unique.values())


def archive_step(archive: Archive, architecture: str) -> Step:
    """The step that takes an image out of an archive."""
    return Step(
        f"image:{archive.name}",
        "copy_image",
        f"taking {archive.name} from {archive.path.rsplit('/', 1)[-1]}",
        {
            "name": str(archive.name),
            "architecture": architecture,
            "digest": archive.digest,
            "origin": f"archive {archive.path.rsplit('/', 1)[-1]}",
        },
        hints={"source": archive.source, "file": archive.path},
    )


def manifest_step(manifest: Manifest) -> Step:
    """The step that takes a manifest in.

    :raises BundleError: its name leaves the folder of the manifests.
    """
    if not re.match(r"^(?!.*\.\.)[\w.-]+(/[\w.-]+)*$", manifest.target):
        raise BundleError(
            f"bundle_manifests names {manifest.target!r}: a manifest's name is a relative path such as calico/v3.32.1/calico.yaml."
        )
    if not manifest.digest:
        return Step(
            f"manifest:{manifest.target}",
            "fetch_manifest",
            f"fetching manifest {manifest.target}",
            {"target": manifest.target, "url": manifest.path},
        )
    return Step(
        f"manifest:{manifest.target}",
        "manifest",
        f"taking manifest {manifest.target}",
        {"target": manifest.target, "digest": manifest.digest},
        hints={"source": manifest.path, "file": manifest.path, "images": manifest.images},
    )


def repository_step(steps: Iterable[Step], architecture: str) -> Step:
    """One step indexes and signs all apt repositories, so that key and signatures always belong together."""
    packages = [step for step in steps if step.kind in ("package", "fetch_package")]
    folders: dict[str, list[str]] = {}
    for step in packages:
        folders.setdefault(step.inputs["repository"], []).append(step.key)
    return Step(
        "repositories",
        "repositories",
        f"signing {len(folders)} apt repositories",
        {"repositories": folders, "architecture": architecture},
        after=tuple(step.key for step in packages),
    )


def check_images(manifests: Iterable[Manifest], images: Iterable[str]) -> None:
    """Refuse a brought manifest of which some images are there and some are not; none at all is a choice.

    :raises BundleError: names the images that are missing.
    """
    there = set(images)
    for manifest in manifests:
        missing = [name for name in manifest.images if name not in there]
        if missing and len(missing) < len(manifest.images):
            raise BundleError(
                f"The bundle lacks {', '.join(missing)}, which manifest {manifest.target} ({manifest.path}) names; "
                f"{', '.join(sorted(set(manifest.images) & there))} {'is' if len(manifest.images) - len(missing) == 1 else 'are'} there. "
                "Add an archive with what is missing to bundle_image_archives."
            )
