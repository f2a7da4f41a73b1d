# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kernel modules: loaded, built in, to load, missing."""

from __future__ import annotations

import pytest

from ansible_collections.slipway.kube.plugins.module_utils._host import kernel_modules as module
from ansible_collections.slipway.kube.plugins.module_utils._host.kernel_modules import (
    module_state,
    normalize,
    plan_modules,
)
from ansible_collections.slipway.kube.plugins.module_utils._host.system import HostError, Result, System

KERNEL = {
    "release": "6.1.0-1-amd64",
    "modules_loaded": ["overlay"],
    "modules_builtin": ["nf_tables"],
    "modules_loadable": True,
    "features": {"overlay": True, "nf_tables": True, "br_netfilter": True, "ip_vs": False, "vxlan": None},
}


@pytest.mark.parametrize(
    ("name", "in_sys", "status"),
    [
        ("overlay", False, "loaded"),
        ("nf_tables", False, "loaded"),
        ("br_netfilter", False, "to load"),
        ("br_netfilter", True, "loaded"),
        ("ip_vs", False, "missing"),
        ("vxlan", False, "to load"),
        ("never_heard_of", False, "to load"),
    ],
)
def test_where_a_module_stands(name, in_sys, status):
    assert module_state(name, KERNEL, in_sys) == status


def test_names_are_written_as_the_kernel_does():
    assert normalize(" br-netfilter ") == "br_netfilter"


class Host:
    def __init__(self, root, monkeypatch, kernel=None, modprobe=0):
        monkeypatch.setattr(module, "gather_kernel", lambda files: kernel or KERNEL)
        self.ran = []
        self.modprobe = modprobe
        self.system = System(str(root), self.run)

    def run(self, command, env):
        self.ran.append(command)
        return Result(self.modprobe, "", "Module not found in directory /lib/modules" if self.modprobe else "")


def test_only_what_is_not_there_is_loaded_once(tmp_path, monkeypatch):
    host = Host(tmp_path, monkeypatch)
    steps = plan_modules(host.system, ["overlay", "nf_tables", "br-netfilter", "br_netfilter"])
    assert [(step.sentence, step.remember) for step in steps] == [
        ("kernel module br_netfilter loaded", [("modules", "br_netfilter", False)])
    ]
    steps[0].apply()
    assert host.ran == [["modprobe", "--dry-run", "--quiet", "br_netfilter"], ["modprobe", "br_netfilter"]]


@pytest.mark.parametrize(
    ("name", "modprobe", "evidence"), [("ip_vs", 0, "found none"), ("vxlan", 1, "Module not found")]
)
def test_a_missing_module_is_an_error_before_any_is_loaded(tmp_path, monkeypatch, name, modprobe, evidence):
    host = Host(tmp_path, monkeypatch, modprobe=modprobe)
    with pytest.raises(HostError, match=f"no module {name}: .*kernel 6.1.0-1-amd64.*{evidence}.*kube_proxy_mode"):
        plan_modules(host.system, [name])
    assert ["modprobe", name] not in host.ran


def test_a_built_in_module_that_only_sys_knows_is_there(tmp_path, monkeypatch):
    # Of a loaded module's files some cannot be read, by root either: the folder says it.
    (tmp_path / "sys/module/vxlan").mkdir(parents=True)
    assert plan_modules(Host(tmp_path, monkeypatch, modprobe=1).system, ["vxlan"]) == []
