# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from ansible_collections.slipway.kube.plugins.plugin_utils.bundle.names import BundleError
from ansible_collections.slipway.kube.plugins.plugin_utils.bundle.process import Runner
from ansible_collections.slipway.kube.plugins.plugin_utils.bundle.staleness import BuildStep
from origin import golang, requirements
from origin.request import OriginRequest
from origin.steps import steps_of

MOD = """\
module slipway.kube/origin/x

go 1.26.4

replace a.example/z => a.example/z v1.0.0

tool (
\ta.example/Big/thing/cmd/one
\ta.example/Big/thing/cmd/two
)

require (
\ta.example/Big v0.1.0 // indirect
\ta.example/Big/thing v1.2.3 // indirect
)
"""
TOOLS = ("go", "gcc", "dpkg-deb", "apt-ftparchive", "gpg", "gpgconf", "mmdebstrap", "zstd", "skopeo")


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A PATH of stand-ins that a test can take away from."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for tool in TOOLS:
        (folder / tool).write_text("#!/bin/sh\n")
        (folder / tool).chmod(0o755)
    say_go(folder, "go1.26.8", tmp_path / "modules")
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setattr(requirements, "FILES", {})
    leave_free(monkeypatch, 10**12)
    return folder


def leave_free(monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    """Let every disk have so many bytes free."""
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(2 * size, size, size))  # type: ignore[attr-defined]


def say_go(folder: Path, version: str, modules: Path, answers: bool = True) -> None:
    """A Go that tells its settings, and knows or does not know every module."""
    known = "exit 0" if answers else "echo 'dial tcp: no such host' >&2; exit 1"
    script = f'#!/bin/sh\nif [ "$1" = env ]; then printf "{version}\\n{modules}\\n{modules}\\nhttps://proxy.example\\n"; else {known}; fi\n'
    (folder / "go").write_text(script)


def problems(want: OriginRequest, files: Path, root: Path) -> requirements.Missing:
    return requirements.check(steps_of(want), root, files / "go", "amd64", Runner())


def test_all_is_there(want: OriginRequest, files: Path, tools: Path, tmp_path: Path) -> None:
    found = problems(want, files, tmp_path / "bundle")
    assert (found.packages, found.problems) == ([], [])


def test_missing_programs_are_told_with_their_packages(
    want: OriginRequest, files: Path, tools: Path, tmp_path: Path
) -> None:
    for tool in ("mmdebstrap", "apt-ftparchive", "gcc"):
        (tools / tool).unlink()
    found = problems(want, files, tmp_path / "bundle")
    assert sorted(found.packages) == ["apt-utils", "gcc", "mmdebstrap"]
    assert "mmdebstrap is not installed: apt-get install mmdebstrap." in found.problems


