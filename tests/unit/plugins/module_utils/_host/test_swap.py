# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Swap, off now and after a reboot."""

from __future__ import annotations

import pytest

from ansible_collections.slipway.kube.plugins.module_utils._host.swap import (
    disable_fstab,
    plan_swap,
    restore_fstab,
    unit_action,
    unit_names,
)
from ansible_collections.slipway.kube.plugins.module_utils._host.system import HostError, Result, System

FSTAB = """\
# /etc/fstab
UUID=1 / ext4 defaults 0 1
UUID=2 none swap sw 0 0
#/old none swap sw 0 0
  /swapfile\tswap\tswap\tdefaults\t0\t0
LABEL=swap /mnt/swap ext4 defaults 0 2"""

PROC_SWAPS = "Filename\tType\tSize\tUsed\tPriority\n/dev/sda2 partition 2097148 0 -2\n"


def test_lines_of_swap_are_commented_out_and_nothing_else():
    lines = disable_fstab(FSTAB).splitlines()
    assert lines[2] == "# swap off (slipway.kube): UUID=2 none swap sw 0 0"
    assert lines[4] == "# swap off (slipway.kube):   /swapfile\tswap\tswap\tdefaults\t0\t0"
    assert [lines[i] for i in (0, 1, 3, 5)] == [FSTAB.splitlines()[i] for i in (0, 1, 3, 5)]


def test_fstab_twice_is_the_same_and_comes_back_with_later_edits():
    once = disable_fstab(FSTAB)
    assert disable_fstab(once) == once
    assert restore_fstab(once) == FSTAB
    assert restore_fstab(once + "\nUUID=9 /data ext4 defaults 0 2\n") == FSTAB + "\nUUID=9 /data ext4 defaults 0 2\n"


LOADED = {
    "LoadState": "loaded",
    "UnitFileState": "enabled",
    "ActiveState": "active",
    "FragmentPath": "/usr/lib/systemd/system/x",
}


@pytest.mark.parametrize(
    ("name", "shown", "action"),
    [
        (
            "dev-sda2.swap",
            dict(LOADED, SourcePath="/etc/fstab", UnitFileState="generated", RequiredBy="swap.target"),
            "",
        ),
        (
            "dev-sda3.swap",
            dict(
                LOADED,
                UnitFileState="generated",
                FragmentPath="/run/systemd/generator.late/dev-sda3.swap",
                WantedBy="swap.target",
            ),
            "mask",
        ),
        (
            "dev-zram0.swap",
            dict(
                LOADED,
                UnitFileState="generated",
                FragmentPath="/run/systemd/generator/dev-zram0.swap",
                RequiredBy="swap.target",
            ),
            "mask",
        ),
        ("systemd-zram-setup@zram0.service", dict(LOADED, UnitFileState="static", RequiredBy="dev-zram0.swap"), "mask"),
        (
            "systemd-zram-setup@zram0.service",
            dict(LOADED, UnitFileState="static", RequiredBy="dev-zram0.swap", ActiveState="inactive"),
            "",
        ),
        ("zramswap.service", LOADED, "mask"),
        ("zramswap.service", dict(LOADED, UnitFileState="disabled", ActiveState="inactive"), ""),
        ("swapfile.swap", dict(LOADED, FragmentPath="/etc/systemd/system/swapfile.swap"), "disable"),
        (
            "swapfile.swap",
            dict(
                LOADED, FragmentPath="/etc/systemd/system/swapfile.swap", UnitFileState="static", ActiveState="active"
            ),
            "",
        ),
        ("dev-sda3.swap", {"LoadState": "masked", "UnitFileState": "masked", "ActiveState": "inactive"}, ""),
        ("gone.swap", {"LoadState": "not-found", "ActiveState": "inactive"}, ""),
    ],
)
def test_what_keeps_a_unit_from_bringing_swap_back(name, shown, action):
    assert unit_action(name, shown) == action


def test_the_service_of_each_zram_device_is_looked_at_too():
    listed = ["dev-zram0.swap", "dev-sda2.swap", "ssh.service", "zramswap.service"]
    assert unit_names(listed) == [
        "dev-sda2.swap",
        "dev-zram0.swap",
        "systemd-zram-setup@zram0.service",
        "zramswap.service",
    ]


class Host:
    """A host with swap, and what was run on it."""

    def __init__(self, root, swapoff=0):
        self.root = root
        self.ran = []
        self.swapoff = swapoff
        for path, text in {
            "etc/fstab": FSTAB,
            "proc/swaps": PROC_SWAPS,
            "run/systemd/generator/dev-zram0.swap": "",
        }.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(text)
        self.system = System(str(root), self.run)

    def run(self, command, env):
        self.ran.append(command)
        if command[:2] == ["systemctl", "show"]:
            zram = "LoadState=loaded\nUnitFileState=generated\nActiveState=active\nFragmentPath=/run/systemd/generator/dev-zram0.swap\nWantedBy=swap.target"
            return Result(
                0,
                zram
                + "\n\nLoadState=loaded\nUnitFileState=static\nActiveState=active\nFragmentPath=/usr/lib/systemd/system/x\n",
            )
        if command[0] == "swapoff":
            return Result(self.swapoff, "", "Cannot allocate memory" if self.swapoff else "")
        return Result(0)


