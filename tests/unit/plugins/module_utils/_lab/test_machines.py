# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a lab's virtual machines are, and how slow."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.slipway.kube.plugins.module_utils._lab import image, machines

SIZES = {"vm_cpus": 2, "vm_memory": 2048, "vm_disk": 20, "vm_image": "", "vm_kernel": ""}


def test_a_machine_is_told_in_words():
    assert machines.described(SIZES) == "2 CPUs, 2048 MiB of memory, 20 GiB of disk, the Debian image of the lab"
    assert machines.described(dict(SIZES, vm_image="/noble.qcow2")).endswith("20 GiB of disk, /noble.qcow2")
    assert machines.described(dict(SIZES, vm_kernel="/uml")).endswith("the Debian image of the lab and the kernel /uml")


def test_a_kernel_consists_of_a_program_and_modules(tmp_path):
    (tmp_path / "linux").touch()
    assert machines.facts(dict(SIZES, cache=str(tmp_path), vm_kernel=str(tmp_path)), [])["kernel_missing"] == [
        "modules"
    ]


def test_only_machines_that_run_have_their_memory_already(tmp_path, monkeypatch):
    monkeypatch.setattr(machines, "available_memory", lambda: 1000)
    made = [
        {"machine": "b", "state": "running"},
        {"machine": "a", "state": "exited"},
        {"machine": "a", "state": "running"},
    ]
    facts = machines.facts(dict(SIZES, cache=str(tmp_path)), made)
    assert facts["memory_mb"] == 1000 + 2 * 2048
    assert facts["machines"] == ["a", "b"]
    assert facts["disk_built"] is False


@pytest.mark.parametrize(
    ("folder", "file", "built"),
    [
        ("slipway-disk-bookworm-0", "root.img", True),
        ("slipway-disk-bookworm-0", "vmlinuz", False),  # an engine makes a folder to have something to mount
        ("slipway-disk-bookworm-0.part", "root.img", False),
        ("slipway-lab-bookworm-0", "root.img", False),
    ],
)
def test_a_disk_is_there_when_it_is_whole(tmp_path: Path, folder, file, built):
    (tmp_path / folder).mkdir()
    (tmp_path / folder / file).write_text("")
    assert any(image.disks(str(tmp_path)).values()) is built


@pytest.mark.parametrize(
    ("seconds", "count", "cpus", "processors", "times"),
    [
        (0.0, 0, 2, 2, 1.0),  # containers: nothing was tried
        (0.7, 2, 2, 8, 1.0),
        (4.0, 1, 2, 2, 4.0),
        (4.0, 2, 2, 2, 8.0),  # they wait for each other
        (0.7, 8, 2, 4, 4.0),
    ],
)
def test_waits_grow_with_what_a_trial_kernel_took(seconds, count, cpus, processors, times):
    assert machines.slowness({"seconds": seconds, "accelerator": "kvm"}, count, cpus, processors) == times
    assert machines.slowness({"seconds": 0.5, "accelerator": "uml"}, 1, 2, 2) == 3.0


def test_seconds_and_durations_grow_alike():
    waits = {"worker_timeout": 300, "scheduler": {"leader-elect-lease-duration": "15s"}}
    assert machines.stretched(waits, 1.5) == {
        "worker_timeout": 450,
        "scheduler": {"leader-elect-lease-duration": "22s"},
    }
    assert machines.stretched(waits, 1.0) == waits


@pytest.mark.parametrize(
    ("header", "said"),
    [
        (b"QFI\xfb" + bytes(508), ""),
        (b"QFI\xfb\0\0\0\3\0\0\0\0\0\0\2\0" + bytes(496), "overlay of another file"),
        (bytes(510) + b"\x55\xaa", ""),
        (b"KDMV" + bytes(508), "neither a qcow2 nor a raw disk"),
        (b"", "neither a qcow2 nor a raw disk"),
    ],
)
def test_a_disk_image_is_known_by_its_first_sector(header, said):
    found = machines.image_problem(header)
    assert said in found
    assert bool(found) == bool(said)
