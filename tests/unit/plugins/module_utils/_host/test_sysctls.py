# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kernel parameters: live, lasting, and what would undo them."""

from __future__ import annotations

import os

import pytest

from ansible_collections.slipway.kube.plugins.module_utils._host import sysctls as module
from ansible_collections.slipway.kube.plugins.module_utils._host.sysctls import (
    boot_files,
    conflicts,
    parse_file,
    plan_sysctls,
    proc_path,
    render_file,
)
from ansible_collections.slipway.kube.plugins.module_utils._host.system import HostError, System

OURS = "/etc/sysctl.d/k8s.conf"
WANT = {"net.ipv4.ip_forward": 1}


@pytest.mark.parametrize(
    ("key", "path"),
    [
        ("net.ipv4.ip_forward", "net/ipv4/ip_forward"),
        ("net.ipv4.conf.eth0/100.forwarding", "net/ipv4/conf/eth0.100/forwarding"),
        ("net/ipv4/conf/eth0.100/forwarding", "net/ipv4/conf/eth0.100/forwarding"),
        ("net.bridge.bridge-nf-call-iptables", "net/bridge/bridge-nf-call-iptables"),
    ],
)
def test_the_first_separator_decides(key, path):
    assert proc_path(key) == "/proc/sys/" + path


def test_a_file_is_read_as_systemd_does():
    assert parse_file("# a\n; b\n\n-net.a = 1\n net.b=2  3\t4 \nnot a line\n") == [
        (4, "net.a", "1"),
        (5, "net.b", "2 3 4"),
    ]


def test_what_is_rendered_is_read_back():
    values = {"net.ipv4.ip_forward": 1, "net.ipv4.ip_local_port_range": "1024  65000"}
    text = render_file(values, "# header\n")
    assert text.startswith("# header\nnet.ipv4.ip_forward = 1\n")
    assert [(key, value) for _number, key, value in parse_file(text)] == [
        ("net.ipv4.ip_forward", "1"),
        ("net.ipv4.ip_local_port_range", "1024 65000"),
    ]


@pytest.mark.parametrize(
    ("path", "text", "found"),
    [
        (
            "/etc/sysctl.d/zz-local.conf",
            "net.ipv4.ip_forward = 0",
            ["/etc/sysctl.d/zz-local.conf line 1 sets net.ipv4.ip_forward = 0"],
        ),
        (
            "/etc/sysctl.d/zz-local.conf",
            "\nnet/ipv4/ip_forward=0",
            ["/etc/sysctl.d/zz-local.conf line 2 sets net/ipv4/ip_forward = 0"],
        ),
        (
            "/etc/sysctl.d/zz-local.conf",
            "net.ipv4.ip_* = 0",
            ["/etc/sysctl.d/zz-local.conf line 1 sets net.ipv4.ip_* = 0"],
        ),
        ("/etc/sysctl.d/zz-local.conf", "net.ipv4.ip_forward = 1", []),
        ("/etc/sysctl.d/99-early.conf", "net.ipv4.ip_forward = 0", []),
        (OURS, "net.ipv4.ip_forward = 0", []),
        ("/etc/sysctl.conf", "net.ipv4.ip_forward = 0", ["/etc/sysctl.conf line 1 sets net.ipv4.ip_forward = 0"]),
    ],
)
def test_only_a_later_file_with_another_value_is_a_conflict(path, text, found):
    assert conflicts(WANT, OURS, [(path, text)]) == found


class Host:
    def __init__(self, root, **values):
        self.root = root
        self.system = System(str(root))
        for name, value in values.items():
            self.write("proc/sys/net/ipv4/" + name, value)

    def write(self, path, text):
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_text(text)

    def live(self):
        return (self.root / "proc/sys/net/ipv4/ip_forward").read_text()


def test_the_first_folders_file_counts_and_debians_link_keeps_its_place(tmp_path):
    host = Host(tmp_path)
    host.write("etc/sysctl.d/50-a.conf", "etc")
    host.write("usr/lib/sysctl.d/50-a.conf", "usr")
    host.write("usr/lib/sysctl.d/10-b.conf", "b")
    host.write("usr/lib/sysctl.d/README", "no")
    host.write("etc/sysctl.conf", "last")
    assert boot_files(host.system) == [
        ("/usr/lib/sysctl.d/10-b.conf", "b"),
        ("/etc/sysctl.d/50-a.conf", "etc"),
        ("/etc/sysctl.conf", "last"),
    ]
    os.symlink("../sysctl.conf", tmp_path / "etc/sysctl.d/99-sysctl.conf")
    assert boot_files(host.system)[-1] == ("/etc/sysctl.d/99-sysctl.conf", "last")


def test_a_wrong_value_is_set_and_a_right_one_left_alone(tmp_path):
    host = Host(tmp_path, ip_forward="0\n")
    steps = plan_sysctls(host.system, OURS, WANT, False)
    assert [(step.before, step.after, step.remember) for step in steps] == [
        ("0", "1", [("sysctls", "net.ipv4.ip_forward", "0")])
    ]
    steps[0].apply()
    assert host.live() == "1\n"
    assert plan_sysctls(host.system, OURS, WANT, False) == []


def test_a_parameter_that_a_module_will_bring_is_predicted(tmp_path):
    system = Host(tmp_path).system
    assert plan_sysctls(system, OURS, WANT, True)[0].before == "absent"
    with pytest.raises(HostError, match=r"no parameter net\.ipv4\.ip_forward"):
        plan_sysctls(system, OURS, WANT, False)


@pytest.mark.parametrize(("value", "fails"), [("0\n", True), ("1\n", False)])
def test_a_read_only_parameter_is_an_error_only_if_it_is_wrong(tmp_path, monkeypatch, value, fails):
    host = Host(tmp_path, ip_forward=value)
    monkeypatch.setattr(module.os, "access", lambda path, mode: False)
    if fails:
        with pytest.raises(HostError, match=r"net\.ipv4\.ip_forward is 0, should be 1, and is read-only here"):
            plan_sysctls(host.system, OURS, WANT, False)
    else:
        assert plan_sysctls(host.system, OURS, WANT, False) == []


def test_a_file_that_undoes_a_value_is_an_error_before_anything_is_set(tmp_path):
    host = Host(tmp_path, ip_forward="0\n")
    host.write("etc/sysctl.d/zz-hardening.conf", "# no routing\nnet.ipv4.ip_forward = 0\n")
    with pytest.raises(
        HostError,
        match=r"overridden at the next boot. Evidence: /etc/sysctl.d/zz-hardening.conf line 2 sets net.ipv4.ip_forward = 0",
    ):
        plan_sysctls(host.system, OURS, WANT, False)
    assert host.live() == "0\n"
