# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A machine from somebody's own disk image is a host as any other; and what is no such image is refused, with the reason."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
import pytest
from testinfra.host import Host

from harness.hosts import LABEL, hosts_of
from harness.machine import has_the_whole_disk, is_prepared
from harness.playbook import ROOT, Run, inventory_of, output_of, run
from harness.targets import targets

SCENARIO = f"molecule-{os.environ['MOLECULE_SCENARIO_NAME']}"
IMAGES = ROOT / "tests" / "output" / "cloudimage"
testinfra_hosts = targets("kube_control_plane")


def test_it_boots_from_its_own_boot_loader_and_cloud_init_has_set_it_up(host: Host) -> None:
    assert "BOOT_IMAGE=" in host.file("/proc/cmdline").content_string, "syslinux started the kernel"
    assert host.check_output("hostname") == "cp1"
    assert host.file("/var/lib/cloud/data/result.json").exists
    status = json.loads(host.file("/var/lib/cloud/data/result.json").content_string)
    assert status["v1"]["errors"] == []
    assert "NoCloud" in status["v1"]["datasource"]


def test_the_disk_has_grown_to_what_the_lab_says(host: Host) -> None:
    has_the_whole_disk(host)


def test_the_roles_prepare_it_as_any_host(host: Host) -> None:
    is_prepared(host, "containerd")


class Lab:
    """A lab of one machine, made with what a test says."""

    name = "refused"

    def play(self, **more: Any) -> Run:
        values = {
            "lab_name": self.name,
            "lab_dir": str(ROOT / ".lab" / self.name),
            "lab_subnet": "10.123.11.0/24",
            "lab_kind": "vm",
            "lab_workers": 0,
            **more,
        }
        # The inventory is there for the call only: the playbook is about this machine.
        return run("slipway.kube.lab", inventory_of(SCENARIO), output_of(SCENARIO), "--extra-vars", json.dumps(values))

    def refused(self, **more: Any) -> str:
        """Return what is said to a lab that cannot be made, on one line; nothing runs then.

        :raises AssertionError: when it was made, or a container of it runs.
        """
        done = self.play(**more)
        assert done.process.returncode, "it was made"
        left = docker.from_env().containers.list(filters={"label": f"{LABEL}={self.name}"})
        assert not left, f"left running: {left}"
        return " ".join(done.output.split())


@pytest.fixture
def lab() -> Iterator[Lab]:
    made = Lab()
    yield made
    made.play(lab_state="absent").succeeded()


def test_an_image_for_another_processor_is_refused(lab: Lab) -> None:
    said = lab.refused(lab_vm_image=str(IMAGES / "arm64.qcow2"))
    assert "its boot loader is for aarch64, but this machine is x86_64" in said


def test_what_is_no_disk_is_refused(lab: Lab, tmp_path: Path) -> None:
    other = tmp_path / "notes.txt"
    other.write_text("no disk " * 100)
    assert "neither a qcow2 nor a raw disk with a boot sector" in lab.refused(lab_vm_image=str(other))
    assert "it cannot be read (No such file or directory)" in lab.refused(lab_vm_image=str(tmp_path / "missing.qcow2"))
    overlay = tmp_path / "overlay.qcow2"
    overlay.write_bytes(b"QFI\xfb" + (3).to_bytes(4, "big") + (512).to_bytes(8, "big") + bytes(1024))
    assert "flatten it with `qemu-img convert -O qcow2`" in lab.refused(lab_vm_image=str(overlay))


def test_what_there_is_no_room_for_is_refused(lab: Lab) -> None:
    image = str(IMAGES / "cloud.qcow2")
    assert "MiB free and the lab needs about 99999999" in lab.refused(lab_vm_image=image, lab_disk_needed=99999999)
    assert "need 99999999 MiB of memory (1 times 99999999)" in lab.refused(lab_vm_image=image, lab_vm_memory=99999999)


def test_a_machine_that_never_boots_is_told_with_its_console(lab: Lab, tmp_path: Path) -> None:
    empty = tmp_path / "empty.raw"
    # A boot sector that halts: cli, hlt, and on.
    empty.write_bytes(b"\xfa\xf4\xeb\xfd".ljust(446, b"\0") + partition() + b"\x55\xaa" + bytes(8 << 20))
    said = lab.refused(lab_vm_image=str(empty), lab_timeout=4)
    assert "cp1 (10.123.11.11) did not start sshd within" in said
    assert "Booting from Hard Disk" in said, "the end of its console"
    assert "lab_timeout" in said


def partition() -> bytes:
    """Return a partition table with one partition of 4 MiB after the first one."""
    return (
        b"\x80" + bytes(3) + b"\x83" + bytes(3) + (2048).to_bytes(4, "little") + (8192).to_bytes(4, "little")
    ).ljust(64, b"\0")


def make_again(*arguments: str) -> Run:
    """Run the lab's playbook for this scenario's own lab once more."""
    variables = ROOT / "molecule" / "lab" / "vars.yml"
    return run(
        "slipway.kube.lab", inventory_of(SCENARIO), output_of(SCENARIO) / "again", "-e", f"@{variables}", *arguments
    )


def test_a_second_run_has_nothing_to_do_and_numbers_may_be_strings(host: Host) -> None:
    again = make_again("-e", "lab_vm_memory=2048").succeeded()
    assert not again.changed(), "\n".join(again.changed())
    assert host.check_output("hostname") == "cp1"


def test_what_a_machine_is_does_not_change_under_it(host: Host) -> None:
    boot = host.check_output("cat /proc/sys/kernel/random/boot_id")
    said = make_again("-e", "lab_vm_memory=1024").output
    assert "has machines with 2 CPUs, 2048 MiB of memory, 20 GiB of disk" in said
    assert "lab_state: absent" in said
    assert host.check_output("cat /proc/sys/kernel/random/boot_id") == boot


def test_a_machine_whose_image_was_replaced_is_not_started_and_one_that_is_back_is() -> None:
    (machine,) = hosts_of(SCENARIO)
    image = IMAGES / "cloud.qcow2"
    before = image.stat()
    machine.switch_off()
    os.utime(image)
    try:
        said = " ".join(make_again().output.split())
    finally:
        os.utime(image, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert "cp1 (10.123.10.11) stopped immediately after it was started" in said
    assert f"({image}) has been replaced since the machine was created" in said
    make_again().succeeded()
    assert machine.execute("hostname")[1].strip() == "cp1"
