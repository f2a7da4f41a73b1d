# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line of tools/origin."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from ansible_collections.slipway.kube.plugins.module_utils._lab.sources import unreachable
from ansible_collections.slipway.kube.plugins.plugin_utils.bundle import archives, build, repository
from ansible_collections.slipway.kube.plugins.plugin_utils.bundle import index as index_file
from ansible_collections.slipway.kube.plugins.plugin_utils.bundle.fetch import TIMEOUT, Source
from ansible_collections.slipway.kube.plugins.plugin_utils.bundle.files import sha256_of, write
from ansible_collections.slipway.kube.plugins.plugin_utils.bundle.index import Index
from ansible_collections.slipway.kube.plugins.plugin_utils.bundle.names import BundleError
from ansible_collections.slipway.kube.plugins.plugin_utils.bundle.process import Runner
from ansible_collections.slipway.kube.plugins.plugin_utils.bundle.progress import Progress
from ansible_collections.slipway.kube.plugins.plugin_utils.bundle.requirements import Missing, architecture
from ansible_collections.slipway.kube.plugins.plugin_utils.bundle.steps import ARCHITECTURES
from ansible_collections.slipway.kube.plugins.plugin_utils.bundle.upstream import ADDRESSES, PROGRAMS, program_steps

from . import golang, requirements
from .addons import ADDONS
from .executor import HERE, ORIGIN, OriginExecutor
from .layout import path_of
from .request import OriginRequest
from .steps import description_of, inherit, manifest_path, steps_of

ROLES = HERE.parents[1] / "roles"
CACHE = "~/.cache/slipway"


def arguments() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(
        prog="python tools/origin",
        description="Build what upstream publishes (Kubernetes, containerd, their images) from Go modules, laid out exactly as "
        "upstream does: one folder for each host name.",
    )
    parser.add_argument(
        "--cache",
        type=Path,
        default=os.environ.get("SLIPWAY_CACHE") or CACHE,
        help=f"folder for the origin (in CACHE/origin), its signing key and work in progress; default: SLIPWAY_CACHE or {CACHE}",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="build|verify|programs")
    commands.add_parser("verify", help="compare every file with its digest")
    get = commands.add_parser(
        "programs",
        help="put programs for this machine into CACHE/programs",
        description="Put programs for this machine into CACHE/programs: from upstream, or from the origin where it cannot be reached.",
    )
    get.add_argument("names", nargs="+", choices=list(PROGRAMS), metavar="NAME", help=f"one of {', '.join(PROGRAMS)}")
    make = commands.add_parser(
        "build",
        help="build the origin, or bring it up to date",
        description="Build the origin, or bring it up to date. An interrupted build resumes. What earlier builds added is kept.",
    )

    def several(option: str, meaning: str, **more: Any) -> None:
        make.add_argument(option, action="append", default=[], help=f"{meaning}; can be repeated", **more)

    several(
        "--kubernetes", "a Kubernetes version; the first is the main one (default: kube_version)", metavar="VERSION"
    )
    several("--addon", "an add-on of role addons; metrics_server is always built", choices=list(ADDONS))
    several("--program", "a program for the control node; kubectl is always published", choices=list(PROGRAMS))
    several(
        "--debian-image",
        "an image to build from Debian packages (docker.io/library/postgres:15-bookworm)",
        metavar="IMAGE",
    )
    several("--image-archive", "an image archive (docker save, OCI), if it has no name as NAME=FILE", metavar="FILE")
    several("--manifest", "a manifest to publish; NAME is its address without https://, or calico", metavar="NAME=FILE")
    several("--debian-source", "a line of sources.list from which images take Debian packages", metavar="LINE")
    make.add_argument("--architecture", choices=ARCHITECTURES, help="of the hosts (default: of this machine)")
    make.add_argument(
        "--rpm",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="whether to build rpms and their repositories",
    )
    make.add_argument(
        "--prune", action="store_true", help="remove what earlier builds added and this one does not list"
    )
    make.add_argument("--if-needed", action="store_true", help="do nothing where upstream can be reached")
    make.add_argument("--plan", action="store_true", help="only show the pending steps and what this machine lacks")
    return parser


