# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The steps of a requested origin, and its description. Pure functions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.slipway.kube.plugins.plugin_utils.addons.registry import load
from ansible_collections.slipway.kube.plugins.plugin_utils.bundle.catalog import rows_of
from ansible_collections.slipway.kube.plugins.plugin_utils.bundle.index import Index
from ansible_collections.slipway.kube.plugins.plugin_utils.bundle.names import BundleError, ImageName
from ansible_collections.slipway.kube.plugins.plugin_utils.bundle.request import carry_over, describe
from ansible_collections.slipway.kube.plugins.plugin_utils.bundle.staleness import BuildStep
from ansible_collections.slipway.kube.plugins.plugin_utils.bundle.steps import (
    archive_step,
    check_images,
    image_names,
    unique_archives,
)
from ansible_collections.slipway.kube.plugins.plugin_utils.bundle.upstream import ADDRESSES, BundledManifest

from . import extras
from .addons import ADDONS, add_addons
from .build_steps import c_build, go_build, image_step, module_manifest_step, package_step, tools_step
from .catalog import NETWORK_TOOLS, Catalog, add_kubernetes
from .layout import USUAL_NAMES, Repository, image_folder, path_of, repositories
from .request import OriginRequest


def catalog_of(request: OriginRequest) -> Catalog:
    """Return all components, packages and images of the requested Kubernetes versions, of which several can be of one minor version.

    :raises BundleError: see :func:`rows_of`; there are no lock files (go.mod, go.sum) for a component.
    """
    catalog = Catalog()
    for version in request.kubernetes_versions:
        row = row_of(version, request)
        add_kubernetes(catalog, version, row)
        add_addons(catalog, request.addons, row)
    unlocked = [component.key for component in catalog.components.values() if component.key not in request.locks]
    if unlocked:
        raise BundleError(
            f"{', '.join(unlocked)} cannot be built from Go modules: there is no go.mod and go.sum for "
            f"{'it' if len(unlocked) == 1 else 'them'} in tools/origin/go (there is {', '.join(sorted(request.locks))}). "
            "Choose an available version; --prune removes what only an earlier run requested."
        )
    return catalog


def row_of(version: str, request: OriginRequest) -> dict[str, str]:
    """Return the row of the table for a Kubernetes version.

    :raises BundleError: see :func:`rows_of`.
    """
    return rows_of([version], request.table, "--kubernetes").popitem()[1]


def steps_of(request: OriginRequest) -> list[BuildStep]:
    """Return every step of the requested origin in dependency order.

    :raises BundleError: the request cannot be met.
    """
    catalog = catalog_of(request)
    steps = [go_build(component, request) for component in catalog.components.values()]
    pauses = {image.version for image in catalog.images.values() if image.name.startswith("registry.k8s.io/pause:")}
    steps += [c_build("pause", version, request) for version in sorted(pauses)]
    tool_sets = sorted(
        {image.tools for image in catalog.images.values() if image.tools}, key=lambda tools: tools != NETWORK_TOOLS
    )
    steps += [tools_step(tools, request) for tools in tool_sets]
    packages, index = package_steps(catalog, request)
    steps += packages
    steps += [image_step(image, request) for image in catalog.images.values()]
    steps += extras.image_steps(request)
    built = set(image_names(steps))
    archives = unique_archives(request.archives)
    if both := built & set(archives):
        raise BundleError(f"{', '.join(sorted(both))} is built here, so it cannot be supplied as an archive.")
    steps += [archive_step(archive, request.architecture) for archive in archives.values()]
    steps += extras.program_steps(request)
    steps += [manifest_step(manifest) for manifest in request.manifests]
    steps += [module_manifest_step(manifest) for manifest in catalog.manifests.values()]
    steps.append(index)
    check_images(request.manifests, image_names(steps))
    return steps


