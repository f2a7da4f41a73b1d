# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the plan of an upgrade reads of a control plane."""

from __future__ import annotations

import os
from pathlib import Path

from ansible_collections.slipway.kube.plugins.module_utils._upgrade.observed import read_snapshots


def test_a_snapshot_from_before_a_long_stop_does_not_count(tmp_path: Path) -> None:
    for name, age in (("new.db", 3600), ("old.db", 2 * 86400), ("new.txt", 60)):
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (1e9 - age, 1e9 - age))
    assert read_snapshots(str(tmp_path), now=1e9) == ["new.db"]
    assert read_snapshots(str(tmp_path / "missing"), now=1e9) == read_snapshots("", now=1e9) == []