def main(words: Sequence[str]) -> int:
    """Run the command; returns the exit status."""
    options = arguments().parse_args(words)
    os.umask(0o022)  # a web server must be able to read the origin
    progress = Progress(show)
    try:
        return {"verify": verify, "programs": programs, "build": make_origin}[options.command](options, progress)
    except (BundleError, KeyboardInterrupt) as error:
        progress.close()
        interrupted = isinstance(error, KeyboardInterrupt)
        print(f"tools/origin: {'interrupted; the next build resumes' if interrupted else error}", file=sys.stderr)
        return 130 if interrupted else 1


def show(text: str) -> None:
    """Write a text of the progress."""
    print(text, end="", flush=True)


def verify(options: argparse.Namespace, progress: Progress) -> int:
    """Compare every file of the origin with its digest."""
    root = options.cache.expanduser().resolve() / "origin"
    index, broken = build.verify(root, ORIGIN)
    if broken:
        raise BundleError(
            "\n".join([f"{root} has missing or corrupt files:", *broken, f"Run {ORIGIN.command} to build them again."])
        )
    show(f"{root} is intact: {len(index.files)} files, Kubernetes {', '.join(index.kubernetes_versions)}.\n")
    return 0


@dataclass
class OriginFiles(Source):
    """Reads from the files of an origin what its address names at upstream."""

    root: Path = Path()

    def open(self, url: str, method: str = "GET", timeout: float = TIMEOUT) -> Any:
        """Open the file of an address.

        :raises OSError: the origin does not have it.
        """
        return open(self.root / path_of(url), "rb")


def programs(options: argparse.Namespace, progress: Progress) -> int:
    """Put programs for this machine into the folder for programs."""
    cache = options.cache.expanduser().resolve()
    why = unreachable()
    source = OriginFiles(root=cache / "origin") if why else Source()
    defaults = role_defaults()
    versions = {"kubectl": str(defaults["kube_version"]), **defaults["bundle_program_versions"]}
    wanted = {name: str(versions[name]) for name in options.names}
    for step in program_steps(wanted, architecture(), ADDRESSES):
        target, mark = cache / "programs" / step.inputs["name"], cache / "programs" / f".{step.inputs['name']}.version"
        if target.is_file() and mark.is_file() and mark.read_text(encoding="utf-8") == step.inputs["version"]:
            continue
        write(target, source.program(step.inputs), 0o755)
        write(mark, step.inputs["version"].encode())
        show(
            f"{target} is {step.inputs['name']} {step.inputs['version']}, from {'the origin' if why else 'upstream'}.\n"
        )
    return 0


def make_origin(options: argparse.Namespace, progress: Progress) -> int:
    """Build the origin, or show what a build would do."""
    why = unreachable() if options.if_needed else "--if-needed was not given"
    if not why:
        show("Upstream can be reached, so no origin is needed: the lab uses upstream.\n")
        return 0
    if options.if_needed:
        show(f"Upstream cannot be reached ({why}), so the lab needs an origin.\n")
    cache = options.cache.expanduser().resolve()
    run = Runner(progress.report)
    executor = OriginExecutor(
        root=cache / "origin",
        work=cache / "origin-work",
        secret=cache / "keys" / "origin.secret.asc",
        run=run,
        layers=cache / "layers",
    )
    request = request_of(options)
    if options.plan:
        return plan(executor, request, options)
    with build.exclusive(cache / "origin.lock"):
        lacks = missing_programs(run)
        if not executor.secret.is_file() and not lacks:
            with repository.signer(executor.secret, run):
                pass  # made once, before the first plan: rpms are built again when the key changes
        found, about = inspect(executor, request, options)
        require(executor, found)
        if found.interrupted:
            show("An earlier build was interrupted. Resuming it.\n")
        for path, what in found.broken.items():
            show(f"{path} {what}. It will be built again.\n")
        result = build.build(found, executor, about, progress.start, progress.done)
    summarize(executor.root, result)
    return 0


def missing_programs(run: Runner) -> list[str]:
    """Install what signing requires, where that is possible; returns the programs that are still missing."""
    missing = Missing()
    requirements.check_programs(("gpg", "gpgconf"), requirements.PROGRAMS, missing)
    install(missing, run)
    return missing.packages


def role_defaults() -> dict[str, Any]:
    """Return the defaults of the roles that know what upstream is asked for."""
    defaults: dict[str, Any] = {}
    for role in ("cluster", "bundle"):
        defaults.update(yaml.safe_load((ROLES / role / "defaults" / "main.yml").read_text(encoding="utf-8")))
    return defaults


