# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""After a reset the machine is what it was, with the labels of its files and the configuration of its firewall."""

from __future__ import annotations

import os

from testinfra.host import Host

from harness.playbook import inventory_of, output_of
from harness.reset import left_behind, reset
from harness.targets import targets

SCENARIO = f"molecule-{os.environ['MOLECULE_SCENARIO_NAME']}"
INVENTORY = inventory_of(SCENARIO)
FOLDER = output_of(SCENARIO)
testinfra_hosts = targets("kube_control_plane")


def test_the_machine_is_what_it_was(host: Host) -> None:
    reset(INVENTORY, FOLDER / "reset")
    assert host.check_output("firewall-cmd --list-all-zones") == (FOLDER / "zones").read_text()
    # Until it is reloaded, firewalld keeps the chains of a zone that was in use; nothing leads to them any more.
    host.check_output("firewall-cmd --reload")
    found = left_behind(INVENTORY, FOLDER)
    assert not found, "\n".join(found)


def test_selinux_is_still_enforcing(host: Host) -> None:
    assert host.check_output("getenforce") == "Enforcing"
    assert host.check_output("firewall-cmd --zone=internal --list-ports") == ""
