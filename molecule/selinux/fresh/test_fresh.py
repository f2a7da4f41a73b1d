# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The machine before the first run: SELinux is enforcing, and firewalld closes the ports of a cluster on the node's interface."""

from __future__ import annotations

import os
import shutil

from testinfra.host import Host

from harness.playbook import inventory_of, output_of
from harness.snapshot import take
from harness.targets import targets

SCENARIO = f"molecule-{os.environ['MOLECULE_SCENARIO_NAME']}"
FOLDER = output_of(SCENARIO)
testinfra_hosts = targets("kube_control_plane")


def test_selinux_is_enforcing_and_files_have_labels(host: Host) -> None:
    assert host.check_output("getenforce") == "Enforcing"
    assert ":sshd_exec_t:" in host.check_output("stat --format=%C /usr/sbin/sshd")
    assert ":shadow_t:" in host.check_output("stat --format=%C /etc/shadow")


def test_the_nodes_interface_is_in_a_zone_that_is_not_the_default(host: Host) -> None:
    interface = host.check_output('ip -json route get 192.0.2.1 | sed \'s/.*"dev":"\\([^"]*\\)".*/\\1/\'')
    assert host.check_output(f"firewall-cmd --get-zone-of-interface={interface}") == "internal"
    assert host.check_output("firewall-cmd --get-default-zone") == "public"
    assert host.check_output("firewall-cmd --zone=internal --list-ports") == ""


def test_the_machine_before_the_first_run_is_recorded(host: Host) -> None:
    shutil.rmtree(FOLDER, ignore_errors=True)
    host.check_output("firewall-cmd --reload")
    assert set(take(inventory_of(SCENARIO), "whole", FOLDER / "fresh")) == {"cp1"}
    (FOLDER / "zones").write_text(host.check_output("firewall-cmd --list-all-zones"))
