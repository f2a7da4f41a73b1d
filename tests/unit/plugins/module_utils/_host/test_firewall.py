# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""firewalld: what is not open yet."""

from __future__ import annotations

import pytest

from ansible_collections.slipway.kube.plugins.module_utils._host.firewall import missing, plan_firewall
from ansible_collections.slipway.kube.plugins.module_utils._host.system import Result, System


@pytest.mark.parametrize(
    ("wanted", "runtime", "permanent", "found"),
    [
        ("6443/tcp", "22/tcp 6443/tcp", "6443/tcp", []),
        ("6443/tcp", "", "6443/tcp", [("6443/tcp", ["runtime"])]),
        ("6443/tcp", "", "", [("6443/tcp", ["runtime", "permanent"])]),
        ("10250/tcp", "10000-11000/tcp", "10250/tcp", []),
        ("30000-32767/tcp", "30000-32767/tcp", "30000-32766/tcp", [("30000-32767/tcp", ["permanent"])]),
        ("6443/tcp", "6443/udp", "6443/udp", [("6443/tcp", ["runtime", "permanent"])]),
        ("10.244.0.0/16", "10.244.0.0/16", "", [("10.244.0.0/16", ["permanent"])]),
    ],
)
def test_what_is_missing_and_where(wanted, runtime, permanent, found):
    assert missing([wanted], runtime, permanent) == found


def test_ports_are_opened_and_networks_trusted_where_they_are_missing():
    ran = []

    def run(command, env):
        ran.append(command)
        if "--list-ports" in command:
            return Result(0, "22/tcp\n" if "--permanent" in command else "6443/tcp\n")
        return Result(0, "\n")

    steps = plan_firewall(System(run=run), ["6443/tcp"], ["10.244.0.0/16"])
    assert [step.sentence for step in steps] == [
        "firewalld: port 6443/tcp opened",
        "firewalld: network 10.244.0.0/16 trusted",
    ]
    assert steps[0].remember[0] == ("firewall", "port 6443/tcp", ["permanent"])
    ran.clear()
    for step in steps:
        step.apply()
    assert ran == [
        ["firewall-cmd", "--permanent", "--add-port=6443/tcp"],
        ["firewall-cmd", "--zone=trusted", "--add-source=10.244.0.0/16"],
        ["firewall-cmd", "--permanent", "--zone=trusted", "--add-source=10.244.0.0/16"],
    ]


def test_ports_and_protocols_are_opened_in_the_zone_of_the_interface():
    ran = []

    def run(command, env):
        ran.append(command)
        return Result(0, "\n")

    port, protocol = plan_firewall(System(run=run), ["6443/tcp"], [], ["4"], zone="internal")
    assert all("--zone=internal" in command for command in ran)
    assert port.remember[0] == ("firewall", "port 6443/tcp internal", ["runtime", "permanent"])
    assert (protocol.sentence, protocol.remember[0][1]) == ("firewalld: protocol 4 opened", "protocol 4 internal")
    ran.clear()
    protocol.apply()
    assert ran[0] == ["firewall-cmd", "--zone=internal", "--add-protocol=4"]


def test_the_files_of_a_zone_are_recorded_before_its_permanent_configuration_changes(tmp_path):
    zones = tmp_path / "etc/firewalld/zones"
    zones.mkdir(parents=True)
    (zones / "work.xml").write_text("<zone/>")

    def run(command, env):
        listed = "6443/tcp" if "--permanent" in command and "--zone=work" in command else ""
        return Result(0, "work\n" if "--get-default-zone" in command else f"{listed}\n")

    port, network = plan_firewall(System(str(tmp_path), run), ["6443/tcp"], ["10.244.0.0/16"], zone="work")
    assert port.remember == [("firewall", "port 6443/tcp work", ["runtime"])]
    absent = {"state": "absent"}
    assert network.remember[1:] == [
        ("firewall", "file /etc/firewalld/zones/trusted.xml", absent),
        ("firewall", "file /etc/firewalld/zones/trusted.xml.old", absent),
    ]
    port, network = plan_firewall(System(str(tmp_path), run), ["8472/udp"], ["10.244.0.0/16"])
    (name, path, was), old = port.remember[1:]
    assert (name, path, was["content"]) == ("firewall", "file /etc/firewalld/zones/work.xml", "<zone/>")
    assert old == ("firewall", "file /etc/firewalld/zones/work.xml.old", absent)


def test_nothing_wanted_asks_nothing():
    assert plan_firewall(System(run=None), [], []) == []
