# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from ansible_collections.slipway.kube.plugins.plugin_utils.bundle import requirements
from ansible_collections.slipway.kube.plugins.plugin_utils.bundle.fetch import Source
from ansible_collections.slipway.kube.plugins.plugin_utils.bundle.names import BundleError
from ansible_collections.slipway.kube.plugins.plugin_utils.bundle.request import BundleRequest
from ansible_collections.slipway.kube.plugins.plugin_utils.bundle.staleness import BuildStep
from ansible_collections.slipway.kube.plugins.plugin_utils.bundle.steps import steps_of

IMAGE = BuildStep(
    "image:x", "copy_image", "fetching", {"name": "127.0.0.1:9/a:1"}, hints={"source": "docker://127.0.0.1:9/a:1"}
)


class Everything(Source):
    """A source that has everything."""

    def open(self, url: str, method: str = "GET", timeout: float = 0) -> object:
        return open("/dev/null", "rb")

    def unavailable(self, steps: list[BuildStep]) -> list[str]:
        return []


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A PATH of stand-ins that a test can take away from."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for tool in ("apt-ftparchive", "createrepo_c", "gpg", "gpgconf", "gpgv", "skopeo"):
        (folder / tool).write_text("#!/bin/sh\n")
        (folder / tool).chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))
    return folder


def check(want: BundleRequest, root: Path) -> requirements.Missing:
    return requirements.check(steps_of(want), root, Everything(ca=want.ca))


def test_nothing_is_missing(want: BundleRequest, tools: Path, tmp_path: Path) -> None:
    found = check(want, tmp_path / "bundle")
    assert (found.packages, found.problems) == ([], [])


def test_missing_programs_are_told_with_their_packages(want: BundleRequest, tools: Path, tmp_path: Path) -> None:
    for tool in ("skopeo", "apt-ftparchive", "createrepo_c"):
        (tools / tool).unlink()
    assert sorted(check(want, tmp_path / "bundle").packages) == ["apt-utils", "skopeo"]
    want.package_formats = ["deb", "rpm"]
    found = check(want, tmp_path / "bundle")
    assert sorted(found.packages) == ["apt-utils", "createrepo-c", "skopeo"]
    assert "skopeo is not installed: apt-get install skopeo." in found.problems


def test_a_full_disk_is_seen_before_anything_starts(
    want: BundleRequest, tools: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10**12, 10**12, 10**9))  # type: ignore[attr-defined]
    (problem,) = check(want, tmp_path / "bundle").problems
    assert "1000 MB free" in problem and "SLIPWAY_CACHE" in problem


def test_an_archive_that_is_gone(tools: Path, tmp_path: Path) -> None:
    hints = {"source": "docker-archive:x", "file": str(tmp_path / "gone.tar")}
    step = BuildStep("image:x", "copy_image", "taking", {"name": "quay.io/a/b:1"}, hints=hints)
    (problem,) = requirements.check([step], tmp_path / "bundle", Everything()).problems
    assert problem.startswith("quay.io/a/b:1 must be copied again from") and "bundle_prune" in problem


def test_a_ca_that_is_not_there(want: BundleRequest, tools: Path, tmp_path: Path) -> None:
    want.ca = str(tmp_path / "ca.crt")
    (problem,) = check(want, tmp_path / "bundle").problems
    assert problem == f"The CA file {want.ca} does not exist. Correct bundle_ca."


def test_a_server_that_does_not_answer(tools: Path, tmp_path: Path) -> None:
    other = BuildStep("program:x", "fetch_program", "fetching", {"url": "http://127.0.0.1:7/x"})
    (problem,) = requirements.check([IMAGE, other], tmp_path / "bundle", Source()).problems
    assert problem.startswith("https://127.0.0.1:9/ cannot be reached") and "bundle_registries" in problem
    assert "http://127.0.0.1:7/ cannot be reached" in problem


def test_images_that_a_registry_lacks_are_all_told(tools: Path, tmp_path: Path) -> None:
    said = 'time="x" level=fatal msg="reading manifest: %s"'
    cases = f"*:1) exit 0 ;; *:4) echo '{said % 'unauthorized'}' >&2 ;; *) echo '{said % 'manifest unknown'}' >&2 ;;"
    script = f"for last; do :; done; case $last in {cases} esac; exit 1"
    (tools / "skopeo").write_text(f"#!/bin/sh\n{script}\n")
    steps = [
        BuildStep(name, "copy_image", "fetching", {"name": name}, hints={"source": f"docker://{name}"})
        for name in ("quay.io/a:1", "quay.io/b:2", "quay.io/c:3", "quay.io/d:4")
    ]
    assert Source().unavailable(steps) == [
        "The registry has no image quay.io/b:2.",
        "The registry has no image quay.io/c:3.",
        "The image quay.io/d:4 cannot be read from quay.io/d:4: reading manifest: unauthorized",
    ]


def test_a_machine_of_another_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requirements.platform, "machine", lambda: "aarch64")
    assert requirements.architecture() == "arm64"
    monkeypatch.setattr(requirements.platform, "machine", lambda: "riscv64")
    with pytest.raises(BundleError, match="riscv64"):
        requirements.architecture()
