# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a component is built: the folder of its lock files, or a copy that completes its module."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from origin import golang

GO_MOD = "module slipway.kube/origin/web\n\ntool example.com/web/cmd/web\n\nrequire example.com/web v1.0.0\n"


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    folder = tmp_path / "web-1.0.0"
    folder.mkdir()
    (folder / "go.mod").write_text(GO_MOD)
    (folder / "go.sum").write_text("")
    return folder


def never(*_words: Any, **_more: Any) -> str:
    raise AssertionError("nothing has to be run")


def test_a_whole_module_is_built_from_its_lock_files(lock: Path) -> None:
    with golang.source_of({}, lock, never) as folder:
        assert folder == lock


def test_generated_files_are_added_to_a_copy_of_the_module(
    lock: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = tmp_path / "cache"
    (module / "ui").mkdir(parents=True)
    (module / "ui" / "web.go").write_text("package ui")
    for path in (module / "ui" / "web.go", module / "ui", module):
        path.chmod(0o555)  # as Go keeps its cache
    monkeypatch.setattr(
        golang, "module_folder", lambda name, _lock, _run: module if name == "example.com/web" else None
    )
    commands: list[tuple[list[str], Path]] = []

    def run(command: list[str], what: str, cwd: Path) -> str:
        commands.append((command, cwd))
        return ""

    with golang.source_of({"generated": ["ui/app/dist/index.html"]}, lock, run) as folder:
        ((command, where),) = commands
        assert where == folder != lock and (folder / "go.mod").read_text() == GO_MOD
        source = Path(command[3].removeprefix("-replace=example.com/web="))
        assert command[:3] == ["go", "mod", "edit"] and (source / "ui" / "web.go").read_text() == "package ui"
        assert (source / "ui" / "app" / "dist" / "index.html").read_bytes() == b""
    assert not source.exists() and not (module / "ui" / "app").exists()


def test_commands_of_its_own_are_added_to_a_copy_of_the_module(
    lock: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = tmp_path / "cache"
    (module / "cmd").mkdir(parents=True)
    monkeypatch.setattr(golang, "module_folder", lambda _name, _lock, _run: module)
    commands: list[list[str]] = []
    with golang.source_of(
        {"added": {"cmd/web/main.go": "package main"}}, lock, lambda command, **_more: commands.append(command)
    ):
        source = Path(commands[0][3].partition("=")[2].partition("=")[2])
        assert (source / "cmd" / "web" / "main.go").read_text() == "package main"
