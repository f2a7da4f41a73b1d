# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lab hosts that are virtual machines: what they need of this machine, what speaks against them, and how slow they are."""

from __future__ import annotations

import json
import os
import platform

from . import image
from .engine import read_text

# The device, or the name under which opening it loads its module.
TUN = ("/sys/class/misc/tun", "/dev/net/tun")
SIZES = "%(vm_cpus)d CPUs, %(vm_memory)d MiB of memory, %(vm_disk)d GiB of disk, %(vm_image)s"


def described(params: dict) -> str:
    """What machines of these parameters (vm_cpus, vm_memory, vm_disk, vm_image) are; none of it changes without losing them."""
    return SIZES % dict(params, vm_image=params["vm_image"] or "the lab's own Debian")


def available_memory() -> int:
    """Memory (MiB) that this machine can give without swapping (MemAvailable, proc(5))."""
    for line in read_text("/proc/meminfo").splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) // 1024
    return 0


def look_at_image(path: str) -> str:
    """What speaks against the user's disk image before it is handed to QEMU."""
    try:
        with open(path, "rb") as stream:
            return image_problem(stream.read(512))
    except OSError as error:
        return f"it cannot be read ({error.strerror})"


def facts(params: dict, made: list[dict]) -> dict:
    """What matters to virtual machines, of which those of *made* (machine, as :func:`described`, and state) are there."""
    running = sum(machine["state"] == "running" for machine in made)
    return {
        "architecture": platform.machine(),
        "tun": any(os.path.exists(path) for path in TUN),
        "root": os.geteuid() == 0,
        "disk_built": image.has_disk(params["cache"]),
        # Those that run have theirs already.
        "memory_mb": available_memory() + running * params["vm_memory"],
        "image_problem": look_at_image(params["vm_image"]) if params["vm_image"] else "",
        "machines": sorted({machine["machine"] for machine in made}),
    }


def trial_of(folder: str) -> dict:
    """What the accelerators did when they were tried for this lab."""
    try:
        return json.loads(read_text(os.path.join(folder, "trial.json")))
    except ValueError:
        return {}


def problems(want: dict, have: dict) -> list[str]:
    """What speaks against these machines here, see plan.problems."""
    found = []
    if ":" in want["vm_image"]:
        found.append(
            f"lab_vm_image {want['vm_image']} has a colon in its path, at which the engine would cut it: rename it."
        )
    for machine in have["machines"]:
        if machine != want["machine"]:
            found.append(
                "Lab {} has machines with {}, and now {} is asked for, which would take all that is on them: remove them first "
                "(lab_state: absent), or ask for what they have.".format(want["name"], machine, want["machine"])
            )
    if have["architecture"] != "x86_64":
        found.append(
            "lab_kind is vm and this machine is {}: virtual machines are made for x86_64 only. Take lab_kind: container.".format(
                have["architecture"]
            )
        )
    if not have["tun"]:
        found.append(
            "lab_kind is vm and this kernel has no tap devices (neither {} is there): load the module tun (modprobe tun).".format(
                " nor ".join(TUN)
            )
        )
    if not have["root"] and not have["disk_built"]:
        found.append(
            "lab_kind is vm and the machines' disk is still to be made, which takes root: run this as root once."
        )
    for name, least in (("vm_cpus", 1), ("vm_memory", 512), ("vm_disk", 5)):
        if want[name] < least:
            found.append("lab_%s is %d: a machine has at least %d." % (name, want[name], least))
    count = want["control_planes"] + want["workers"]
    if count * want["vm_memory"] > have["memory_mb"]:
        found.append(
            "Virtual machines need %d MiB of memory (%d times %d) and this machine has %d MiB to give: take fewer, or a smaller lab_vm_memory."
            % (count * want["vm_memory"], count, want["vm_memory"], have["memory_mb"])
        )
    if have["image_problem"]:
        found.append(
            "lab_vm_image {} is no disk for a machine: {}. It takes a qcow2 or raw image with cloud-init for x86_64.".format(
                want["vm_image"], have["image_problem"]
            )
        )
    return found


# Guest kernels reach their end within a second on a processor of their own (measured with KVM); emulation takes longer.
QUICK = 1.0


def slowness(seconds: float, machines: int, cpus: int, processors: int) -> float:
    """How much longer than on real hardware things take in machines of which a trial kernel took *seconds* to boot, at least 1.

    Machines that have more CPUs together than there are *processors* wait for each other.
    """
    crowd = machines * cpus / max(1, processors)
    return round(max(1.0, seconds / QUICK) * max(1.0, crowd), 1)


def stretched(waits: dict, times: float) -> dict:
    """Variables with every wait in them so many *times* as long: numbers of seconds, and durations such as "15s"."""
    longer: dict = {}
    for name, value in waits.items():
        if isinstance(value, dict):
            longer[name] = stretched(value, times)
        elif isinstance(value, str):
            longer[name] = "%ds" % round(int(value.rstrip("s")) * times)
        else:
            longer[name] = round(value * times)
    return longer


def image_problem(header: bytes) -> str:
    """What speaks against a file as a machine's disk, from its first 512 bytes; "" when nothing does.

    A qcow2 begins with its magic and names a file that it is an overlay of at byte 8 (docs/interop/qcow2 of QEMU); a raw disk
    ends its first sector with the boot signature.
    """
    if header[:4] == b"QFI\xfb":
        if any(header[8:16]):
            return "it is an overlay of another file, which a machine would not see; flatten it with `qemu-img convert -O qcow2`"
        return ""
    if header[510:512] == b"\x55\xaa":
        return ""
    return "it is neither a qcow2 nor a raw disk with a boot sector"
