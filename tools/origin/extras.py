# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs for the control node, and images built from Debian packages. Pure functions."""

from __future__ import annotations

import re

from ansible_collections.slipway.kube.plugins.plugin_utils.bundle.names import BundleError, ImageName
from ansible_collections.slipway.kube.plugins.plugin_utils.bundle.staleness import BuildStep
from ansible_collections.slipway.kube.plugins.plugin_utils.bundle.upstream import ADDRESSES, PROGRAMS

from .build_steps import SUITE, go_build, image_step, tools_step
from .catalog import Component, Image
from .layout import path_of
from .request import OriginRequest

# Programs built from separate Go modules, and the variable into which the Go linker writes their version.
STAMPS = {
    "helm": "helm.sh/helm/v4/internal/version.version",
    "cosign": "sigs.k8s.io/release-utils/version.gitVersion",
    "kwok": "sigs.k8s.io/kwok/pkg/consts.Version",
}

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


def check_programs(request: OriginRequest) -> None:
    """Check that the requested programs can be built.

    :raises BundleError: there are no lock files for a program.
    """
    for name, version in request.programs.items():
        if name in STAMPS and f"{name}-{version}" not in request.locks:
            available = sorted(key for key in request.locks if key.startswith(f"{name}-"))
            raise BundleError(
                f"{name} {version} cannot be built from Go modules: there is no go.mod and go.sum for it in tools/origin/go "
                f"(there is {', '.join(available) or 'none'}). Correct bundle_program_versions in roles/bundle/defaults/main.yml."
            )


def program_steps(request: OriginRequest) -> list[BuildStep]:
    """Return the steps that publish programs: kubectl of every Kubernetes version, and the requested ones.

    :raises BundleError: see :func:`check_programs`.
    """
    check_programs(request)
    wanted = [("kubectl", version, f"kubernetes-{version}") for version in request.kubernetes_versions]
    found: list[BuildStep] = []
    for name, version in sorted(request.programs.items()):
        if name in STAMPS:
            found.append(go_build(program_component(name, version), request))
            wanted.append((name, version, f"{name}-{version}"))
    for name, version, component in wanted:
        suffix, member = PROGRAMS[name]
        path = path_of(ADDRESSES[name].format(version=version, architecture=request.architecture))
        inputs = {
            "name": name,
            "version": version,
            "architecture": request.architecture,
            "component": component,
            "path": path,
            "digest": f"{path}{suffix}" if suffix else "",
            "member": member.format(architecture=request.architecture),
        }
        title = f"publishing program {name} {version}"
        found.append(BuildStep(f"program:{path}", "program", title, inputs, after=(f"build:{component}",)))
    return found


def debian_images(request: OriginRequest) -> list[Image]:
    """Return the requested images that are built from Debian packages.

    :raises BundleError: there is no recipe for an image, or its tag does not match a Debian package.
    """
    return [_postgres(ImageName.parse(name), SUITE) for name in dict.fromkeys(request.images)]


def image_steps(request: OriginRequest) -> list[BuildStep]:
    """Return the steps that build images from Debian packages."""
    found: list[BuildStep] = []
    for image in debian_images(request):
        found += [tools_step(image.tools, request, image.left_out), image_step(image, request)]
    return found


def _postgres(name: ImageName, suite: str) -> Image:
    """Return the image of Debian's PostgreSQL, configured like the one on Docker Hub (POSTGRES_DB, PGDATA, …)."""
    if f"{name.registry}/{name.repository}" != POSTGRES:
        raise BundleError(
            f"{name} cannot be built: there is no recipe for it. The only recipe is for {POSTGRES}, such as {POSTGRES}:15-bookworm. "
            "Supply other images as archives (--image-archive)."
        )
    found = re.match(rf"^(\d+)(?:-{re.escape(suite)})?$", name.tag)
    if not found:
        raise BundleError(
            f"{name} cannot be built: each Debian release contains one major version of PostgreSQL. "
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
