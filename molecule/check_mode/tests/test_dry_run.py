# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A dry run says what the run does, task by task, on fresh hosts and on converged ones."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from harness.compare import announced, differences
from harness.playbook import Run, inventory_of, output_of, run
from harness.snapshot import take

LAB = f"molecule-{os.environ['MOLECULE_SCENARIO_NAME']}"
RUNS = {
    "dry run on fresh hosts": ["--check", "--diff"],
    "run": ["--diff"],
    "dry run on converged hosts": ["--check", "--diff"],
    "second run": ["--diff"],
}


@pytest.fixture(scope="module")
def runs() -> dict[str, Run]:
    """The runs in their order, each of which must succeed; before them, what the hosts are, for the reset to be held against."""
    folder = output_of(LAB)
    shutil.rmtree(folder, ignore_errors=True)
    take(inventory_of(LAB), "whole", folder / "fresh")
    return {
        name: run("slipway.kube.cluster", inventory_of(LAB), folder / name.replace(" ", "_"), *arguments).succeeded()
        for name, arguments in RUNS.items()
    }


def test_a_dry_run_on_fresh_hosts_says_what_the_run_then_does(runs: dict[str, Run]) -> None:
    assert runs["run"].changed(), "the run changed nothing: the hosts were not fresh"
    found = differences(runs["dry run on fresh hosts"].events, runs["run"].events)
    assert not found, "\n".join(found)


def test_a_dry_run_on_converged_hosts_is_silent(runs: dict[str, Run]) -> None:
    found = announced(runs["dry run on converged hosts"].events)
    assert not found, "\n".join(found)


def test_a_dry_run_on_converged_hosts_says_what_the_next_run_does(runs: dict[str, Run]) -> None:
    found = differences(runs["dry run on converged hosts"].events, runs["second run"].events)
    assert not found, "\n".join(found)
    assert not runs["second run"].changed(), "\n".join(runs["second run"].changed())


def test_a_lab_is_predicted_before_anything_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No engine, no origin; whether there is a network does not matter."""
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/no.sock")
    monkeypatch.setenv("SLIPWAY_CACHE", str(tmp_path / "cache"))
    inventory = tmp_path / "hosts.yml"
    inventory.write_text("all: {}\n")
    options = ["-e", "lab_name=predicted", "-e", f"lab_dir={tmp_path}/lab", "-e", "lab_subnet=10.123.99.0/24"]
    predicted = run("slipway.kube.lab", inventory, output_of(LAB) / "lab", "--check", "--diff", *options).succeeded()
    assert "4 hosts: services, cp1, w1, w2" in predicted.output
    assert any("Start the" in sentence and "Docker Engine" in sentence for sentence in predicted.changed())
    assert any("Write the inventory" in sentence for sentence in predicted.changed())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["hosts.yml"]
