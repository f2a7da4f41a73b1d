# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A reset leaves the hosts as they were, and nobody with the virtual address."""

from __future__ import annotations

import os

import pytest

from harness import reset as resets
from harness.hosts import hosts_of
from harness.playbook import Run, inventory_of, output_of

SCENARIO = f"molecule-{os.environ['MOLECULE_SCENARIO_NAME']}"
INVENTORY = inventory_of(SCENARIO).with_name("replaced.yml")
FOLDER = output_of(SCENARIO)


@pytest.fixture(scope="module")
def reset() -> Run:
    return resets.reset(INVENTORY, FOLDER / "reset")


def test_hosts_are_what_they_were(reset: Run) -> None:
    found = resets.left_behind(INVENTORY, FOLDER)
    assert not found, "\n".join(found)


def test_no_host_has_the_virtual_address(reset: Run) -> None:
    assert not [
        host.name
        for host in hosts_of(SCENARIO)
        if "/32 " in host.execute("ip", "address", "show", "scope", "global")[1]
    ]
