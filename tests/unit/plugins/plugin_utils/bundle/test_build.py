# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A whole life of a bundle, of parts that need no compiler: manifests and variables."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.slipway.kube.plugins.plugin_utils.bundle import build, pack
from ansible_collections.slipway.kube.plugins.plugin_utils.bundle import index as index_file
from ansible_collections.slipway.kube.plugins.plugin_utils.bundle.executors import BundleExecutor
from ansible_collections.slipway.kube.plugins.plugin_utils.bundle.files import sha256_of
from ansible_collections.slipway.kube.plugins.plugin_utils.bundle.index import Index
from ansible_collections.slipway.kube.plugins.plugin_utils.bundle.names import BundleError
from ansible_collections.slipway.kube.plugins.plugin_utils.bundle.process import Runner
from ansible_collections.slipway.kube.plugins.plugin_utils.bundle.staleness import BuildStep
from ansible_collections.slipway.kube.plugins.plugin_utils.bundle.steps import manifest_step
from ansible_collections.slipway.kube.plugins.plugin_utils.bundle.upstream import BundledManifest

ABOUT = Index("amd64", ["1.36.3"])


class Site:
    """A bundle of two manifests and its variables."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.root = folder / "cache" / "bundle"
        self.texts = {"a/one.yaml": "one", "b/two.yaml": "two"}
        self.started: list[str] = []

    def executor(self) -> BundleExecutor:
        cache = self.root.parent
        return BundleExecutor(self.root, cache / "work", cache / "key", Runner(), dump=str)

    def steps(self) -> list[BuildStep]:
        steps = []
        for target, text in self.texts.items():
            source = self.folder / target.replace("/", "-")
            source.write_text(text)
            steps.append(manifest_step(BundledManifest(target, str(source), sha256_of(source))))
        return [*steps, BuildStep("vars", "vars", "writing", {"values": sorted(self.texts)})]

    def inspect(self) -> build.Inspection:
        return build.inspect(self.steps(), index_file.load(self.root), self.executor())

    def make(self, end_at: str = "") -> build.BuildResult:
        """Make the bundle; the run is ended as by a kill when the step *end_at* starts."""
        executor = self.executor()
        found = build.inspect(self.steps(), index_file.load(self.root), executor)

        def start(number: int, total: int, step: BuildStep) -> None:
            self.started.append(step.key)
            if step.key == end_at:
                raise KeyboardInterrupt

        return build.build(found, executor, ABOUT, start, lambda step, seconds: None)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def test_made_once_and_then_left_alone(site: Site) -> None:
    assert site.make().changed
    assert site.started == ["manifest:a/one.yaml", "manifest:b/two.yaml", "vars"]
    before = {path: path.stat().st_mtime_ns for path in site.root.rglob("*")}
    assert not site.make().changed
    assert {path: path.stat().st_mtime_ns for path in site.root.rglob("*")} == before
    assert not (site.root.parent / "work").exists()


def test_a_run_that_was_ended_is_gone_on_from(site: Site) -> None:
    with pytest.raises(KeyboardInterrupt):
        site.make(end_at="manifest:b/two.yaml")
    assert not (site.root / "bundle.json").exists()
    with pytest.raises(BundleError, match="contains no finished bundle"):
        build.verify(site.root)
    assert site.inspect().interrupted
    site.started.clear()
    assert site.make().changed
    assert site.started == ["manifest:b/two.yaml", "vars"]
    assert build.verify(site.root)[1] == []
    assert not site.make().changed


def test_what_a_killed_run_left_half_written_goes(site: Site) -> None:
    site.make()
    half = site.root / "manifests" / "a" / ".one.yaml.part"
    half.write_text("on")
    (site.root.parent / "work" / ".part-x").mkdir(parents=True)
    assert site.make().changed
    assert not half.exists()
    assert not (site.root.parent / "work").exists()


def test_corrupt_and_missing_files_are_named_and_made_again(site: Site) -> None:
    site.make()
    (site.root / "manifests/a/one.yaml").write_text("eno")  # of the same size
    (site.root / "manifests/b/two.yaml").unlink()
    _index, broken = build.verify(site.root)
    assert len(broken) == 2
    assert broken[0].startswith("manifests/a/one.yaml is corrupt: sha256:")
    assert broken[1] == "manifests/b/two.yaml is missing (part of b/two.yaml)"
    site.started.clear()
    assert site.make().changed
    assert site.started == ["manifest:a/one.yaml", "manifest:b/two.yaml"]
    assert (site.root / "manifests/a/one.yaml").read_text() == "one"


def test_a_corrupt_file_is_still_known_after_a_killed_repair(site: Site) -> None:
    site.make()
    (site.root / "manifests/a/one.yaml").write_text("eno")
    with pytest.raises(KeyboardInterrupt):
        site.make(end_at="manifest:a/one.yaml")
    assert [step.key for step in site.inspect().pending.steps] == ["manifest:a/one.yaml"]
    site.make()
    assert build.verify(site.root)[1] == []


def test_a_failed_step_keeps_what_was_done(site: Site) -> None:
    steps = site.steps()
    (site.folder / "b-two.yaml").unlink()
    executor = site.executor()
    with pytest.raises(BundleError, match=r"copying manifest b/two\.yaml failed: No such file"):
        build.build(build.inspect(steps, Index(), executor), executor, ABOUT, lambda *_: None, lambda *_: None)
    site.started.clear()
    site.make()
    assert site.started == ["manifest:b/two.yaml", "vars"]


def test_what_is_no_longer_wanted_goes_with_its_folders(site: Site) -> None:
    site.make()
    del site.texts["b/two.yaml"]
    assert site.inspect().pending.remove == ["manifests/b/two.yaml"]
    assert site.make().changed
    assert not (site.root / "manifests" / "b").exists()
    assert "manifests/b/two.yaml" not in index_file.load(site.root).files


def test_own_files_beside_the_bundle_stay(site: Site) -> None:
    site.make()
    (site.root / "index.html").write_text("mine")
    assert not site.make().changed
    assert build.remove(site.root, dry_run=True)
    assert (site.root / "bundle.json").exists()
    assert build.remove(site.root, dry_run=False)
    assert [path.name for path in site.root.iterdir()] == ["index.html"]
    assert not build.remove(site.root, dry_run=False)


def test_a_folder_that_is_no_bundle_is_not_removed(tmp_path: Path) -> None:
    (tmp_path / "v2").mkdir()
    with pytest.raises(BundleError, match="may not be a bundle"):
        build.remove(tmp_path, dry_run=False)


def test_one_run_at_a_time(tmp_path: Path) -> None:
    with (
        build.exclusive(tmp_path / "lock"),
        pytest.raises(BundleError, match=r"Another run \(process \d+\)"),
        build.exclusive(tmp_path / "lock"),
    ):
        pass
    with build.exclusive(tmp_path / "lock"):
        pass


@pytest.mark.parametrize("ending", ["tar.gz", "tar.zst"])
def test_one_file_and_back(site: Site, tmp_path: Path, ending: str) -> None:
    site.make()
    archive, copy = tmp_path / f"bundle.{ending}", tmp_path / "elsewhere" / "bundle"
    assert pack.would_pack(site.root, archive)
    assert pack.pack(site.root, archive, Runner())
    assert not pack.pack(site.root, archive, Runner())
    assert (tmp_path / f"bundle.{ending}.sha256").read_text() == f"{sha256_of(archive)[7:]}  bundle.{ending}\n"
    assert pack.would_unpack(archive, copy)
    assert pack.unpack(archive, copy, Runner())
    assert not pack.unpack(archive, copy, Runner())
    assert (copy / "bundle.json").read_text() == (site.root / "bundle.json").read_text()
    (copy / "vars.yml").write_text("?")
    assert pack.unpack(archive, copy, Runner())
    site.texts["c/three.yaml"] = "three"
    site.make()
    assert pack.pack(site.root, archive, Runner())


def test_a_bundle_that_is_not_whole_is_not_packed(site: Site, tmp_path: Path) -> None:
    site.make()
    (site.root / "vars.yml").unlink()
    with pytest.raises(BundleError, match=r"vars\.yml is missing"):
        pack.pack(site.root, tmp_path / "b.tar.gz", Runner())
    assert not (tmp_path / "b.tar.gz").exists()


def test_a_damaged_archive_changes_nothing(site: Site, tmp_path: Path) -> None:
    site.make()
    archive = tmp_path / "b.tar.gz"
    pack.pack(site.root, archive, Runner())
    (site.root / "vars.yml").write_text("mine")
    content = bytearray(archive.read_bytes())
    content[-12] ^= 255
    archive.write_bytes(content)
    with pytest.raises(BundleError, match="unpacking"):
        pack.unpack(archive, site.root, Runner())
    assert (site.root / "vars.yml").read_text() == "mine"
    assert sorted(path.name for path in site.root.parent.iterdir()) == ["bundle"]


def test_an_archive_that_lies_about_its_content_is_refused(site: Site, tmp_path: Path) -> None:
    site.make()
    (site.root / "vars.yml").write_text("altered")
    archive = tmp_path / "b.tar.gz"
    Runner()(
        ["tar", "-C", str(site.root), "-czf", str(archive), "bundle.json", "vars.yml", "manifests"], what="packing"
    )
    with pytest.raises(BundleError, match=r"(?s)is damaged.*vars\.yml is corrupt"):
        pack.unpack(archive, tmp_path / "copy", Runner())
    assert not (tmp_path / "copy").exists()


@pytest.mark.parametrize(
    ("name", "told"), [("b.zip", "must end in"), ("none.tar.gz", "does not exist"), ("text.tar.gz", "is not a bundle")]
)
def test_what_is_no_bundle_is_not_unpacked(tmp_path: Path, name: str, told: str) -> None:
    (tmp_path / "text.tar.gz").write_text("hello")
    with pytest.raises(BundleError, match=told):
        pack.unpack(tmp_path / name, tmp_path / "bundle", Runner())


def test_unpacking_spares_a_folder_of_other_things(site: Site, tmp_path: Path) -> None:
    site.make()
    pack.pack(site.root, tmp_path / "b.tar.gz", Runner())
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "cat").write_text("meow")
    with pytest.raises(BundleError, match="does not contain a bundle"):
        pack.unpack(tmp_path / "b.tar.gz", tmp_path / "photos", Runner())
    assert (tmp_path / "photos" / "cat").exists()


@pytest.mark.parametrize("text", ["", "{}", '{"format": 2}', "[1]", '{"format": 1, "origin": "x"}'])
def test_a_damaged_index_is_said(tmp_path: Path, text: str) -> None:
    (tmp_path / "bundle.json").write_text(text)
    with pytest.raises(BundleError, match=r"bundle\.json"):
        index_file.load(tmp_path)
