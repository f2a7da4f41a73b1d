# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an origin holds beside a cluster: programs for the control node and images of Debian packages."""

from __future__ import annotations

import copy
import json
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest

from ansible_collections.slipway.kube.plugins.plugin_utils.bundle.index import Index
from ansible_collections.slipway.kube.plugins.plugin_utils.bundle.process import Runner
from ansible_collections.slipway.kube.plugins.plugin_utils.bundle.staleness import BuildStep, fingerprints
from ansible_collections.slipway.kube.plugins.plugin_utils.bundle.steps import image_names
from origin import layers
from origin.executor import OriginExecutor
from origin.request import OriginRequest
from origin.steps import steps_of

POSTGRES = "docker.io/library/postgres:15-bookworm"


@pytest.fixture
def more(want: OriginRequest) -> OriginRequest:
    """An origin with everything that can be added."""
    added = copy.deepcopy(want)
    added.programs = {"helm": "4.3.1", "kubectl": "", "kwok": "0.8.0"}
    added.images = ["postgres:15-bookworm"]
    return added


def test_additions_change_no_part_of_the_cluster(want: OriginRequest, more: OriginRequest) -> None:
    before, after = fingerprints(steps_of(want)), fingerprints(steps_of(more))
    assert {key for key in before if before[key] != after[key]} == set()
    assert {key for key in set(after) - set(before) if not key.startswith("tools:")} == {
        "build:helm-4.3.1",
        "build:kwok-0.8.0",
        "image:" + POSTGRES,
        "program:get.helm.sh/helm-v4.3.1-linux-amd64.tar.gz",
        "program:github.com/kubernetes-sigs/kwok/releases/download/v0.8.0/kwok-linux-amd64",
    }


def step(want: OriginRequest, key: str) -> BuildStep:
    """A step by its key."""
    return next(one for one in steps_of(want) if one.key == key)


def test_the_programs_version_is_stamped(more: OriginRequest) -> None:
    assert step(more, "build:helm-4.3.1").inputs["ldflags"].endswith("helm.sh/helm/v4/internal/version.version=v4.3.1")
    assert step(more, "build:kwok-0.8.0").inputs["ldflags"].endswith("sigs.k8s.io/kwok/pkg/consts.Version=v0.8.0")


def test_the_database_image_is_made_of_debian_packages(more: OriginRequest) -> None:
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


def test_an_image_says_its_environment_and_how_it_is_stopped() -> None:
    config = json.loads(layers.image_config("amd64", [], {}, environment={"A": "b"}, stop_signal="SIGINT"))["config"]
    assert config["Env"] == ["PATH=" + layers.PATH, "A=b"] and config["StopSignal"] == "SIGINT"
    own = json.loads(layers.image_config("amd64", [], {}, environment={"PATH": "/x"}))["config"]
    assert own["Env"] == ["PATH=/x"] and "StopSignal" not in own


@pytest.mark.skipif(not shutil.which("zstd"), reason="needs zstd")
def test_paths_of_a_layer_can_be_left_out(tmp_path: Path) -> None:
    shop = OriginExecutor(
        tmp_path / "origin", tmp_path / "work", tmp_path / "key", Runner(), layers=tmp_path / "layers"
    )
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

    shop.run = run  # type: ignore[assignment]
    shop.prepare([tools], Index())
    shop.execute(tools)
    content = subprocess.run(
        ["zstd", "-dc", shop.folder_of("tools:x") / "layer.tar.zst"], capture_output=True, check=True
    ).stdout
    (tmp_path / "layer.tar").write_bytes(content)
    with tarfile.open(tmp_path / "layer.tar") as tar:
        assert tar.getnames() == ["usr/lib/x86_64-linux-gnu/libpq.so.5"]
