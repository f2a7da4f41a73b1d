# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a bundle holds beside a cluster, where it is asked for: programs for the control node, images of Debian packages.

Pure functions. Programs lie in ``bin/OS-ARCHITECTURE``, so that a control node finds them as a folder of its PATH.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence

from .build_steps import go_build, image_step, tools_step
from .catalog import Component, Image
from .errors import BundleError
from .names import ImageName
from .request import Want
from .staleness import Step

# Programs from Go modules of their own, and where the Go linker writes their version.
STAMPS = {
    "helm": "helm.sh/helm/v4/internal/version.version",
    "kwok": "sigs.k8s.io/kwok/pkg/consts.Version",
}
PROGRAMS = ("kubectl", *sorted(STAMPS))

POSTGRES = "docker.io/library/postgres"
POSTGRES_TOOLS = ("bash", "coreutils", "dash", "grep", "gzip", "libnss-wrapper", "sed", "util-linux")
# The just-in-time compiler and Perl, half of what the packages bring; the server does without either.
POSTGRES_LEFT_OUT = (
    "usr/bin/*perl*",
    "usr/lib/*/libLLVM*",
    "usr/lib/*/libperl*",
    "usr/lib/*/perl*",
    "usr/lib/*/libz3*",
    "usr/lib/llvm*",
    "usr/lib/postgresql/*/lib/bitcode*",
    "usr/lib/postgresql/*/lib/llvmjit*",
    "usr/share/doc/*/examples*",
    "usr/share/perl*",
    "usr/share/postgresql/*/man*",
)


def program_component(name: str, version: str) -> Component:
    """A program that is built from a Go module of its own."""
    return Component(name, version, (name,), ldflags=f"-s -w -X {STAMPS[name]}=v{version}")


def check_programs(want: Want) -> None:
    """Refuse programs that cannot be had.

    :raises BundleError: a name is unknown, or a program that is built has no version or no lock files.
    """
    for name, version in want.programs.items():
        if name not in PROGRAMS:
            near = difflib.get_close_matches(name, PROGRAMS, 1)
            raise BundleError(
                f"bundle_programs names {name!r}, which no bundle can hold: it is one of {', '.join(PROGRAMS)}."
                + (f" Did you mean {near[0]}?" if near else "")
            )
        if name in STAMPS and not version:
            raise BundleError(f"bundle_program_versions names no version of {name}: add it, such as {name}: 1.2.3.")
        if name in STAMPS and f"{name}-{version}" not in want.locks:
            there = sorted(key for key in want.locks if key.startswith(f"{name}-"))
            raise BundleError(
                f"{name} {version} cannot be built from Go modules: the collection has no go.mod and go.sum for it in roles/bundle/files/go "
                f"(it has {', '.join(there) or 'none'}). Choose a version that it has in bundle_program_versions."
            )


def program_steps(want: Want, steps: Sequence[Step]) -> list[Step]:
    """Put the wanted programs beside the cluster's parts.

    :param steps: steps that make the packages; kubectl is taken out of its package, the rest is built.
    :raises BundleError: see :func:`check_programs`.
    """
    check_programs(want)
    found: list[Step] = []
    for name, version in sorted(want.programs.items()):
        inputs = {"name": name, "version": version, "architecture": want.architecture}
        if name in STAMPS:
            build = go_build(program_component(name, version), want)
            found.append(build)
            inputs["component"] = f"{name}-{version}"
            after = build.key
        else:
            inputs["version"] = want.kubernetes_versions[0]
            package = next(
                step
                for step in steps
                if step.kind in ("package", "fetch_package")
                and step.inputs["name"] == name
                and step.inputs["version"].startswith(f"{inputs['version']}-")
            )
            inputs["package"] = package.key
            after = package.key
        title = f"adding program {name} {inputs['version']} for linux-{want.architecture}"
        found.append(Step(f"program:{name}", "program", title, inputs, after=(after,)))
    return found


def debian_images(want: Want) -> list[Image]:
    """The images that are made of Debian packages.

    :raises BundleError: a name is none that is known, or its tag does not say a Debian package.
    """
    suite = want.debian.split()[-1]
    return [_postgres(ImageName.parse(name), suite) for name in dict.fromkeys(want.debian_images)]


def image_steps(want: Want) -> list[Step]:
    """Make the images that are made of Debian packages."""
    found: list[Step] = []
    for image in debian_images(want):
        found += [tools_step(image.tools, want, image.left_out), image_step(image, want)]
    return found


def _postgres(name: ImageName, suite: str) -> Image:
    """PostgreSQL as Debian has it, in an image that is configured as the one on Docker Hub (POSTGRES_DB, PGDATA, …)."""
    if f"{name.registry}/{name.repository}" != POSTGRES:
        raise BundleError(
            f"bundle_debian_images names {name}, for which there is no recipe: there is one for {POSTGRES}, such as {POSTGRES}:15-bookworm. "
            "Bring other images as archives (bundle_image_archives)."
        )
    found = re.match(rf"^(\d+)(?:-{re.escape(suite)})?$", name.tag)
    if not found:
        raise BundleError(
            f"bundle_debian_images names {name}: PostgreSQL comes from Debian, which has one release of it. "
            f"Write its major version and Debian's name as the tag, such as 15-{suite}."
        )
    major = found.group(1)
    return Image(
        str(name),
        name.tag,
        (),
        tools=(f"postgresql-{major}", *POSTGRES_TOOLS),
        entrypoint=("/usr/local/bin/postgres-entrypoint",),
        command=("postgres",),
        users=("postgres:999:101:ssl-cert",),
        folders=("/docker-entrypoint-initdb.d", "/var/lib/postgresql/data", "/var/run/postgresql"),
        environment=(
            ("LANG", "C.UTF-8"),
            ("PATH", f"/usr/lib/postgresql/{major}/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"),
            ("PGDATA", "/var/lib/postgresql/data"),
            ("PG_MAJOR", major),
        ),
        texts=(("/usr/local/bin/postgres-entrypoint", 0o755, "postgres-entrypoint.sh"),),
        stop_signal="SIGINT",  # ends sessions and writes everything down; SIGTERM waits for clients to leave
        left_out=POSTGRES_LEFT_OUT,
        origin=f"Debian {suite}, package postgresql-{major}",
    )
