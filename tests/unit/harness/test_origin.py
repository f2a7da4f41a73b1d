# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where scenarios and benchmarks find the origin, programs and versions."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness import origin


def test_programs_are_in_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLIPWAY_CACHE", str(tmp_path))
    with pytest.raises(AssertionError, match="make programs"):
        origin.programs()
    (tmp_path / "programs").mkdir()
    assert origin.programs() == tmp_path / "programs"


def test_an_origin_may_be_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLIPWAY_CACHE", str(tmp_path))
    assert origin.origin() == {}
    (tmp_path / "origin").mkdir()
    (tmp_path / "origin" / "origin.json").write_text('{"images": []}')
    assert origin.origin() == {"images": []}


def test_the_versions_are_those_of_a_new_cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert {"pause", "agnhost", "etcd"} <= set(origin.versions())
    table = tmp_path / "main.yml"
    table.write_text('kube_version: 1.40.1\nkube_versions: {"1.36": {pause: 1}, "1.40": {pause: 2}}\n')
    monkeypatch.setattr(origin, "DEFAULTS", table)
    assert origin.versions() == {"pause": 2}
