# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Optional parts of a bundle: programs for the control node, and images built from Debian packages.

Pure functions. Programs are in ``bin/OS-ARCHITECTURE``, which can be added to the PATH of a control node.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence

from .build_steps import go_build, image_step, tools_step
from .catalog import Component, Image
from .names import BundleError, ImageName
from .request import BundleRequest
from .staleness import BuildStep

# Programs built from separate Go modules, and the variable into which the Go linker writes their version.
STAMPS = {
    "helm": "helm.sh/helm/v4/internal/version.version",
    "kwok": "sigs.k8s.io/kwok/pkg/consts.Version",
}
PROGRAMS = ("kubectl", *sorted(STAMPS))

POSTGRES = "docker.io/library/postgres"
POSTGRES_TOOLS = ("bash", "coreutils", "dash", "grep", "gzip", "libnss-wrapper", "sed", "util-linux")
# The just-in-time compiler and Perl: half the size of the packages, and the server needs neither.
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
    """Return the component of a program that is built from a separate Go module."""
    return Component(name, version, (name,), ldflags=f"-s -w -X {STAMPS[name]}=v{version}")


def check_programs(request: BundleRequest) -> None:
    """Check that the requested programs are available.

    :raises BundleError: a name is unknown, or a program that must be built has no version or no lock files.
    """
    for name, version in request.programs.items():
        if name not in PROGRAMS:
            near = difflib.get_close_matches(name, PROGRAMS, 1)
            raise BundleError(
                f"bundle_programs lists {name!r}, which is not available: it must be one of {', '.join(PROGRAMS)}."
                + (f" Did you mean {near[0]}?" if near else "")
            )
        if name in STAMPS and not version:
            raise BundleError(f"bundle_program_versions has no version of {name}. Add one, such as {name}: 1.2.3.")
        if name in STAMPS and f"{name}-{version}" not in request.locks:
            available = sorted(key for key in request.locks if key.startswith(f"{name}-"))
            raise BundleError(
                f"{name} {version} cannot be built from Go modules: the collection has no go.mod and go.sum for it in roles/bundle/files/go "
                f"(it has {', '.join(available) or 'none'}). Choose an available version in bundle_program_versions."
            )


def program_steps(request: BundleRequest, steps: Sequence[BuildStep]) -> list[BuildStep]:
    """Return the steps that add the requested programs.

    :param steps: the steps that provide the packages; kubectl is extracted from its package, other programs are built.
    :raises BundleError: see :func:`check_programs`.
    """
    check_programs(request)
    found: list[BuildStep] = []
    for name, version in sorted(request.programs.items()):
        inputs = {"name": name, "version": version, "architecture": request.architecture}
        if name in STAMPS:
            build = go_build(program_component(name, version), request)
            found.append(build)
            inputs["component"] = f"{name}-{version}"
            after = build.key
        else:
            inputs["version"] = request.kubernetes_versions[0]
            package = next(
                step
                for step in steps
                if step.kind in ("package", "fetch_package")
                and step.inputs["name"] == name
                and step.inputs["version"].startswith(f"{inputs['version']}-")
            )
            inputs["package"] = package.key
            after = package.key
        title = f"adding program {name} {inputs['version']} for linux-{request.architecture}"
        found.append(BuildStep(f"program:{name}", "program", title, inputs, after=(after,)))
    return found


def debian_images(request: BundleRequest) -> list[Image]:
    """Return the requested images that are built from Debian packages.

    :raises BundleError: there is no recipe for an image, or its tag does not match a Debian package.
    """
    suite = request.debian.split()[-1]
    return [_postgres(ImageName.parse(name), suite) for name in dict.fromkeys(request.debian_images)]


def image_steps(request: BundleRequest) -> list[BuildStep]:
    """Return the steps that build images from Debian packages."""
    found: list[BuildStep] = []
    for image in debian_images(request):
        found += [tools_step(image.tools, request, image.left_out), image_step(image, request)]
    return found


def _postgres(name: ImageName, suite: str) -> Image:
    """Return the image of Debian's PostgreSQL, configured like the one on Docker Hub (POSTGRES_DB, PGDATA, …)."""
    if f"{name.registry}/{name.repository}" != POSTGRES:
        raise BundleError(
            f"bundle_debian_images lists {name}, for which there is no recipe. The only recipe is for {POSTGRES}, such as {POSTGRES}:15-bookworm. "
            "Supply other images as archives (bundle_image_archives)."
        )
    found = re.match(rf"^(\d+)(?:-{re.escape(suite)})?$", name.tag)
    if not found:
        raise BundleError(
            f"bundle_debian_images lists {name}, but each Debian release contains one major version of PostgreSQL. "
            f"Use that version and the name of the Debian release as the tag, such as 15-{suite}."
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
        stop_signal="SIGINT",  # fast shutdown: disconnects clients; SIGTERM waits for them
        left_out=POSTGRES_LEFT_OUT,
        origin=f"Debian {suite}, package postgresql-{major}",
    )
