# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from harness.kill import KINDS, plan


def test_a_seed_decides() -> None:
    assert plan(10, 36) == plan(10, 36)
    assert plan(10, 36) != plan(10, 37)


def test_a_longer_plan_begins_with_the_shorter_one() -> None:
    assert plan(10, 36)[:3] == plan(3, 36)


def test_ten_kills_are_of_every_kind_and_fall_inside_the_run() -> None:
    kills = plan(10, 36)
    assert {kill.kind for kill in kills} == set(KINDS)
    assert all(0 < kill.share < 1 for kill in kills)
    assert len({str(kill) for kill in kills}) == 10
