# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The steps that build programs and make packages and images of them, one by one. Pure functions."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .catalog import Component, Image, Package
from .packages import texts_of
from .request import Want
from .staleness import Step, digest_of


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


def tools_step(tools: tuple[str, ...], want: Want, left_out: tuple[str, ...] = ()) -> Step:
    """The step that makes a layer of Debian packages.

    :param left_out: patterns of paths that the image does not need, beside those that no image needs.
    """
    inputs: dict[str, Any] = {
        "packages": list(tools),
        "suite": want.debian.split()[-1],
        "sources": want.debian_sources,
        "architecture": want.architecture,
    }
    if left_out:
        inputs["left_out"] = list(left_out)
    title = f"making a layer of {len(tools)} Debian tools ({', '.join(tools[:3])} …)"
    return Step(tools_key(tools), "tools", title, inputs, kept=False)


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
    # Only where there are any: what an image is made of says whether it is made again.
    if image.environment:
        inputs["environment"] = dict(image.environment)
    if image.texts:
        inputs["texts"] = [[target, mode, want.texts[source]] for target, mode, source in image.texts]
    if image.stop_signal:
        inputs["stop_signal"] = image.stop_signal
    if image.origin:
        inputs["origin"] = image.origin
    after = _forerunners(image.programs) + ((tools_key(image.tools),) if image.tools else ())
    return Step(f"image:{image.name}", "image", f"making image {image.name}", inputs, after=after)