def package_steps(catalog: Catalog, request: OriginRequest) -> tuple[list[BuildStep], BuildStep]:
    """Return the steps that build packages, and the one that indexes and signs their repositories."""
    steps: list[BuildStep] = []
    found: dict[Repository, list[str]] = {}
    for package in catalog.packages.values():
        for file in repositories(package, request.architecture, request.rpm):
            steps.append(package_step(package, file, request))
            found.setdefault(file.repository, []).append(file.path)
    inputs = {
        "repositories": [{**vars(repository), "packages": paths} for repository, paths in found.items()],
        "architecture": request.architecture,
        "key": request.key,
    }
    title = f"indexing and signing {len(found)} package repositories"
    return steps, BuildStep("repositories", "repositories", title, inputs, after=tuple(step.key for step in steps))


def manifest_step(manifest: BundledManifest) -> BuildStep:
    """Return the step that publishes a manifest."""
    inputs = {"target": manifest.target, "digest": manifest.digest}
    hints = {"source": manifest.path, "file": manifest.path, "images": manifest.images}
    title = f"publishing {manifest.target}"
    return BuildStep(f"manifest:{manifest.target}", "manifest", title, inputs, hints=hints)


def manifest_path(name: str, table: Mapping[str, Mapping[str, str]], version: str) -> str:
    """Return the path of a manifest below the origin's root.

    :param name: its address, or ``calico``: the version in the table for Kubernetes *version*.
    :raises BundleError: the name is neither, or leads out of the root.
    """
    if name == "calico":
        row = rows_of([version], table, "--kubernetes").popitem()[1]
        return path_of(ADDRESSES["calico"].format(version=row["calico"]))
    path = path_of(name)
    if "/" not in path or "." not in path.split("/")[0] or any(part in ("", ".", "..") for part in path.split("/")):
        raise BundleError(
            f"--manifest {name}: the name must be calico, or an address such as https://example.com/a.yaml."
        )
    return path


def cluster_variables(request: OriginRequest, images: list[str]) -> dict[str, Any]:
    """Return what a cluster must set because the origin lacks a part that its defaults require."""
    row = row_of(request.kubernetes_versions[0], request)
    path = manifest_path("calico", request.table, request.kubernetes_versions[0])
    calico = next((manifest for manifest in request.manifests if manifest.target == path), None)
    values: dict[str, Any] = {}
    if not (calico and calico.images and set(calico.images) <= set(images)):
        values["kube_network_plugin"] = "flannel"
        plugin = f"ghcr.io/flannel-io/flannel-cni-plugin:v{row.get('flannel_cni_plugin')}-flannel1"
        if plugin not in images:
            values["kube_flannel_cni_plugin"] = False
    if not set(request.addons) >= {name for name, addon in load().items() if "basic" in addon.sets}:
        # By default a cluster of one host has the basic set, and one of several hosts is not even asked for add-ons.
        values["kube_addons_set"] = "{{ 'auto' if groups['kube_cluster'] | length > 1 else 'none' }}"
    return values


def inherit(request: OriginRequest, index: Index) -> None:
    """Add to the request what the existing origin holds and the request does not replace."""
    carry_over(request, index)
    if index.architecture == request.architecture:
        # As upstream's repositories have them, other releases of one minor version stay: a patch upgrade is from one to another.
        versions = [*request.kubernetes_versions, *index.kubernetes_versions]
        request.kubernetes_versions = [
            version for version in dict.fromkeys(versions) if f"kubernetes-{version}" in request.locks
        ]
    request.rpm = request.rpm or "rpm" in index.more.get("package_formats", [])
    # Not what another checkout has added and this one does not know.
    request.addons = sorted({*request.addons, *set(index.more.get("addons", [])) & set(ADDONS)})


def description_of(request: OriginRequest, steps: list[BuildStep]) -> Index:
    """Return an index with what describes the requested origin as a whole."""
    images = sorted(image_names(steps))
    paths = [image_folder(ImageName.parse(name)) for name in images]
    paths += [str(step.inputs[name]) for step in steps for name in ("path", "target") if name in step.inputs]
    more = {
        # Also those without a folder: what the origin does not have is "not found", as upstream answers, and a host of a lab, which knows
        # the names since its creation, is not replaced when another program is built.
        "names": sorted({path.split("/")[0] for path in paths} | USUAL_NAMES),
        "images": images,
        "package_formats": ["deb", "rpm"] if request.rpm else ["deb"],
        "addons": sorted(request.addons),
        "cluster_variables": cluster_variables(request, images),
    }
    return describe(request, more)
