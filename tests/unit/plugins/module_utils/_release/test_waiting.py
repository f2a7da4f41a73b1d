# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The loop that waits for objects to become ready."""

from __future__ import annotations

import time
from types import SimpleNamespace

from ansible_collections.slipway.kube.plugins.module_utils._release.waiting import wait_until_ready


def test_interventions_do_not_postpone_the_deadline() -> None:
    looks: list[float] = []

    def look() -> SimpleNamespace:
        looks.append(time.monotonic())
        assert len(looks) < 50, "the wait has no end"
        return SimpleNamespace(waiting=[("Deployment web", "late")], hopeless=True, findings=[])

    watch = SimpleNamespace(look=look)
    started = time.monotonic()
    outlook = wait_until_ready(watch, started + 0.3, on_poll=lambda _outlook: True, confirm=0.0)  # type: ignore[arg-type]
    assert outlook.waiting and 0.3 <= looks[-1] - started < 5
