# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The steps that build programs, and packages and images from them. Pure functions."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ansible_collections.slipway.kube.plugins.plugin_utils.bundle.staleness import BuildStep, digest_of

from .catalog import Component, Image, Manifest, Package
from .layout import PackageFile
from .packages import texts_of
from .request import OriginRequest

SUITE = "bookworm"  # the Debian release of the packages in images


def go_build(component: Component, request: OriginRequest) -> BuildStep:
    """Return the step that builds a component's programs."""
    count = len(component.programs)
    # Omitted when empty, so that the fingerprints of other components do not change.
    more: dict[str, Any] = {"generated": list(component.generated)} if component.generated else {}
    if component.added:
        more["added"] = {target: request.texts[source] for target, source in component.added}
    return BuildStep(
        f"build:{component.key}",
        "go_build",
        f"building {component.name} {component.version} ({count} program{'s' if count != 1 else ''})",
        {
            "name": component.name,
            "version": component.version,
            "architecture": request.architecture,
            "programs": list(component.programs),
            "cgo": component.cgo,
            "tags": component.tags,
            "ldflags": component.ldflags,
            "renamed": dict(component.renamed),
            "lock": request.locks[component.key],
            **more,
        },
        kept=False,
    )


def c_build(name: str, version: str, request: OriginRequest) -> BuildStep:
    """Return the step that builds a C program beside this file."""
    inputs = {
        "name": name,
        "version": version,
        "architecture": request.architecture,
        "source": request.texts[f"{name}.c"],
    }
    return BuildStep(f"build:{name}-{version}", "c_build", f"building {name} {version} (1 program)", inputs, kept=False)


def tools_key(tools: tuple[str, ...]) -> str:
    """Return the key of the step that builds a layer of Debian packages."""
    return f"tools:{digest_of(tools)[:12]}"


def tools_step(tools: tuple[str, ...], request: OriginRequest, left_out: tuple[str, ...] = ()) -> BuildStep:
    """Return the step that builds an image layer from Debian packages.

    :param left_out: patterns of paths to exclude, in addition to those that are excluded from every image.
    """
    inputs: dict[str, Any] = {
        "packages": list(tools),
        "suite": SUITE,
        "sources": request.debian_sources,
        "architecture": request.architecture,
    }
    if left_out:
        inputs["left_out"] = list(left_out)
    title = f"building a layer of {len(tools)} Debian packages ({', '.join(tools[:3])} …)"
    return BuildStep(tools_key(tools), "tools", title, inputs, kept=False)


def _builds(programs: Iterable[tuple[str, str, str]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(f"build:{component}" for component, _program, _target in programs))


def package_step(package: Package, file: PackageFile, request: OriginRequest) -> BuildStep:
    """Return the step that builds one package file."""
    inputs: dict[str, Any] = {
        "name": package.name,
        "version": package.version,
        "revision": file.revision,
        "form": file.form,
        "path": file.path,
        "architecture": request.architecture,
        "programs": [list(program) for program in package.programs],
        "texts": texts_of(package.name, file.form),
    }
    if file.form == "rpm":
        inputs["key"] = request.key  # rpms are signed one by one
    title = f"building package {file.path.rpartition('/')[2]}"
    return BuildStep(f"package:{file.path}", "package", title, inputs, after=_builds(package.programs))


def image_step(image: Image, request: OriginRequest) -> BuildStep:
    """Return the step that builds one image."""
    inputs: dict[str, Any] = {
        "name": image.name,
        "version": image.version,
        "architecture": request.architecture,
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
    # Omitted when empty, so that the fingerprints of other images do not change.
    if image.environment:
        inputs["environment"] = dict(image.environment)
    if image.texts:
        inputs["texts"] = [[target, mode, request.texts[source]] for target, mode, source in image.texts]
    if image.stop_signal:
        inputs["stop_signal"] = image.stop_signal
    if image.origin:
        inputs["origin"] = image.origin
    after = _builds(image.programs) + ((tools_key(image.tools),) if image.tools else ())
    return BuildStep(f"image:{image.name}", "image", f"building image {image.name}", inputs, after=after)


def module_manifest_step(manifest: Manifest) -> BuildStep:
    """Return the step that publishes a manifest of a Go module."""
    title = f"publishing {manifest.target}"
    return BuildStep(f"manifest:{manifest.target}", "module_manifest", title, vars(manifest))