def test_swap_is_switched_off_now_and_for_good(tmp_path):
    host = Host(tmp_path)
    steps = plan_swap(host.system, "absent", [])
    assert [step.subject for step in steps] == [
        "file /etc/fstab",
        "unit dev-zram0.swap",
        "unit systemd-zram-setup@zram0.service",
        "active swap",
    ]
    assert steps[0].remember[0][2]["content"] == FSTAB
    assert ("swap", "active", ["/dev/sda2"]) in steps[-1].remember
    for step in steps:
        step.apply()
    assert (tmp_path / "etc/fstab").read_text() == disable_fstab(FSTAB)
    assert ["systemctl", "mask", "dev-zram0.swap"] in host.ran
    assert host.ran[-1] == ["swapoff", "/dev/sda2"]


def show(properties):
    """A systemctl that knows the properties of some units."""

    def run(command, env):
        if command[:2] != ["systemctl", "show"]:
            return Result(0)
        unknown = {"LoadState": "not-found", "ActiveState": "inactive"}
        blocks = [properties.get(name, unknown) for name in command[3:]]
        return Result(0, "\n\n".join("\n".join(f"{key}={one}" for key, one in block.items()) for block in blocks))

    return run


def put(root, path, text=""):
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_text(text)


@pytest.mark.parametrize("found_by_partition_table", [True, False])
def test_a_swap_partition_that_fstab_no_longer_lists_is_not_found_by_the_partition_table(
    tmp_path, found_by_partition_table
):
    put(tmp_path, "etc/fstab", "/dev/sda3 none swap sw 0 0\n")
    put(tmp_path, "run/systemd/generator/dev-sda3.swap")
    if found_by_partition_table:
        put(tmp_path, "run/systemd/generator.late/dev-sda3.swap")
    fragment = "/run/systemd/generator/dev-sda3.swap"
    listed = dict(LOADED, UnitFileState="generated", FragmentPath=fragment, SourcePath="/etc/fstab")
    steps = plan_swap(System(str(tmp_path), show({"dev-sda3.swap": listed})), "absent", [])
    units = [step.sentence for step in steps if step.subject.startswith("unit ")]
    assert ["dev-sda3.swap masked" in sentence for sentence in units] == [True] * found_by_partition_table


ZRAM = "usr/lib/systemd/zram-generator.conf"


@pytest.mark.parametrize(
    ("files", "masked"),
    [
        ({ZRAM: "[zram0]\nzram-size = ram / 2\n"}, ["dev-zram0.swap"]),
        ({"etc/systemd/zram-generator.conf.d/a.conf": "[zram1]\n"}, ["dev-zram1.swap"]),
        ({ZRAM: "[zram0]\n", "etc/systemd/zram-generator.conf": "# none\n"}, []),
        ({ZRAM: "[zram0]\nmount-point = /tmp\n"}, []),
        ({ZRAM: "[zram0]\nfs-type = ext4\n"}, []),
        ({ZRAM: "[zram0]\n", "run/systemd/container": "lxc"}, []),
        ({ZRAM: "zram-size=1\n[other]\n%%"}, []),
        ({}, []),
    ],
)
def test_zram_that_the_generator_sets_up_at_the_next_boot_is_prevented(tmp_path, files, masked):
    for path, text in files.items():
        put(tmp_path, path, text)
    steps = plan_swap(System(str(tmp_path), show({})), "absent", [])
    assert [step.subject for step in steps] == [f"unit {name}" for name in masked]
    done = {name: {"LoadState": "masked", "ActiveState": "inactive"} for name in masked}
    assert plan_swap(System(str(tmp_path), show(done)), "absent", []) == []


def test_a_swap_that_does_not_fit_into_memory_is_explained(tmp_path):
    host = Host(tmp_path, swapoff=1)
    with pytest.raises(
        HostError, match=r"/dev/sda2 cannot be turned off: Cannot allocate memory.*2047 MiB.*swap_state: kept"
    ):
        plan_swap(host.system, "absent", [])[-1].apply()


def test_kept_changes_nothing(tmp_path):
    assert plan_swap(Host(tmp_path).system, "kept", []) == []


def test_a_container_leaves_the_machines_swap_alone(tmp_path):
    host = Host(tmp_path)
    (tmp_path / ".dockerenv").write_text("")
    notes = []
    steps = plan_swap(host.system, "absent", notes)
    assert "active swap" not in [step.subject for step in steps]
    assert "/dev/sda2 belongs to the machine" in notes[0]
