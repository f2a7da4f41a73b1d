# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Features of a kernel, from the evidence that a host provides."""

from __future__ import annotations

import gzip
import os

import pytest

from ansible_collections.slipway.kube.plugins.module_utils._host.facts import kernel as look_kernel
from ansible_collections.slipway.kube.plugins.module_utils._host.facts.files import Files

RELEASE = os.uname().release
DEP = """kernel/net/ipv4/ipip.ko.xz: kernel/net/ipv4/ip_tunnel.ko.xz
kernel/net/netfilter/nf_tables.ko: kernel/lib/libcrc32c.ko
kernel/net/bridge/br_netfilter.ko.zst:
kernel/drivers/net/wireguard/wireguard.ko:
"""
BUILTIN = "kernel/fs/overlayfs/overlay.ko\nkernel/net/ipv4/netfilter/ip_tables.ko\nkernel/drivers/net/vxlan/vxlan.ko\n"
CONFIG = """# CONFIG_MODULES is not set
CONFIG_NF_TABLES=y
CONFIG_VXLAN=y
CONFIG_OVERLAY_FS=m
# CONFIG_WIREGUARD is not set
CONFIG_OVERLAY_FS_XINO=y
CONFIG_LOCALVERSION="-x"
"""


def tree(root, files):
    for path, content in files.items():
        target = root / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content if isinstance(content, bytes) else content.encode())
    return Files(str(root))


def test_module_lists():
    assert look_kernel.parse_module_paths(DEP) == {"ipip", "nf_tables", "br_netfilter", "wireguard"}
    assert look_kernel.parse_module_paths(BUILTIN) == {"overlay", "ip_tables", "vxlan"}
    assert look_kernel.module_name("kernel/net/ipv4/ip-tables.ko.xz") == "ip_tables"
    loaded = "overlay 151552 0 - Live 0x0000000000000000\nbr_netfilter 32768 0 - Live 0x0000000000000000\n"
    assert look_kernel.parse_loaded(loaded) == {"overlay", "br_netfilter"}


def test_config():
    options = look_kernel.parse_config(CONFIG)
    assert (options["CONFIG_NF_TABLES"], options["CONFIG_OVERLAY_FS"], options["CONFIG_WIREGUARD"]) == ("y", "m", "n")
    assert "CONFIG_LOCALVERSION" not in options


@pytest.mark.parametrize(
    ("works", "loaded", "config", "builtin", "loadable", "expected"),
    [
        (True, False, {}, False, None, True),
        (False, True, {}, False, None, True),
        (False, False, {"X": "y"}, False, None, True),
        (False, False, {}, True, None, True),
        (False, False, {"X": "m"}, False, True, True),
        (False, False, {"X": "m"}, False, False, False),
        (False, False, {"X": "n"}, False, None, False),
        (False, False, {"Y": "y"}, False, None, False),
        (False, False, {}, False, False, False),
        (False, False, {}, False, None, None),
    ],
)
def test_decision(works, loaded, config, builtin, loadable, expected):
    assert look_kernel.decide_feature("X", works, loaded, config, builtin, loadable) is expected


def test_a_machine_with_modules(tmp_path):
    files = tree(
        tmp_path,
        {
            f"/lib/modules/{RELEASE}/modules.dep": DEP,
            f"/lib/modules/{RELEASE}/modules.builtin": BUILTIN,
            "/proc/modules": "nf_tables 1 0 - Live 0x0\n",
            "/proc/self/status": "CapBnd:\t000001ffffffffff\n",
            "/proc/sys/kernel/cap_last_cap": "40\n",
            "/proc/filesystems": "nodev\tproc\n\text4\nnodev\toverlay\n",
        },
    )
    kernel = look_kernel.gather_kernel(files)
    assert kernel["modules_loadable"] is True
    assert kernel["modules_loaded"] == ["nf_tables"]
    assert {"overlay", "ip_tables", "vxlan"} <= set(kernel["modules_builtin"])
    assert "nf_tables" not in kernel["modules_builtin"]
    expected = {
        "overlay": True,
        "br_netfilter": True,
        "nf_tables": True,
        "vxlan": True,
        "ipip": True,
        "wireguard": True,
        "ip_vs": False,
    }
    assert {name: kernel["features"][name] for name in expected} == expected


def test_a_container_whose_kernel_has_everything_built_in(tmp_path):
    files = tree(
        tmp_path,
        {
            "/proc/config.gz": gzip.compress(CONFIG.encode()),
            "/proc/filesystems": "nodev\toverlay\n",
            "/proc/sys/net/bridge/bridge-nf-call-iptables": "1\n",
            "/proc/self/status": "CapBnd:\t000001fffeffffff\n",
        },
    )
    kernel = look_kernel.gather_kernel(files)
    assert kernel["modules_loadable"] is False
    expected = {
        "overlay": True,
        "br_netfilter": True,
        "nf_tables": True,
        "vxlan": True,
        "ipip": False,
        "wireguard": False,
        "ip_vs": False,
    }
    assert {name: kernel["features"][name] for name in expected} == expected
    assert kernel["modules_builtin"] == ["br_netfilter", "nf_tables", "overlay", "vxlan"]


def test_modules_that_may_not_be_loaded(tmp_path):
    files = tree(
        tmp_path,
        {
            f"/lib/modules/{RELEASE}/modules.dep": DEP,
            "/proc/self/status": "CapBnd:\t000001fffffeffff\n",  # without CAP_SYS_MODULE
        },
    )
    kernel = look_kernel.gather_kernel(files)
    assert kernel["modules_loadable"] is False
    assert kernel["features"]["ipip"] is False


def test_nothing_to_tell_by(tmp_path, monkeypatch):
    monkeypatch.setattr(look_kernel, "nft_works", lambda: False)
    kernel = look_kernel.gather_kernel(Files(str(tmp_path)))
    assert set(kernel["features"].values()) == {None}
    monkeypatch.setattr(look_kernel, "nft_works", lambda: True)
    assert look_kernel.gather_kernel(Files(str(tmp_path)))["features"]["nf_tables"] is True


def test_damaged_config(tmp_path):
    assert look_kernel.read_config(tree(tmp_path, {"/proc/config.gz": b"\x1f\x8bno gzip"}), RELEASE) == {}
    assert (
        look_kernel.read_config(tree(tmp_path / "b", {f"/boot/config-{RELEASE}": CONFIG}), RELEASE)["CONFIG_VXLAN"]
        == "y"
    )


def test_read_only_sysctls(tmp_path, monkeypatch):
    files = tree(tmp_path, {"/proc/sys/vm/swappiness": "60", "/proc/sys/kernel/panic": "0"})
    monkeypatch.setattr(os, "access", lambda path, mode: not path.endswith("panic"))
    assert look_kernel.read_only_sysctls(files) == ["kernel.panic"]