def request_of(options: argparse.Namespace) -> OriginRequest:
    """Read everything that determines the result.

    :raises BundleError: a file cannot be read, or an option is not valid.
    """
    defaults = role_defaults()
    table = {
        minor: {name: str(value) for name, value in row.items()} for minor, row in defaults["kube_versions"].items()
    }
    versions = list(dict.fromkeys(options.kubernetes)) or [str(defaults["kube_version"])]
    request = OriginRequest(
        architecture=options.architecture or architecture(),
        kubernetes_versions=versions,
        table=table,
        programs={name: str(defaults["bundle_program_versions"].get(name, "")) for name in options.program},
        images=list(options.debian_image),
        rpm=options.rpm,
        addons=sorted({"metrics_server", *options.addon}),
        debian_sources=list(options.debian_source),
        locks=golang.read_locks(HERE / "go"),
        texts={
            str(path.relative_to(HERE)): path.read_text(encoding="utf-8")
            for pattern in ("*.c", "*.sh", "commands/*/*.go")
            for path in HERE.glob(pattern)
        },
    )
    for entry in options.image_archive:
        name, equals, path = entry.rpartition("=")
        file = Path(path).expanduser().resolve()
        request.archives += archives.read_archive(file, name) if equals else archives.read_archive(file)
    for entry in options.manifest:
        name, equals, path = entry.partition("=")
        if not equals or not path:
            raise BundleError(f"--manifest {entry}: write NAME=FILE.")
        target = manifest_path(name, table, versions[0])
        request.manifests.append(archives.read_manifest(target, str(Path(path).expanduser().resolve())))
    return request


def inspect(
    executor: OriginExecutor, request: OriginRequest, options: argparse.Namespace
) -> tuple[build.Inspection, Index]:
    """Compare the existing origin with the requested one; returns that, and what describes the requested one."""
    index = index_file.load(executor.root, ORIGIN)
    if not options.prune:
        inherit(request, index)
    request.key = sha256_of(executor.secret) if executor.secret.is_file() else ""
    steps = steps_of(request)
    return build.inspect(steps, index, executor), description_of(request, steps)


def check(executor: OriginExecutor, found: build.Inspection) -> Missing:
    """Check what the pending steps require of this machine."""
    return requirements.check(found.pending.steps, executor.root, executor.locks, architecture(), executor.run)


def install(missing: Missing, run: Runner) -> bool:
    """Install the missing Debian packages, as root on Debian; returns whether there were any."""
    if not missing.packages or os.geteuid() != 0 or not Path("/usr/bin/apt-get").exists():
        return False
    show(f"Installing {', '.join(missing.packages)}.\n")
    environment = {"DEBIAN_FRONTEND": "noninteractive"}
    run(["apt-get", "update", "-q"], what="updating the package lists", env=environment)
    command = ["apt-get", "install", "-qy", "--no-install-recommends", *missing.packages]
    run(command, what=f"installing {', '.join(missing.packages)}", env=environment)
    missing.packages.clear()
    return True


def require(executor: OriginExecutor, found: build.Inspection) -> None:
    """Check the requirements, and install missing Debian packages where that is possible.

    :raises BundleError: something is missing; the message lists everything.
    """
    missing = check(executor, found)
    if install(missing, executor.run):
        missing = check(executor, found)
    if missing.problems:
        lines = [f"- {problem}" for problem in missing.problems]
        raise BundleError("\n".join(["The origin cannot be built on this machine:", *lines]))


def plan(executor: OriginExecutor, request: OriginRequest, options: argparse.Namespace) -> int:
    """Show the pending steps, and what this machine lacks for them."""
    found, _about = inspect(executor, request, options)
    for step in found.pending.steps:
        show(f"{step.title} ({found.pending.reason(step)})\n")
    for path in found.pending.remove:
        show(f"removing {path}\n")
    if not found.pending.changes:
        show("nothing to do\n")
    for problem in check(executor, found).problems:
        show(f"missing: {problem}\n")
    return 0


def summarize(root: Path, result: build.BuildResult) -> None:
    """Show what the origin contains."""
    size = sum({entry.digest: entry.size for entry in result.index.files.values()}.values()) // 1_000_000
    seconds = sum(seconds for _title, seconds in result.done)
    took = "obsolete files were removed" if result.changed else "nothing to do"
    took = f"built in {seconds:.0f} s" if result.done else took
    versions, names = ", ".join(result.index.kubernetes_versions), ", ".join(result.index.more["names"])
    show(f"{root} contains Kubernetes {versions} for {names}, {size} MB; {took}.\n")
