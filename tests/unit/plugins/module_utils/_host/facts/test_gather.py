# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""All facts of this machine: gathering them is fast, changes nothing and returns what is documented."""

from __future__ import annotations

import time

import yaml

from ansible_collections.slipway.kube.plugins.module_utils._host.facts.gather import gather_facts
from ansible_collections.slipway.kube.plugins.modules import host_info


def test_a_look_returns_what_is_documented():
    started = time.monotonic()
    seen = gather_facts([6443], [], 1, "/nonexistent")
    assert time.monotonic() - started < 5
    documented = yaml.safe_load(host_info.RETURN)
    assert set(documented) == {*seen, "controller_time"}
    for key, described in documented.items():
        if described["type"] == "dict" and "contains" in described:
            assert set(described["contains"]) == set(seen[key]), key
    assert set(documented["disks"]["contains"]) == set(seen["disks"][0])
