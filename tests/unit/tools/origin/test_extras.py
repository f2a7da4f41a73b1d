# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a bundle holds beside a cluster: programs for the control node and images of Debian packages."""

from __future__ import annotations

import copy
import json
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest

from ansible_collections.slipway.kube.plugins.plugin_utils.bundle import build, images
from ansible_collections.slipway.kube.plugins.plugin_utils.bundle import index as index_file
from ansible_collections.slipway.kube.plugins.plugin_utils.bundle.executors import StepExecutor
from ansible_collections.slipway.kube.plugins.plugin_utils.bundle.index import Index
from ansible_collections.slipway.kube.plugins.plugin_utils.bundle.names import BundleError
from ansible_collections.slipway.kube.plugins.plugin_utils.bundle.process import Runner
from ansible_collections.slipway.kube.plugins.plugin_utils.bundle.request import BundleRequest, carry_over, describe
from ansible_collections.slipway.kube.plugins.plugin_utils.bundle.requirements import programs_for, room_for
from ansible_collections.slipway.kube.plugins.plugin_utils.bundle.staleness import BuildStep, fingerprints
from ansible_collections.slipway.kube.plugins.plugin_utils.bundle.steps import image_names, steps_of

POSTGRES = "docker.io/library/postgres:15-bookworm"


@pytest.fixture
def more(want: BundleRequest, defaults: dict, files: Path) -> BundleRequest:
    """A bundle with everything that can be added."""
    versions = defaults["bundle_program_versions"]
    added = copy.deepcopy(want)
    added.programs = {"helm": versions["helm"], "kubectl": "", "kwok": versions["kwok"]}
    added.debian_images = ["postgres:15-bookworm"]
    added.texts["postgres-entrypoint.sh"] = (files / "postgres-entrypoint.sh").read_text(encoding="utf-8")
    return added


def step(want: BundleRequest, key: str) -> BuildStep:
    """A step by its key."""
    return next(one for one in steps_of(want) if one.key == key)


def test_additions_change_no_part_of_the_cluster(want: BundleRequest, more: BundleRequest) -> None:
    before, after = fingerprints(steps_of(want)), fingerprints(steps_of(more))
    assert {key for key in before if before[key] != after[key]} <= {"vars"}
    assert {key for key in set(after) - set(before) if not key.startswith("tools:")} == {
        "build:helm-4.3.1",
        "build:kwok-0.8.0",
        "image:" + POSTGRES,
        "program:helm",
        "program:kubectl",
        "program:kwok",
    }
    assert describe(want).brought == {"archives": [], "manifests": []}, "a bundle without additions stays as it was"


def test_kubectl_is_the_one_of_the_clusters_version(more: BundleRequest) -> None:
    more.kubernetes_versions = ["1.35.4", "1.36.3"]
    kubectl = step(more, "program:kubectl")
    assert kubectl.inputs["version"] == "1.35.4"
    assert kubectl.after == ("package:deb/kubernetes/v1.35/kubectl_1.35.4-1.1",)
    more.origin = "upstream"
    assert step(more, "program:kubectl").after == kubectl.after


def test_programs_are_built_whatever_the_origin_is(more: BundleRequest) -> None:
    more.origin = "upstream"
    kinds = {one.key: one.kind for one in steps_of(more)}
    assert kinds["build:helm-4.3.1"] == "go_build" and kinds["program:helm"] == "program"
    assert kinds["image:" + POSTGRES] == "copy_image"


def test_the_programs_version_is_stamped(more: BundleRequest) -> None:
    assert step(more, "build:helm-4.3.1").inputs["ldflags"].endswith("helm.sh/helm/v4/internal/version.version=v4.3.1")
    assert step(more, "build:kwok-0.8.0").inputs["ldflags"].endswith("sigs.k8s.io/kwok/pkg/consts.Version=v0.8.0")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"programs": {"hlem": ""}}, r"lists 'hlem'.*one of kubectl, helm, kwok\. Did you mean helm\?"),
        ({"programs": {"helm": ""}}, "no version of helm"),
        ({"programs": {"helm": "3.0.0"}}, r"helm 3\.0\.0 cannot be built.*it has helm-4\.3\.1"),
        ({"debian_images": ["mysql:8"]}, "there is no recipe"),
        ({"debian_images": ["postgres:15.3"]}, "such as 15-bookworm"),
        ({"debian_images": ["postgres"]}, "such as 15-bookworm"),
        ({"debian_images": ["postgres:17-trixie"]}, "such as 15-bookworm"),
        ({"debian_images": ["Post gres"]}, "is not a valid image name"),
    ],
)
def test_what_cannot_be_added_is_refused(more: BundleRequest, change: dict, told: str) -> None:
    for name, value in change.items():
        setattr(more, name, value)
    with pytest.raises(BundleError, match=told):
        steps_of(more)


def test_additions_of_an_earlier_run_stay(want: BundleRequest, more: BundleRequest) -> None:
    earlier = describe(more)
    carry_over(want, earlier)
    assert want.programs == more.programs and want.debian_images == more.debian_images
    want.programs["helm"] = "5.0.0"
    carry_over(want, earlier)
    assert want.programs["helm"] == "5.0.0" and want.debian_images == more.debian_images
    again = Index.from_text(json.dumps({**json.loads(earlier.to_text()), "format": 1}), "bundle.json")
    assert again.brought == earlier.brought


