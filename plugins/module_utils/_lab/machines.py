# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Virtual machines of a lab: what they require of this machine, and how much slower they are than hardware."""

from __future__ import annotations

import json
import os
import platform
import re
from typing import Any, Mapping

from . import image
from .engine import read_text

DEBIAN = ("debian12", "debian13")
# The device, or the device node whose opening loads its module.
TUN = ("/sys/class/misc/tun", "/dev/net/tun")


def described(params: dict) -> str:
    """Return a description of machines with these parameters (vm_cpus, vm_memory, vm_disk, vm_image, vm_kernel), none of which can be changed later."""
    sizes = f"{params['vm_cpus']} CPUs, {params['vm_memory']} MiB of memory, {params['vm_disk']} GiB of disk"
    kernel = f" and the kernel {params['vm_kernel']}" if params["vm_kernel"] else ""
    return f"{sizes}, {params['vm_image'] or 'the Debian image of the lab'}{kernel}"


def available_memory() -> int:
    """Return the memory (MiB) that is available on this machine without swapping (MemAvailable, proc(5))."""
    found = re.search(r"^MemAvailable:\s*(\d+)", read_text("/proc/meminfo"), re.MULTILINE)
    return int(found.group(1)) // 1024 if found else 0


def inspect_image(path: str) -> str:
    """Return what is wrong with the user's disk image, as far as this can be checked without QEMU."""
    try:
        with open(path, "rb") as stream:
            return image_problem(stream.read(512))
    except OSError as error:
        return f"it cannot be read ({error.strerror})"


def facts(params: dict, existing: list[dict]) -> dict:
    """Return what virtual machines depend on.

    :param existing: the machines of the lab, with machine (see :func:`described`) and state.
    """
    running = sum(machine["state"] == "running" for machine in existing)
    return {
        "architecture": platform.machine(),
        "tun": any(os.path.exists(path) for path in TUN),
        "root": os.geteuid() == 0,
        "disk_built": any(image.disks(params["cache"]).values()),
        # Running machines have already allocated their memory.
        "memory_mb": available_memory() + running * params["vm_memory"],
        "kernel_missing": [
            name for name in ("linux", "modules") if not os.path.exists(os.path.join(params["vm_kernel"], name))
        ],
        "image_problem": inspect_image(params["vm_image"]) if params["vm_image"] else "",
        "machines": sorted({machine["machine"] for machine in existing}),
    }


def trial_of(folder: str) -> dict:
    """Return the recorded result of trying the accelerators for this lab; empty if there is none."""
    try:
        return json.loads(read_text(os.path.join(folder, "trial.json")))
    except ValueError:
        return {}


def problems(want: dict, have: dict) -> list[str]:
    """Return what prevents these machines here, see :func:`layout.problems`."""
    found = []
    if ":" in want["vm_image"]:
        found.append(
            f"lab_vm_image {want['vm_image']} has a colon in its path, which Docker does not support in volumes. Rename the file."
        )
    found += [
        f"Lab {want['name']} has machines with {machine}, but {want['machine']} was requested. Changing them would destroy their data: "
        "remove them first (lab_state: absent), or request what they have."
        for machine in have["machines"]
        if machine != want["machine"]
    ]
    if want["vm_kernel"] and have["kernel_missing"]:
        found.append(
            f"lab_vm_kernel {want['vm_kernel']} has no {' and no '.join(have['kernel_missing'])}. It must be a folder with a kernel for user-mode Linux "
            "(file linux) and its modules (folder modules)."
        )
    if want["vm_kernel"] and want["vm_image"]:
        found.append(
            "lab_vm_kernel and lab_vm_image are both set, but a disk image boots its own kernel with QEMU. Set one of them."
        )
    if not want["vm_image"] and want["distribution"] not in DEBIAN:
        found.append(
            f"lab_distribution is {want['distribution']}, but virtual machines are made with {', '.join(DEBIAN)} only. Use one of them, a disk "
            "image (lab_vm_image), or lab_kind: container."
        )
    if want["host_distributions"]:
        found.append(
            f"lab_host_distributions is set for {', '.join(want['host_distributions'])}, but all machines have lab_distribution. Use "
            "lab_kind: container for hosts with several distributions."
        )
    if have["architecture"] != "x86_64":
        found.append(
            f"lab_kind is vm, but this machine is {have['architecture']}: virtual machines require x86_64. Use lab_kind: container."
        )
    if not have["tun"]:
        found.append(
            f"lab_kind is vm, but this kernel has no tap devices (neither {' nor '.join(TUN)} exists). Load the module tun (modprobe tun)."
        )
    if not have["root"] and not have["disk_built"]:
        found.append(
            "lab_kind is vm, but the disk of the machines must be built first, which requires root: run this as root once."
        )
    for name, minimum in (("vm_cpus", 1), ("vm_memory", 512), ("vm_disk", 5)):
        if want[name] < minimum:
            found.append(f"lab_{name} is {want[name]}: a machine has at least {minimum}.")
    count, memory = want["control_planes"] + want["workers"], want["vm_memory"]
    if count * memory > have["memory_mb"]:
        found.append(
            f"Virtual machines need {count * memory} MiB of memory ({count} times {memory}) and this machine has {have['memory_mb']} MiB "
            "available. Use fewer machines, or a smaller lab_vm_memory."
        )
    if have["image_problem"]:
        found.append(
            f"lab_vm_image {want['vm_image']} is not a valid disk image: {have['image_problem']}. Use a qcow2 or raw image for x86_64 "
            "with cloud-init."
        )
    return found


# Guest kernels finish the trial within a second on a hardware processor (measured with KVM); emulation takes longer.
HARDWARE_SECONDS = 1.0
# Its kernel boots as fast, but each page fault of a program takes longer: test pods start after three times the time.
USER_MODE = 3.0


def slowness(trial: Mapping[str, Any], machines: int, cpus: int, processors: int) -> float:
    """Return by which factor machines are slower than hardware, at least 1.

    :param trial: the result of trying the accelerators, with the boot time of the trial kernel (:func:`trial_of`).
    :param cpus: CPUs of each machine; machines compete if they have more CPUs in total than this machine has *processors*.
    """
    contention = machines * cpus / max(1, processors)
    least = USER_MODE if trial.get("accelerator") == "uml" else 1.0
    return round(max(least, trial.get("seconds", 0.0) / HARDWARE_SECONDS) * max(1.0, contention), 1)


def stretched(waits: dict, factor: float) -> dict:
    """Return variables with every wait multiplied by *factor*: numbers of seconds, and durations such as "15s"."""
    longer: dict = {}
    for name, value in waits.items():
        if isinstance(value, dict):
            longer[name] = stretched(value, factor)
        elif isinstance(value, str):
            longer[name] = f"{round(int(value.rstrip('s')) * factor)}s"
        else:
            longer[name] = round(value * factor)
    return longer


def image_problem(header: bytes) -> str:
    """Return what is wrong with a file as a machine's disk, from its first 512 bytes; empty if nothing is.

    A qcow2 image starts with its magic number and has the offset of its backing file at byte 8 (docs/interop/qcow2 of QEMU); the
    first sector of a raw disk ends with the boot signature.
    """
    if header[:4] == b"QFI\xfb":
        if any(header[8:16]):
            return "it is an overlay of another file, which a machine cannot access; flatten it with `qemu-img convert -O qcow2`"
        return ""
    if header[510:512] == b"\x55\xaa":
        return ""
    return "it is neither a qcow2 nor a raw disk with a boot sector"
