# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Build programs from Go modules, pinned by the lock files (go.mod, go.sum) beside this file, in ``go``.

Every go.mod lists its programs in ``tool`` directives (https://go.dev/ref/mod#go-mod-file-tool); ``go build tool`` builds
all of them. Go's own caches are used, so that nothing is compiled twice.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ansible_collections.slipway.kube.plugins.plugin_utils.bundle.names import BundleError
from ansible_collections.slipway.kube.plugins.plugin_utils.bundle.process import Runner

COMPILERS = {"amd64": "x86_64-linux-gnu-gcc", "arm64": "aarch64-linux-gnu-gcc"}
MACHINES = {"amd64": ("x86_64",), "arm64": ("aarch64",)}


def lock_digest(go_mod: bytes, go_sum: bytes) -> str:
    """Return one digest of a component's lock files."""
    return f"sha256:{hashlib.sha256(go_mod + bytes(1) + go_sum).hexdigest()}"


def read_locks(folder: Path) -> dict[str, str]:
    """Return the digests of all lock files below *folder*, by component (``etcd-3.6.8``)."""
    return {
        path.parent.name: lock_digest(path.read_bytes(), (path.parent / "go.sum").read_bytes())
        for path in sorted(folder.glob("*/go.mod"))
        if (path.parent / "go.sum").is_file()
    }


def needed_go(go_mod: str) -> tuple[int, ...]:
    """Return the minimum Go version of a go.mod: ``go 1.26.4`` → ``(1, 26, 4)``."""
    found = re.search(r"^go (\d+(?:\.\d+)*)", go_mod, re.MULTILINE)
    return tuple(int(part) for part in found.group(1).split(".")) if found else ()


def modules_of(go_mod: str) -> dict[str, str]:
    """Return the modules and versions that a go.mod requires."""
    return dict(re.findall(r"^(?:require )?\s*([\w./~-]+) (v[\w.+-]+)(?: // indirect)?$", go_mod, re.MULTILINE))


def origin_of(go_mod: str) -> str:
    """Return the module and version of the first tool, which is the source of the programs, or of the only module."""
    tools = re.findall(r"^(?:tool )?\s*([\w.-]+\.[a-z]+/[\w./-]+)$", go_mod, re.MULTILINE)
    modules = modules_of(go_mod)
    for tool in tools:
        module = max((name for name in modules if tool == name or tool.startswith(f"{name}/")), key=len, default="")
        if module:
            return f"{module}@{modules[module]}"
    return "@".join(*modules.items()) if len(modules) == 1 else "Go modules"


def build_command(inputs: Mapping[str, Any], target: Path) -> list[str]:
    """Return the command that builds a component's programs in the folder *target*."""
    tags = ["-tags", inputs["tags"]] if inputs["tags"] else []
    options = ["-v", "-mod=readonly", "-trimpath", *tags, "-ldflags", inputs["ldflags"]]
    return ["go", "build", *options, "-o", f"{target}{os.sep}", "tool"]


def build_environment(inputs: Mapping[str, Any]) -> dict[str, str]:
    """Return the environment of the build: no toolchain download, no version control, the target architecture."""
    return {
        "GOFLAGS": "-buildvcs=false",
        "GOTOOLCHAIN": "local",
        "GOWORK": "off",
        "GOOS": "linux",
        "GOARCH": inputs["architecture"],
        "CGO_ENABLED": "1" if inputs["cgo"] else "0",
    }


def build(inputs: Mapping[str, Any], lock: Path, target: Path, run: Runner) -> None:
    """Build a component's programs in the empty folder *target*.

    :param lock: folder with its go.mod and go.sum.
    :raises BundleError: the build fails, or a program is missing afterwards.
    """
    what = f"building {inputs['name']} {inputs['version']}"
    environment = build_environment(inputs)
    if inputs["cgo"] and platform.machine() not in MACHINES[inputs["architecture"]]:
        environment["CC"] = COMPILERS[inputs["architecture"]]
    with source_of(inputs, lock, run) as folder:
        run(
            build_command(inputs, target),
            what=what,
            cwd=folder,
            env=environment,
            progress=lambda lines: f"{lines} Go packages compiled so far" if lines else "fetching modules or linking",
            remedy="Check that the Go module proxy can be reached (go env GOPROXY) and that the disk is not full. The next run resumes here.",
        )
    for built, name in inputs["renamed"].items():
        shutil.move(target / built, target / name)
    missing = sorted(set(inputs["programs"]) - {path.name for path in target.iterdir()})
    if missing:
        raise BundleError(
            f"{what} did not produce {', '.join(missing)}: add {'it' if len(missing) == 1 else 'them'} to the tool lines of {lock / 'go.mod'}."
        )


@contextmanager
def source_of(inputs: Mapping[str, Any], lock: Path, run: Runner) -> Iterator[Path]:
    """Give the folder in which a component is built: that of its lock files, or a copy that adds files to its module."""
    added = {**dict.fromkeys(inputs.get("generated", []), ""), **inputs.get("added", {})}
    if not added:
        yield lock
        return
    module = origin_of((lock / "go.mod").read_text(encoding="utf-8")).partition("@")[0]
    with tempfile.TemporaryDirectory() as scratch:
        source, copy = Path(scratch) / "source", Path(scratch) / "lock"
        # Without the modes of Go's cache, which is read-only.
        shutil.copytree(module_folder(module, lock, run), source, copy_function=shutil.copyfile)
        for path in (source, *source.rglob("*/")):
            path.chmod(0o755)
        for name, text in added.items():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_text(text, encoding="utf-8")
        shutil.copytree(lock, copy)
        run(["go", "mod", "edit", f"-replace={module}={source}"], what=f"completing {module}", cwd=copy)
        yield copy


def module_folder(module: str, lock: Path, run: Runner) -> Path:
    """Return where Go keeps a module that the go.mod in the folder *lock* requires.

    :raises BundleError: the module cannot be fetched.
    """
    environment = {"GOFLAGS": "-mod=readonly", "GOTOOLCHAIN": "local", "GOWORK": "off"}
    # "go list -m" would name no folder where the module is not in the cache.
    command = ["go", "mod", "download", "-json", module]
    return Path(json.loads(run(command, what=f"fetching {module}", cwd=lock, env=environment))["Dir"])


def module_file(module: str, file: str, lock: Path, run: Runner) -> bytes:
    """Return a file of a module that the go.mod in the folder *lock* requires.

    :raises BundleError: the module cannot be fetched, or has no such file.
    """
    folder = module_folder(module, lock, run)
    try:
        return (folder / file).read_bytes()
    except OSError as error:
        raise BundleError(f"{module} has no {file}: {error}") from error


def build_c(inputs: Mapping[str, Any], source: Path, target: Path, run: Runner) -> None:
    """Build a C program in the empty folder *target*.

    :raises BundleError: the compiler fails.
    """
    compiler = "gcc" if platform.machine() in MACHINES[inputs["architecture"]] else COMPILERS[inputs["architecture"]]
    version = f'-DVERSION="{inputs["version"]}"'
    run(
        [compiler, "-Os", "-s", "-static", "-Wall", version, "-o", str(target / inputs["name"]), str(source)],
        what=f"building {inputs['name']} {inputs['version']}",
    )
