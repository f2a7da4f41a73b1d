# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from ansible_collections.slipway.kube.plugins.action import bundle
from ansible_collections.slipway.kube.plugins.modules import bundle as documented
from ansible_collections.slipway.kube.plugins.plugin_utils.bundle.names import BundleError
from ansible_collections.slipway.kube.plugins.plugin_utils.bundle.staleness import BuildStep

ROOT = Path(__file__).resolve().parents[4]


def test_options_are_documented_as_they_are_taken() -> None:
    options = yaml.safe_load(documented.DOCUMENTATION)["options"]
    assert set(options) == set(bundle.ARGUMENTS)
    for name, option in bundle.ARGUMENTS.items():
        for field in ("choices", "default", "required", "elements"):
            assert options[name].get(field) == option.get(field), (name, field)
        assert options[name]["type"] == option.get("type", "str")


def test_the_role_passes_every_option() -> None:
    tasks = yaml.safe_load((ROOT / "roles/bundle/tasks/main.yml").read_text(encoding="utf-8"))
    passed = set(tasks[0]["module_defaults"]["slipway.kube.bundle"])
    assert passed | {"state"} == set(bundle.ARGUMENTS)


@pytest.mark.parametrize("entry", [1, {"name": "x"}, {"path": "/a", "tag": "x"}, []])
def test_an_archive_is_a_path_or_a_dictionary(entry: object) -> None:
    with pytest.raises(BundleError, match="bundle_image_archives contains"):
        bundle._archives(entry)


def test_a_manifest_is_read_for_its_images(tmp_path: Path) -> None:
    path = tmp_path / "m.yaml"
    path.write_text("spec: {containers: [{image: quay.io/a/b:1}]}\n---\nspec: {containers: [{image: quay.io/a/c:1}]}\n")
    assert bundle._manifest("a/m.yaml", str(path)).images == ("quay.io/a/b:1", "quay.io/a/c:1")
    path.write_text("a: [")
    with pytest.raises(BundleError, match="is not valid YAML"):
        bundle._manifest("a/m.yaml", str(path))
    with pytest.raises(BundleError, match="cannot be read"):
        bundle._manifest("a/m.yaml", str(tmp_path / "none.yaml"))


def test_variables_are_yaml_that_keeps_versions_as_text() -> None:
    values = {"kube_versions": {"1.36": {"agnhost": "2.59"}}, "url": "{{ kube_mirror_url }}/deb/"}
    assert yaml.safe_load(bundle._dump(values)) == values


def test_progress_is_one_line_a_step(monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[str] = []
    monkeypatch.setattr(
        bundle.display, "display", lambda text, newline=True: written.append(text + ("\n" if newline else ""))
    )
    monkeypatch.setattr(bundle.time, "monotonic", lambda: 100.0)
    progress = bundle.Progress()
    step = BuildStep("build:etcd", "go_build", "building etcd 3.6.8 (3 programs)")
    progress.start(3, 14, step)
    progress.done(step, 18.6)
    progress.start(4, 14, step)
    progress.report("12 Go packages compiled so far")
    progress.done(step, 60.0)
    assert "".join(written) == (
        "[ 3/14] building etcd 3.6.8 (3 programs) ... 19 s\n"
        "[ 4/14] building etcd 3.6.8 (3 programs) ... \n"
        "        12 Go packages compiled so far (0 s)\n"
        "        building etcd 3.6.8 (3 programs) ... 60 s\n"
    )
