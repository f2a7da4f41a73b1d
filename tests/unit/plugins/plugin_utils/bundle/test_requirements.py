# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from ansible_collections.slipway.kube.plugins.plugin_utils.bundle import golang, requirements
from ansible_collections.slipway.kube.plugins.plugin_utils.bundle.names import BundleError
from ansible_collections.slipway.kube.plugins.plugin_utils.bundle.process import Runner
from ansible_collections.slipway.kube.plugins.plugin_utils.bundle.request import BundleRequest
from ansible_collections.slipway.kube.plugins.plugin_utils.bundle.staleness import BuildStep
from ansible_collections.slipway.kube.plugins.plugin_utils.bundle.steps import steps_of

MOD = """\
module slipway.kube/bundle/x

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
TOOLS = ("go", "gcc", "dpkg-deb", "apt-ftparchive", "gpg", "gpgconf", "mmdebstrap", "zstd", "skopeo", "gpgv", "tar")


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
    return folder


def say_go(folder: Path, version: str, modules: Path, answers: bool = True) -> None:
    """A Go that tells its settings, and knows or does not know every module."""
    known = "exit 0" if answers else "echo 'dial tcp: no such host' >&2; exit 1"
    script = f'#!/bin/sh\nif [ "$1" = env ]; then printf "{version}\\n{modules}\\n{modules}\\nhttps://proxy.example\\n"; else {known}; fi\n'
    (folder / "go").write_text(script)


def problems(want: BundleRequest, files: Path, root: Path) -> requirements.Missing:
    return requirements.check(steps_of(want), root, files / "go", "amd64", Runner())


def test_all_is_there(want: BundleRequest, files: Path, tools: Path, tmp_path: Path) -> None:
    found = problems(want, files, tmp_path / "bundle")
    assert (found.packages, found.problems) == ([], [])


def test_missing_programs_are_told_with_their_packages(
    want: BundleRequest, files: Path, tools: Path, tmp_path: Path
) -> None:
    for tool in ("mmdebstrap", "apt-ftparchive", "gcc"):
        (tools / tool).unlink()
    found = problems(want, files, tmp_path / "bundle")
    assert sorted(found.packages) == ["apt-utils", "gcc", "mmdebstrap"]
    assert "mmdebstrap is not installed: apt-get install mmdebstrap." in found.problems


def test_missing_headers(
    want: BundleRequest, files: Path, tools: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(requirements, "FILES", {str(tmp_path / "seccomp.h"): "libseccomp-dev"})
    assert problems(want, files, tmp_path / "bundle").packages == ["libseccomp-dev"]


def test_no_go(want: BundleRequest, files: Path, tools: Path, tmp_path: Path) -> None:
    (tools / "go").unlink()
    assert (
        "Go is not installed: bundle_origin go_modules requires Go 1.26.4 or later in PATH (https://go.dev/dl/)."
        in problems(want, files, tmp_path).problems
    )


@pytest.mark.parametrize(
    ("version", "fits"),
    [("go1.26.8", True), ("go1.27.0", True), ("go1.26.4", True), ("go1.26.3", False), ("go1.19.8", False)],
)
def test_an_old_go(want: BundleRequest, files: Path, tools: Path, tmp_path: Path, version: str, fits: bool) -> None:
    say_go(tools, version, tmp_path)
    assert (not problems(want, files, tmp_path / "bundle").problems) is fits


def test_no_network_before_anything_starts(want: BundleRequest, files: Path, tools: Path, tmp_path: Path) -> None:
    say_go(tools, "go1.26.8", tmp_path, answers=False)
    (problem,) = problems(want, files, tmp_path / "bundle").problems
    assert problem.startswith(
        "Go modules cannot be fetched: querying https://proxy.example for k8s.io/kubernetes@v1.36.3 failed"
    )
    assert "no such host" in problem and "GOPROXY" in problem


def test_no_network_is_needed_for_what_is_cached(want: BundleRequest, files: Path, tools: Path, tmp_path: Path) -> None:
    say_go(tools, "go1.26.8", tmp_path, answers=False)
    for component in want.locks:
        module, version = golang.origin_of((files / "go" / component / "go.mod").read_text()).split("@")
        archive = tmp_path / "cache/download" / module / "@v" / f"{version}.zip"
        archive.parent.mkdir(parents=True, exist_ok=True)
        archive.touch()
    assert problems(want, files, tmp_path / "bundle").problems == []


def test_a_full_disk_is_seen_before_anything_starts(
    want: BundleRequest, files: Path, tools: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10**12, 10**12, 10**9))  # type: ignore[attr-defined]
    (problem,) = problems(want, files, tmp_path / "bundle").problems
    assert "1000 MB free" in problem and "Go's build cache" in problem and "SLIPWAY_CACHE" in problem


def test_an_archive_that_is_gone(want: BundleRequest, files: Path, tools: Path, tmp_path: Path) -> None:
    step = BuildStep(
        "image:x",
        "copy_image",
        "taking",
        {"name": "quay.io/a/b:1"},
        hints={"source": "docker-archive:x", "file": str(tmp_path / "gone.tar")},
    )
    (problem,) = requirements.check([step], tmp_path / "bundle", files / "go", "amd64", Runner()).problems
    assert problem.startswith("quay.io/a/b:1 must be copied again from") and "bundle_prune" in problem


def test_upstream_that_does_not_answer(want: BundleRequest, files: Path, tools: Path, tmp_path: Path) -> None:
    step = BuildStep(
        "image:x", "copy_image", "fetching", {"name": "127.0.0.1:9/a:1"}, hints={"source": "docker://127.0.0.1:9/a:1"}
    )
    (problem,) = requirements.check([step], tmp_path / "bundle", files / "go", "amd64", Runner()).problems
    assert problem.startswith("https://127.0.0.1:9/ cannot be reached") and "go_modules" in problem


def test_a_program_beside_upstreams_parts_needs_go_and_the_connection(
    want: BundleRequest, files: Path, tools: Path, tmp_path: Path
) -> None:
    want.programs = {"helm": "4.3.1"}
    build = next(step for step in steps_of(want) if step.key == "build:helm-4.3.1")
    image = BuildStep(
        "image:x", "copy_image", "fetching", {"name": "127.0.0.1:9/a:1"}, hints={"source": "docker://127.0.0.1:9/a:1"}
    )
    (tools / "go").unlink()
    found = requirements.check([build, image], tmp_path / "bundle", files / "go", "amd64", Runner()).problems
    assert [text.split()[0] for text in found] == ["Go", "https://127.0.0.1:9/"]


def test_upstream_needs_no_compiler(want: BundleRequest) -> None:
    want.origin = "upstream"
    assert requirements.programs_for(steps_of(want), "amd64") == ["apt-ftparchive", "gpg", "gpgconf", "gpgv", "skopeo"]


def test_a_foreign_architecture_needs_its_compiler(want: BundleRequest) -> None:
    assert "gcc" in requirements.programs_for(steps_of(want), "amd64")
    assert "x86_64-linux-gnu-gcc" in requirements.programs_for(steps_of(want), "arm64")


def test_room_is_added_up_and_caches_count(want: BundleRequest) -> None:
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
    assert golang.origin_of("module x\n\ntool b.example/y\n\nrequire b.example/y v2.0.0\n") == "b.example/y@v2.0.0"


def test_how_programs_are_built(want: BundleRequest) -> None:
    runc = next(step.inputs for step in steps_of(want) if step.key == "build:runc-1.3.4")
    command = golang.build_command(runc, Path("/w"))
    assert command[:2] == ["go", "build"] and command[-3:] == ["-o", "/w/", "tool"]
    assert {"-mod=readonly", "-trimpath"} <= set(command)
    assert command[command.index("-tags") + 1] == "seccomp,netgo,osusergo"
    environment = golang.build_environment(runc)
    assert (environment["GOTOOLCHAIN"], environment["CGO_ENABLED"], environment["GOARCH"]) == ("local", "1", "amd64")


def test_a_build_that_leaves_a_program_out(want: BundleRequest, files: Path, tools: Path, tmp_path: Path) -> None:
    runc = next(step.inputs for step in steps_of(want) if step.key == "build:runc-1.3.4")
    with pytest.raises(BundleError, match="did not produce runc"):
        golang.build(runc, files / "go" / "runc-1.3.4", tmp_path, Runner())


def test_a_build_that_fails_tells_why(want: BundleRequest, files: Path, tools: Path, tmp_path: Path) -> None:
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


def test_runner_returns_output_and_tells_of_failures(tmp_path: Path) -> None:
    run = Runner()
    assert run(["sh", "-c", "cat; echo err >&2"], what="echoing", stdin=b"in") == "in"
    assert (
        run(["sh", "-c", 'echo "$SOURCE_DATE_EPOCH $MINE"; pwd'], what="x", env={"MINE": "1"}, cwd=tmp_path)
        == f"1767225600 1\n{tmp_path}\n"
    )
    with pytest.raises(BundleError, match=r"(?s)digging failed: `sh -c .*exited with status 3:\nno spade\nBuy one\."):
        run(["sh", "-c", "echo no spade >&2; exit 3"], what="digging", remedy="Buy one.")
    with pytest.raises(BundleError, match="digging failed: no-such-program is not installed"):
        run(["no-such-program"], what="digging")


def test_runner_says_how_far_it_is_and_when_enough_is_enough() -> None:
    said: list[str] = []
    with pytest.raises(BundleError, match="killed after 0 seconds"):
        Runner(said.append, interval=0.05)(
            ["sh", "-c", "echo a >&2; exec sleep 30"],
            what="waiting",
            timeout=0.3,
            progress=lambda lines: f"{lines} done",
        )
    assert "1 done" in said


def test_a_program_does_not_outlive_the_run(tmp_path: Path) -> None:
    """A worker that is killed takes what it started along."""
    pid_file = tmp_path / "pid"
    child = os.fork()
    if child == 0:
        try:
            Runner()(["sh", "-c", f"echo $$ > {pid_file}; exec sleep 60"], what="sleeping")
        finally:
            os._exit(1)
    for _attempt in range(200):
        if pid_file.exists() and pid_file.read_text().strip():
            break
        os.sched_yield()
        import time

        time.sleep(0.05)
    os.kill(child, 9)
    os.waitpid(child, 0)
    program = int(pid_file.read_text())
    for _attempt in range(100):
        state = Path(f"/proc/{program}/stat")
        if not state.exists() or state.read_text().split()[2] == "Z":
            return
        time.sleep(0.05)
    os.kill(program, 9)
    pytest.fail("the program is still running")
