# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Align lock files: every module at one version in all of them, so that Go compiles a package once for all programs.

    python tools/origin/align.py kubernetes-1.37.2 etcd-3.7.0 coredns-1.14.6

Go's build cache is keyed by the source of a package and of all that it imports. Components that need the same libraries in different
versions compile them again and again. The newest version that one of them requires is taken for all, as Go does inside one module
(https://go.dev/ref/mod#minimal-version-selection).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent / "go"
ROUNDS = 8  # versions are settled after two or three


def go(folder: Path, *words: str) -> str:
    """Run a command of Go in *folder*; returns its output."""
    environment = {
        **os.environ,
        "GOFLAGS": "-mod=mod -buildvcs=false -tags=seccomp",  # a tag of runc, which adds modules
        "GOTOOLCHAIN": "local",
        "GOWORK": "off",
        "CGO_ENABLED": "1",
    }
    done = subprocess.run(["go", *words], cwd=folder, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    return done.stdout


def read(folder: Path) -> dict[str, Any]:
    """Return the content of a go.mod (https://go.dev/ref/mod#go-mod-edit-json)."""
    mod: dict[str, Any] = json.loads(go(folder, "mod", "edit", "-json"))
    return mod


def required(mod: dict[str, Any]) -> dict[str, str]:
    """Return the versions that a go.mod requires, by module."""
    return {one["Path"]: one["Version"] for one in mod.get("Require") or []}


def replacements(mod: dict[str, Any]) -> list[str]:
    """Return the replacements of a go.mod, as arguments of ``go mod edit``."""
    return [
        f"-replace={one['Old']['Path']}={one['New']['Path']}@{one['New']['Version']}"
        for one in mod.get("Replace") or []
    ]


def settle(folder: Path) -> dict[str, str]:
    """Add what is missing in a go.mod and its go.sum; returns the versions that it requires then.

    With ``-e``, since one module may name a path in capital letters that another one writes small; they are never in one program.
    """
    go(folder, "list", "-e", "-deps", "tool")
    return required(read(folder))


def newest(mods: dict[str, dict[str, Any]], replaced: list[str]) -> dict[str, str]:
    """Return the newest version of every module that one of the components requires."""
    tools = sorted({one["Path"] for mod in mods.values() for one in mod.get("Tool") or []})
    requirements = [f"\t{name} {version}\n" for mod in mods.values() for name, version in required(mod).items()]
    with tempfile.TemporaryDirectory() as scratch:
        text = f"module slipway.kube/origin\n\ngo {max(mod['Go'] for mod in mods.values())}\n\nrequire (\n"
        (Path(scratch) / "go.mod").write_text(text + "".join(requirements) + ")\n")
        go(Path(scratch), "mod", "edit", *replaced, *(f"-tool={tool}" for tool in tools))
        return settle(Path(scratch))


def align(folder: Path, versions: dict[str, str], replaced: list[str]) -> int:
    """Write the lock files of one component with these versions; returns how many modules it requires."""
    have = required(read(folder))
    (folder / "go.sum").write_text("")
    go(folder, "mod", "edit", *replaced)
    for _round in range(ROUNDS):
        wanted = {name: versions[name] for name in have if versions.get(name, have[name]) != have[name]}
        if wanted:
            go(folder, "mod", "edit", *(f"-require={name}@{version}" for name, version in wanted.items()))
        now = settle(folder)
        if now == have:
            unused = [name for name in (one.split("=")[1] for one in replaced) if name not in have]
            go(folder, "mod", "edit", *(f"-dropreplace={name}" for name in unused))
            return len(have)
        have = now
    sys.exit(f"{folder.name} is not settled after {ROUNDS} rounds.")


def main(components: list[str]) -> None:
    """Align the lock files of the components."""
    mods = {component: read(HERE / component) for component in components}
    replaced = sorted({one for mod in mods.values() for one in replacements(mod)})
    versions = newest(mods, replaced)
    for component in components:
        print(f"{component}: {align(HERE / component, versions, replaced)} modules")


if __name__ == "__main__":
    main(sys.argv[1:])
