# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.slipway.kube.plugins.plugin_utils.bundle.staleness import (
    Finished,
    Have,
    Step,
    fingerprints,
    plan,
)

PROGRAM = Step("build", "go_build", "building", {"version": "1"}, kept=False)
PACKAGE = Step("package", "package", "packing", {"name": "kubeadm"}, after=("build",))
OTHER = Step("other", "manifest", "taking", {"digest": "a"})
INDEX = Step("index", "repositories", "signing", {}, after=("package",))
STEPS = [PROGRAM, PACKAGE, OTHER, INDEX]
FILES = {"package": ("deb/a.deb",), "other": ("manifests/m",), "index": ("deb/Release",)}


def have(**changes: object) -> Have:
    """Everything is done, and the work folder is empty again."""
    prints = fingerprints(STEPS)
    values: dict = {
        "finished": {key: Finished(prints[key], files) for key, files in FILES.items()},
        "files": frozenset(path for files in FILES.values() for path in files),
    }
    return Have(**{**values, **changes})


def keys(steps: list[Step]) -> list[str]:
    return [step.key for step in steps]


def test_nothing_is_left_when_all_is_there() -> None:
    found = plan(STEPS, have())
    assert not found.changes
    assert (found.steps, found.remove) == ([], [])


def test_everything_is_left_at_first() -> None:
    assert keys(plan(STEPS, Have()).steps) == ["build", "package", "other", "index"]


def test_programs_are_not_built_for_a_manifest() -> None:
    assert keys(plan(STEPS, have(broken={"manifests/m": "is missing"})).steps) == ["other"]


def test_a_corrupt_package_brings_back_its_program_and_its_index() -> None:
    found = plan(STEPS, have(broken={"deb/a.deb": "is corrupt"}))
    assert keys(found.steps) == ["build", "package", "index"]
    assert found.reasons == {"package": "deb/a.deb is corrupt", "index": "package is made again"}


def test_a_program_in_the_work_folder_is_not_built_again() -> None:
    ready = frozenset([fingerprints(STEPS)["build"]])
    assert keys(plan(STEPS, have(broken={"deb/a.deb": "is missing"}, ready=ready)).steps) == ["package", "index"]


def test_another_version_below_changes_what_stands_on_it() -> None:
    newer = Step("build", "go_build", "building", {"version": "2"}, kept=False)
    found = plan([newer, PACKAGE, OTHER, INDEX], have())
    assert keys(found.steps) == ["build", "package", "index"]
    assert found.reasons["package"] == "made from something else"


def test_hints_and_titles_decide_nothing() -> None:
    moved = Step("other", "manifest", "taking it from elsewhere", {"digest": "a"}, hints={"source": "/media/stick"})
    assert not plan([PROGRAM, PACKAGE, moved, INDEX], have()).changes


def test_files_that_no_step_owns_go() -> None:
    found = plan([PROGRAM, PACKAGE, INDEX], have())
    assert found.remove == ["manifests/m"]
    assert found.changes
    assert plan(STEPS, have(files=frozenset(["v2/stray"]))).remove == ["v2/stray"]


def test_forerunners_come_first() -> None:
    with pytest.raises(KeyError):
        fingerprints([PACKAGE, PROGRAM])
