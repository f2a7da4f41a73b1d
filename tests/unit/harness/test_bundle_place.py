# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where scenarios and benchmarks find the bundle's programs and versions."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from harness import bundle


@pytest.mark.parametrize(("machine", "folder"), [("x86_64", "linux-amd64"), ("aarch64", "linux-arm64")])
def test_programs_are_those_of_this_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, machine: str, folder: str
) -> None:
    monkeypatch.setenv("SLIPWAY_CACHE", str(tmp_path))
    monkeypatch.setattr(os, "uname", lambda: SimpleNamespace(machine=machine))
    with pytest.raises(AssertionError, match="make programs"):
        bundle.programs()
    (tmp_path / "bundle" / "bin" / folder).mkdir(parents=True)
    assert bundle.programs() == tmp_path / "bundle" / "bin" / folder


def test_the_versions_are_those_of_a_new_cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert {"pause", "agnhost", "etcd"} <= set(bundle.versions())
    table = tmp_path / "main.yml"
    table.write_text('kube_version: 1.40.1\nkube_versions: {"1.36": {pause: 1}, "1.40": {pause: 2}}\n')
    monkeypatch.setattr(bundle, "DEFAULTS", table)
    assert bundle.versions() == {"pause": 2}
