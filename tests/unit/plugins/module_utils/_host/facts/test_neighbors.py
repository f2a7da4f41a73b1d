# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether somebody answers on an address."""

from __future__ import annotations

import itertools
import json

import pytest

from ansible_collections.slipway.kube.plugins.module_utils._host.facts import neighbors

MAC = "52:54:00:00:00:09"


def entry(state: str, mac: str = MAC) -> str:
    return json.dumps([{"dst": "10.0.0.100", "dev": "eth0", **({"lladdr": mac} if mac else {}), "state": [state]}])


@pytest.mark.parametrize(
    ("shown", "mac"),
    [
        ([entry("REACHABLE")], MAC),
        ([entry("PERMANENT")], MAC),
        ([entry("INCOMPLETE", ""), entry("INCOMPLETE", ""), entry("REACHABLE")], MAC),
        ([entry("INCOMPLETE", "")], ""),
        ([entry("FAILED", "")], ""),
        (["[]"], ""),
        (["Option -json is unknown"], ""),
        # Remembered from a machine that is gone: the kernel finds out.
        ([entry("STALE"), entry("DELAY"), entry("PROBE"), entry("FAILED", "")], ""),
        ([entry("STALE"), entry("DELAY"), entry("PROBE"), entry("REACHABLE")], MAC),
    ],
)
def test_what_the_kernel_says(monkeypatch, shown, mac):
    asked = []
    answers = itertools.chain(shown, itertools.repeat(shown[-1]))
    clock = itertools.count(0, 0.3)
    monkeypatch.setattr(neighbors, "ask", asked.append)
    monkeypatch.setattr(neighbors, "run", lambda command, timeout: next(answers))
    monkeypatch.setattr(neighbors.time, "sleep", lambda seconds: None)
    monkeypatch.setattr(neighbors.time, "monotonic", lambda: next(clock))
    assert neighbors.answering("10.0.0.100") == mac
    assert asked == ["10.0.0.100"]


def test_what_is_no_address_and_what_no_route_leads_to():
    assert neighbors.answering("nonsense") == ""
    assert neighbors.answering("") == ""
