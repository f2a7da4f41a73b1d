# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.slipway.kube.plugins.plugin_utils.bundle import progress
from ansible_collections.slipway.kube.plugins.plugin_utils.bundle.staleness import BuildStep


def test_progress_is_one_line_a_step(monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[str] = []
    monkeypatch.setattr(progress.time, "monotonic", lambda: 100.0)
    shown = progress.Progress(written.append)
    step = BuildStep("build:etcd", "go_build", "building etcd 3.6.8 (3 programs)")
    shown.start(3, 14, step)
    shown.done(step, 18.6)
    shown.start(4, 14, step)
    shown.report("12 Go packages compiled so far")
    shown.done(step, 60.0)
    assert "".join(written) == (
        "[ 3/14] building etcd 3.6.8 (3 programs) ... 19 s\n"
        "[ 4/14] building etcd 3.6.8 (3 programs) ... \n"
        "        12 Go packages compiled so far (0 s)\n"
        "        building etcd 3.6.8 (3 programs) ... 60 s\n"
    )
