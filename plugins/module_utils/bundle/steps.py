# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a user asks for, and the steps that make it. Pure functions: files were read before."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from .catalog import NETWORK_TOOLS, Catalog, Component, Image, Package, add_kubernetes, component_versions
from .errors import BundleError
from .index import Index
from .names import ImageName, minor_of
from .packages import texts_of
from .plan import Step, digest_of
from .result import vars_of
from .upstream import Manifest, upstream_image_steps, upstream_images, upstream_manifests, upstream_package_steps

ORIGINS = ("go_modules", "upstream")
ARCHITECTURES = ("amd64", "arm64")


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


def carry_over(want: Want, index: Index) -> None:
    """Add to *want* what is in the bundle already and not replaced: other Kubernetes versions, and what the site brought.

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


def describe(want: Want) -> Index:
    """What the index says of the wanted bundle as a whole."""
    archives = [
        {"name": str(one.name), "source": one.source, "path": one.path, "digest": one.digest} for one in want.archives
    ]
    manifests = [
        {"target": one.target, "path": one.path, "digest": one.digest, "images": list(one.images)}
        for one in want.manifests
    ]
    return Index(
        want.origin, want.architecture, list(want.kubernetes_versions), {"archives": archives, "manifests": manifests}
    )


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
        steps = go_steps(want, catalog)
    else:
        steps = upstream_package_steps(catalog, want.architecture, want.upstream)
        steps += upstream_image_steps(upstream_images(catalog, rows), want.architecture)
        manifests = {**{manifest.target: manifest for manifest in upstream_manifests(rows, want.upstream)}, **manifests}
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
    steps += [
        Step(
            tools_key(tools),
            "tools",
            f"making a layer of {len(tools)} Debian tools ({', '.join(tools[:3])} …)",
            {
                "packages": list(tools),
                "suite": want.debian.split()[-1],
                "sources": want.debian_sources,
                "architecture": want.architecture,
            },
            kept=False,
        )
        for tools in tool_sets
    ]
    steps += [package_step(package, want) for package in catalog.packages.values()]
    steps += [image_step(image, want) for image in catalog.images.values()]
    return steps


def go_build(component: Component, want: Want) -> Step:
    """The step that builds a component's programs."""
    count = len(component.programs)
    return Step(
        f"build:{component.key}",
        "go_build",
        f"building {component.name} {component.version} ({count} program{'s' if count != 1 else ''})",
        {
            "name": component.name,
            "version": component.version,
            "architecture": want.architecture,
            "programs": list(component.programs),
            "cgo": component.cgo,
            "tags": component.tags,
            "ldflags": component.ldflags,
            "renamed": dict(component.renamed),
            "lock": want.locks[component.key],
        },
        kept=False,
    )


def tools_key(tools: tuple[str, ...]) -> str:
    return f"tools:{digest_of(tools)[:12]}"


def _forerunners(programs: Iterable[tuple[str, str, str]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(f"build:{component}" for component, _program, _target in programs))


def package_step(package: Package, want: Want) -> Step:
    """The step that makes one Debian package."""
    return Step(
        f"package:{package.repository}/{package.name}_{package.version}",
        "package",
        f"packing {package.name} {package.version}",
        {
            "name": package.name,
            "version": package.version,
            "repository": package.repository,
            "architecture": want.architecture,
            "programs": [list(program) for program in package.programs],
            "texts": texts_of(package.name),
        },
        after=_forerunners(package.programs),
    )


def image_step(image: Image, want: Want) -> Step:
    """The step that makes one image."""
    inputs: dict[str, Any] = {
        "name": image.name,
        "version": image.version,
        "architecture": want.architecture,
        "programs": [list(program) for program in image.programs],
        "tools": tools_key(image.tools) if image.tools else "",
        "entrypoint": list(image.entrypoint),
        "command": list(image.command),
        "user": image.user,
        "bind_low_ports": image.bind_low_ports,
        "links": [list(link) for link in image.links],
        "users": list(image.users),
        "folders": list(image.folders),
    }
    after = _forerunners(image.programs) + ((tools_key(image.tools),) if image.tools else ())
    return Step(f"image:{image.name}", "image", f"making image {image.name}", inputs, after=after)


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
