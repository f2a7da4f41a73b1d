# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The order of rpm's versions."""

from __future__ import annotations

import pytest

from ansible_collections.slipway.kube.plugins.module_utils._host.rpm_versions import compare


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        ("1.36.9-150500.1.1", "1.36.10-150500.1.1"),
        ("1.36.3-150500.1.1", "1.36.3-150500.2.1"),
        ("9.9-1", "1:1.0-1"),
        ("1.0~rc1-1", "1.0-1"),
        ("1.0~rc1-1", "1.0~rc2-1"),
        ("1.0-1", "1.0^git1-1"),
        ("1.0^git1-1", "1.0.1-1"),
        ("1.0~rc1-1", "1.0~rc1^git1-1"),
        ("1.0a-1", "1.0.1-1"),
        ("1.0.a-1", "1.0.1-1"),
        ("5.5p1-1", "5.5p10-1"),
        ("10xyz-1", "10.1xyz-1"),
        ("2.2.3-3.1.el9", "2.2.3-3.1.el10"),
        ("1.0", "1.0.1"),
    ],
)
def test_older_and_newer(older, newer):
    assert compare(older, newer) < 0
    assert compare(newer, older) > 0


@pytest.mark.parametrize(("one", "other"), [("1.0-1", "0:1.0-1"), ("1.01-1", "1.1-1"), ("1_0-1", "1.0-1")])
def test_equal(one, other):
    assert compare(one, other) == 0