def test_the_database_image_is_made_of_debian_packages(more: BundleRequest) -> None:
    made = step(more, "image:" + POSTGRES)
    assert POSTGRES in image_names(steps_of(more))
    assert made.inputs["programs"] == [] and made.inputs["stop_signal"] == "SIGINT"
    assert made.inputs["environment"]["PATH"].startswith("/usr/lib/postgresql/15/bin:")
    ((path, mode, text),) = made.inputs["texts"]
    assert [path] == made.inputs["entrypoint"] and mode == 0o755 and text.startswith("#!/bin/sh\n")
    (layer,) = [one for one in steps_of(more) if one.key == made.inputs["tools"]]
    assert layer.inputs["packages"][0] == "postgresql-15" and "usr/lib/*/libLLVM*" in layer.inputs["left_out"]
    before = fingerprints(steps_of(more))
    more.texts["postgres-entrypoint.sh"] += "\n"
    changed = fingerprints(steps_of(more))
    assert {key for key in before if before[key] != changed[key]} == {"image:" + POSTGRES}


def test_what_the_work_needs(more: BundleRequest) -> None:
    found = [one for one in steps_of(more) if one.key.startswith("program:")]
    assert programs_for(found, "amd64") == ["dpkg-deb"]
    assert room_for(found)[0] == 180
    assert room_for([step(more, "build:helm-4.3.1")])[2] > 1000


def test_an_image_says_its_environment_and_how_it_is_stopped() -> None:
    config = json.loads(images.image_config("amd64", [], {}, environment={"A": "b"}, stop_signal="SIGINT"))["config"]
    assert config["Env"] == ["PATH=" + images.PATH, "A=b"] and config["StopSignal"] == "SIGINT"
    own = json.loads(images.image_config("amd64", [], {}, environment={"PATH": "/x"}))["config"]
    assert own["Env"] == ["PATH=/x"] and "StopSignal" not in own


class Site:
    """A bundle of one package and the program that is taken out of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.root = folder / "bundle"
        self.shop = StepExecutor(
            self.root, folder / "work", folder / "layers", folder, folder, folder / "key", Runner()
        )
        text = "#!/bin/sh\necho v1\n"
        self.build = BuildStep(
            "build:kubernetes-1.0.0",
            "script",
            "building",
            {"name": "kubectl", "text": text},
            kept=False,
        )
        inputs = {"name": "kubectl", "version": "1.0.0-1.1", "repository": "deb/k", "architecture": "amd64"}
        programs = [["kubernetes-1.0.0", "kubectl", "/usr/bin/kubectl"]]
        inputs_all = {**inputs, "programs": programs, "texts": {}}
        self.package = BuildStep("package:kubectl", "package", "packing", inputs_all, after=(self.build.key,))
        wanted = {"name": "kubectl", "version": "1.0.0", "architecture": "amd64", "package": self.package.key}
        self.program = BuildStep("program:kubectl", "program", "adding", wanted, after=(self.package.key,))

    def make(self) -> list[str]:
        """Make it, the program's build played by a script; returns the steps that were done."""
        self.shop._script = self._script  # type: ignore[attr-defined]
        self.index = index_file.load(self.root)
        found = build.inspect([self.build, self.package, self.program], self.index, self.shop)
        done: list[str] = []
        about = Index("go_modules", "amd64", ["1.0.0"])
        build.build(found, self.shop, about, lambda _number, _all, one: done.append(one.key), lambda *_: None)
        return done

    def _script(self, inputs: dict, step: BuildStep, scratch: Path) -> object:
        (scratch / "kubectl").write_text(inputs["text"])
        return self.shop._keep(scratch, step.key)


@pytest.mark.skipif(not shutil.which("dpkg-deb"), reason="needs dpkg-deb")
def test_a_program_is_taken_out_of_its_package_once_and_repaired(tmp_path: Path) -> None:
    site = Site(tmp_path)
    assert site.make() == ["build:kubernetes-1.0.0", "package:kubectl", "program:kubectl"]
    program = site.root / "bin" / "linux-amd64" / "kubectl"
    assert subprocess.run([program], capture_output=True, text=True, check=True).stdout == "v1\n"
    (item,) = index_file.load(site.root).items["program:kubectl"]
    assert (item.kind, item.version, item.path) == ("program", "1.0.0", "bin/linux-amd64/kubectl")
    assert site.make() == []
    program.write_text("#!/bin/sh\necho v2\n")
    assert build.verify(site.root)[1][0].startswith("bin/linux-amd64/kubectl is corrupt")
    assert site.make() == ["program:kubectl"], "the package is there, nothing is built"
    assert build.verify(site.root)[1] == [] and program.stat().st_mode & 0o777 == 0o755
    assert build.remove(site.root, dry_run=False) and not site.root.exists()


@pytest.mark.skipif(not shutil.which("zstd"), reason="needs zstd")
def test_paths_of_a_layer_can_be_left_out(tmp_path: Path, want: BundleRequest) -> None:
    site = Site(tmp_path)
    tools = BuildStep(
        "tools:x",
        "tools",
        "making a layer",
        {"packages": [], "suite": "s", "sources": [], "architecture": "amd64", "left_out": ["usr/lib/*/libLLVM*"]},
        kept=False,
    )
    names = ["usr/lib/x86_64-linux-gnu/libLLVM-14.so.1", "usr/lib/x86_64-linux-gnu/libpq.so.5", "var/cache/x"]

    def run(command: list[str], **_options: object) -> str:
        with tarfile.open(command[-1], "w") as tar:
            for name in names:
                tar.addfile(tarfile.TarInfo("./" + name))
        return ""

    site.shop.run = run  # type: ignore[assignment]
    site.shop.prepare([tools], Index())
    site.shop.execute(tools)
    content = subprocess.run(
        ["zstd", "-dc", site.shop.folder_of("tools:x") / "layer.tar.zst"], capture_output=True, check=True
    ).stdout
    (tmp_path / "layer.tar").write_bytes(content)
    with tarfile.open(tmp_path / "layer.tar") as tar:
        assert tar.getnames() == ["usr/lib/x86_64-linux-gnu/libpq.so.5"]
