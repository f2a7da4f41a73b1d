# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.slipway.kube.plugins.plugin_utils.bundle.staleness import (
    BuildStep,
    BundleState,
    StepResult,
    fingerprints,
    pending_work,
)

PROGRAM = BuildStep("build", "go_build", "building", {"version": "1"}, kept=False)
PACKAGE = BuildStep("package", "package", "packing", {"name": "kubeadm"}, after=("build",))
OTHER = BuildStep("other", "manifest", "taking", {"digest": "a"})
INDEX = BuildStep("index", "repositories", "signing", {}, after=("package",))
STEPS = [PROGRAM, PACKAGE, OTHER, INDEX]
FILES = {"package": ("deb/a.deb",), "other": ("manifests/m",), "index": ("deb/Release",)}


def have(**changes: object) -> BundleState:
    """Everything is done, and the work folder is empty again."""
    prints = fingerprints(STEPS)
    values: dict = {
        "finished": {key: StepResult(prints[key], files) for key, files in FILES.items()},
        "files": frozenset(path for files in FILES.values() for path in files),
    }
    return BundleState(**{**values, **changes})


def keys(steps: list[BuildStep]) -> list[str]:
    return [step.key for step in steps]


def test_nothing_is_left_when_all_is_there() -> None:
    found = pending_work(STEPS, have())
    assert not found.changes
    assert (found.steps, found.remove) == ([], [])


def test_everything_is_left_at_first() -> None:
    assert keys(pending_work(STEPS, BundleState()).steps) == ["build", "package", "other", "index"]


def test_programs_are_not_built_for_a_manifest() -> None:
    assert keys(pending_work(STEPS, have(broken={"manifests/m": "is missing"})).steps) == ["other"]


def test_a_corrupt_package_brings_back_its_program_and_its_index() -> None:
    found = pending_work(STEPS, have(broken={"deb/a.deb": "is corrupt"}))
    assert keys(found.steps) == ["build", "package", "index"]
    assert found.reasons == {"package": "deb/a.deb is corrupt", "index": "package is rebuilt"}


def test_a_program_in_the_work_folder_is_not_built_again() -> None:
    ready = frozenset([fingerprints(STEPS)["build"]])
    assert keys(pending_work(STEPS, have(broken={"deb/a.deb": "is missing"}, ready=ready)).steps) == [
        "package",
        "index",
    ]


def test_another_version_below_changes_what_stands_on_it() -> None:
    newer = BuildStep("build", "go_build", "building", {"version": "2"}, kept=False)
    found = pending_work([newer, PACKAGE, OTHER, INDEX], have())
    assert keys(found.steps) == ["build", "package", "index"]
    assert found.reasons["package"] == "its inputs have changed"


def test_hints_and_titles_decide_nothing() -> None:
    moved = BuildStep(
        "other", "manifest", "taking it from elsewhere", {"digest": "a"}, hints={"source": "/media/stick"}
    )
    assert not pending_work([PROGRAM, PACKAGE, moved, INDEX], have()).changes


def test_files_that_no_step_owns_go() -> None:
    found = pending_work([PROGRAM, PACKAGE, INDEX], have())
    assert found.remove == ["manifests/m"]
    assert found.changes
    assert pending_work(STEPS, have(files=frozenset(["v2/stray"]))).remove == ["v2/stray"]


def test_forerunners_come_first() -> None:
    with pytest.raises(KeyError):
        fingerprints([PACKAGE, PROGRAM])