def test_missing_headers(
    want: OriginRequest, files: Path, tools: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(requirements, "FILES", {str(tmp_path / "seccomp.h"): "libseccomp-dev"})
    assert problems(want, files, tmp_path / "bundle").packages == ["libseccomp-dev"]


def test_no_go(want: OriginRequest, files: Path, tools: Path, tmp_path: Path) -> None:
    (tools / "go").unlink()
    assert problems(want, files, tmp_path).problems == [
        "Go is not installed: Go 1.26.6 or later must be in PATH (https://go.dev/dl/)."
    ]


@pytest.mark.parametrize(
    ("version", "fits"),
    [("go1.26.8", True), ("go1.27.0", True), ("go1.26.6", True), ("go1.26.5", False), ("go1.19.8", False)],
)
def test_an_old_go(want: OriginRequest, files: Path, tools: Path, tmp_path: Path, version: str, fits: bool) -> None:
    say_go(tools, version, tmp_path)
    assert (not problems(want, files, tmp_path / "bundle").problems) is fits


def test_no_network_before_anything_starts(want: OriginRequest, files: Path, tools: Path, tmp_path: Path) -> None:
    say_go(tools, "go1.26.8", tmp_path, answers=False)
    (problem,) = problems(want, files, tmp_path / "bundle").problems
    assert problem.startswith(
        "Go modules cannot be fetched: querying https://proxy.example for k8s.io/kubernetes@v1.36.3 failed"
    )
    assert "no such host" in problem and "GOPROXY" in problem


def test_no_network_is_needed_for_what_is_cached(want: OriginRequest, files: Path, tools: Path, tmp_path: Path) -> None:
    say_go(tools, "go1.26.8", tmp_path, answers=False)
    for component in want.locks:
        module, version = golang.origin_of((files / "go" / component / "go.mod").read_text()).split("@")
        # https://go.dev/ref/mod#module-cache: capitals are escaped.
        module = "".join(f"!{letter.lower()}" if letter.isupper() else letter for letter in module)
        archive = tmp_path / "cache/download" / module / "@v" / f"{version}.zip"
        archive.parent.mkdir(parents=True, exist_ok=True)
        archive.touch()
    assert problems(want, files, tmp_path / "bundle").problems == []


def test_a_full_disk_is_seen_before_anything_starts(
    want: OriginRequest, files: Path, tools: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    leave_free(monkeypatch, 10**9)
    (problem,) = problems(want, files, tmp_path / "bundle").problems
    assert "1000 MB free" in problem and "Go's build cache" in problem and "SLIPWAY_CACHE" in problem


def test_an_archive_that_is_gone(want: OriginRequest, files: Path, tools: Path, tmp_path: Path) -> None:
    step = BuildStep(
        "image:x",
        "copy_image",
        "taking",
        {"name": "quay.io/a/b:1"},
        hints={"source": "docker-archive:x", "file": str(tmp_path / "gone.tar")},
    )
    (problem,) = requirements.check([step], tmp_path / "bundle", files / "go", "amd64", Runner()).problems
    assert problem.startswith("quay.io/a/b:1 must be copied again from") and "--prune" in problem


def test_a_foreign_architecture_needs_its_compiler(want: OriginRequest) -> None:
    assert "gcc" in requirements.programs_for(steps_of(want), "amd64")
    assert "x86_64-linux-gnu-gcc" in requirements.programs_for(steps_of(want), "arm64")


def test_rpms_need_their_own_programs(want: OriginRequest) -> None:
    rpm = {"rpmbuild", "rpmsign", "createrepo_c"}
    assert not rpm & set(requirements.programs_for(steps_of(want), "amd64"))
    want.rpm = True
    assert rpm < set(requirements.programs_for(steps_of(want), "amd64"))


def test_room_is_added_up_and_caches_count(want: OriginRequest) -> None:
    steps = steps_of(want)
    bundle, work, go = requirements.room_for(steps)
    assert bundle > 300 and work > 1000 and go > 5000
    cached = [step.key for step in steps if step.kind == "go_build"]
    assert requirements.room_for(steps, cached) == (bundle, work, 0)
    assert requirements.room_for([]) == (0, 0, 0)


def test_what_a_go_mod_says() -> None:
    assert golang.needed_go(MOD) == (1, 26, 4)
    assert golang.modules_of(MOD)["a.example/Big/thing"] == "v1.2.3"
    assert golang.origin_of(MOD) == "a.example/Big/thing@v1.2.3"
    assert golang.origin_of("module x\n\nrequire b.example/y v2.0.0 // indirect\n") == "b.example/y@v2.0.0"
    assert golang.origin_of("module x\n\ntool b.example/y\n\nrequire b.example/y v2.0.0\n") == "b.example/y@v2.0.0"


def test_how_programs_are_built(want: OriginRequest) -> None:
    runc = next(step.inputs for step in steps_of(want) if step.key == "build:runc-1.3.4")
    command = golang.build_command(runc, Path("/w"))
    assert command[:2] == ["go", "build"] and command[-3:] == ["-o", "/w/", "tool"]
    assert {"-mod=readonly", "-trimpath"} <= set(command)
    assert command[command.index("-tags") + 1] == "seccomp,netgo,osusergo"
    environment = golang.build_environment(runc)
    assert (environment["GOTOOLCHAIN"], environment["CGO_ENABLED"], environment["GOARCH"]) == ("local", "1", "amd64")


def test_a_build_that_leaves_a_program_out(want: OriginRequest, files: Path, tools: Path, tmp_path: Path) -> None:
    runc = next(step.inputs for step in steps_of(want) if step.key == "build:runc-1.3.4")
    with pytest.raises(BundleError, match="did not produce runc"):
        golang.build(runc, files / "go" / "runc-1.3.4", tmp_path, Runner())


def test_a_build_that_fails_tells_why(want: OriginRequest, files: Path, tools: Path, tmp_path: Path) -> None:
    say_go(tools, "go1.26.8", tmp_path, answers=False)
    runc = next(step.inputs for step in steps_of(want) if step.key == "build:runc-1.3.4")
    with pytest.raises(
        BundleError, match=r"(?s)building runc 1\.3\.4 failed: .*dial tcp: no such host.*The next run resumes here"
    ):
        golang.build(runc, files / "go" / "runc-1.3.4", tmp_path, Runner())


def test_locks_are_read_in_pairs(tmp_path: Path) -> None:
    (tmp_path / "a-1").mkdir()
    (tmp_path / "a-1" / "go.mod").write_text("module a")
    assert golang.read_locks(tmp_path) == {}
    (tmp_path / "a-1" / "go.sum").write_text("")
    first = golang.read_locks(tmp_path)
    (tmp_path / "a-1" / "go.sum").write_text("b v1.0.0 h1:x=\n")
    assert list(first) == ["a-1"] and golang.read_locks(tmp_path) != first
