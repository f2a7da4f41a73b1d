# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""First process of a container that carries a virtual machine.

``run`` hands the container's address over to a machine of its own kernel and becomes QEMU; the container's log is
the serial console. ``probe`` boots a kernel with each accelerator and prints what works, as a line of JSON.
What the machine is stands in the environment variable LAB_MACHINE: cpus, memory (MiB), disk (GiB), accelerator.
"""

from __future__ import annotations

import ipaddress
import json
import os
import subprocess
import sys
import time

DISK = "/machine"  # vmlinuz, initrd.img and root.img, the same for all machines
IMAGE = "/image"  # the user's own disk image, where there is one
KEYS = "/lab"  # what the lab made for this host
STATE = "/var/lib/lab-machine"
RUN = "/run/lab-machine"
SEED = RUN + "/seed"
UNKNOWN = [name + "=off" for name in ("fxsr-opt", "misalignsse", "nrip-save", "osvw", "topoext", "xsavec")]
# Emulated, a processor that costs little to be: QEMU moves strings byte by byte where erms is on, kernels guard Intel's
# processors against what emulation cannot do, and "max" hangs at boot (QEMU 10.0). EPYC has all of x86-64-v3; what is
# switched off besides cannot be emulated, and would only be warned of on the console.
HYPERVISOR = {
    "kvm": ["-accel", "kvm", "-cpu", "host"],
    "tcg": ["-accel", "tcg,thread=multi,tb-size=1024", "-cpu", "EPYC,erms=off," + ",".join(UNKNOWN)],
}
# Guards against speculation only cost time there, and the time stamp counter is this machine's: any other clock stops
# the whole machine to be read.
KERNEL = {"kvm": "", "tcg": " mitigations=off tsc=reliable"}
# A kernel without a disk gives up within a second on a real processor; KVM that can not do it in this time hangs.
PATIENCE = {"kvm": 15, "tcg": 180}


def mac_address(address: str) -> str:
    """A locally administered MAC address that follows from an IPv4 address, so that it stays when the machine is made anew."""
    return "52:54:" + ":".join(f"{byte:02x}" for byte in ipaddress.ip_address(address).packed)


def user_data(user: str, host_key: str, host_key_public: str, authorized_key: str) -> dict:
    """cloud-init's #cloud-config (JSON is YAML): the user, and keys that the control node knows already."""
    account = {
        "name": user,
        "ssh_authorized_keys": [authorized_key],
        "sudo": "ALL=(ALL) NOPASSWD: ALL",
        "shell": "/bin/bash",
        "lock_passwd": True,
    }
    return {
        "users": [account],
        "ssh_deletekeys": True,
        "ssh_genkeytypes": ["ed25519"],
        "ssh_keys": {"ed25519_private": host_key, "ed25519_public": host_key_public},
        "manage_etc_hosts": "localhost",
    }


def network_config(mac: str, address: str, gateway: str, name_servers: list[str], mtu: int) -> dict:
    """cloud-init's network configuration, version 2; *address* with its prefix length."""
    card = {
        "match": {"macaddress": mac},
        "addresses": [address],
        "nameservers": {"addresses": name_servers},
        "mtu": mtu,
    }
    if gateway:
        card["routes"] = [{"to": "0.0.0.0/0", "via": gateway}]
    return {"version": 2, "ethernets": {"lan": card}}


def hypervisor(machine: dict, mac: str, disk: str, own_kernel: bool) -> list[str]:
    """QEMU's command line. *own_kernel* is whether the disk is the lab's, whose kernel is started without a boot loader."""
    command = ["qemu-system-x86_64", *HYPERVISOR[machine["accelerator"]]]
    command += ["-nodefaults", "-nographic", "-serial", "stdio"]
    command += ["-smp", str(machine["cpus"]), "-m", str(machine["memory"])]
    if own_kernel:
        command += ["-kernel", DISK + "/vmlinuz", "-initrd", DISK + "/initrd.img"]
        command += ["-append", "root=LABEL=root ro console=ttyS0" + KERNEL[machine["accelerator"]]]
    command += ["-drive", f"if=virtio,file={disk},discard=unmap"]
    # Last, so that firmware finds the boot loader on the first one.
    command += ["-drive", f"if=virtio,driver=vvfat,dir={SEED},label=cidata,read-only=on"]
    command += ["-netdev", "tap,id=lan,ifname=tap0,script=no,downscript=no"]
    return command + ["-device", "virtio-net-pci,netdev=lan,mac=" + mac, "-device", "virtio-rng-pci"]


def boot_loader(sectors: bytes) -> str:
    """Architecture for which an EFI system partition starts, from the short names in its directories; "" for none."""
    for name, architecture in ((b"BOOTX64 EFI", "x86_64"), (b"BOOTAA64EFI", "aarch64")):
        if name in sectors:
            return architecture
    return ""


def run(*command: str):
    """What a command writes, as JSON where it is that."""
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout.decode()
    return json.loads(output) if output.startswith(("{", "[")) else output


def read(path: str) -> str:
    with open(path, encoding="utf-8") as stream:
        return stream.read()


def write(path: str, text: str) -> None:
    os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
    with open(path, "w", encoding="utf-8") as stream:
        stream.write(text)


def have_device(path: str, major: int, minor: int) -> None:
    """A device node: an engine without --privileged makes none."""
    if not os.path.exists(path):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        os.mknod(path, 0o20600, os.makedev(major, minor))


def hand_over_network() -> tuple[str, str, int]:
    """Bridge the container's card to a tap device; return (address with prefix, gateway or "", MTU)."""
    (card,) = run("ip", "-json", "-family", "inet", "address", "show", "dev", "eth0")
    (address,) = ["%s/%d" % (entry["local"], entry["prefixlen"]) for entry in card["addr_info"]]
    routes = run("ip", "-json", "route", "show", "default") or []
    have_device("/dev/net/tun", 10, 200)
    for line in (
        "link add name lan type bridge",
        "address flush dev eth0",
        "link set dev eth0 master lan",
        "tuntap add dev tap0 mode tap",
        "link set dev tap0 master lan",
        "link set dev tap0 mtu %d up" % card["mtu"],
        "link set dev lan up",
    ):
        run("ip", *line.split())
    return address, routes[0]["gateway"] if routes else "", card["mtu"]


def source() -> tuple[str, dict]:
    """The disk that machines are copies of, and what qemu-img says of it."""
    path = IMAGE if os.path.exists(IMAGE) else DISK + "/root.img"
    return path, run("qemu-img", "info", "--output=json", path)


def identity(path: str) -> str:
    """What tells a disk from another one of that name."""
    state = os.stat(path)
    return "%d bytes of %d" % (state.st_size, state.st_mtime_ns)


def have_disk(size: int) -> str:
    """The machine's own disk: what it writes, over the one that all share. Over another one it would be rubbish."""
    path = STATE + "/disk.qcow2"
    base, facts = source()
    if os.path.exists(path):
        if read(STATE + "/copy-of") != identity(base):
            sys.exit(
                "The disk that this machine is a copy of ({}) has been replaced since the machine was made, and the machine's own is of no "
                "use without it. `lab_state: reset` makes the lab's hosts anew.".format(os.environ["LAB_DISK"])
            )
    else:
        write(STATE + "/copy-of", identity(base))
        run("qemu-img", "create", "-q", "-f", "qcow2", "-b", base, "-F", facts["format"], path + ".part", "%dG" % size)
        os.replace(path + ".part", path)
    return path


def seed(name: str, address: str, gateway: str, mtu: int) -> str:
    """What cloud-init reads at the first start (data source NoCloud)."""
    servers = [line.split()[1] for line in read(KEYS + "/resolv.conf").splitlines() if line.startswith("nameserver ")]
    key = KEYS + "/ssh_host_ed25519_key"
    user = user_data(
        os.environ["LAB_USER"], read(key), read(key + ".pub").strip(), read(KEYS + "/authorized_keys").strip()
    )
    mac = mac_address(address.split("/")[0])
    write(SEED + "/meta-data", json.dumps({"instance-id": f"{name}-{address}", "local-hostname": name}))
    write(SEED + "/user-data", "#cloud-config\n" + json.dumps(user))
    write(SEED + "/network-config", json.dumps(network_config(mac, address, gateway, servers, mtu)))
    return mac


def become_machine() -> None:
    """Never comes back: QEMU takes the process over, so that the engine's signals are the machine's switch."""
    machine = json.loads(os.environ["LAB_MACHINE"])
    if machine["accelerator"] == "kvm":
        have_device("/dev/kvm", 10, 232)
    disk = have_disk(machine["disk"])
    address, gateway, mtu = hand_over_network()
    mac = seed(os.uname().nodename, address, gateway, mtu)
    command = hypervisor(machine, mac, disk, not os.path.exists(IMAGE))
    os.execvp(command[0], command)


def boot_seconds(accelerator: str) -> float:
    """Seconds until a kernel without a disk gives up; 0.0 when it does not get that far."""
    command = ["qemu-system-x86_64", *HYPERVISOR[accelerator], "-m", "256", "-nodefaults", "-nographic", "-no-reboot"]
    command += ["-serial", "stdio", "-kernel", DISK + "/vmlinuz", "-append", "console=ttyS0 panic=-1"]
    began = time.time()
    try:
        output = subprocess.run(
            command, check=False, timeout=PATIENCE[accelerator], stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        ).stdout
    except subprocess.TimeoutExpired:
        return 0.0
    return round(time.time() - began, 1) if b"Kernel panic" in output else 0.0


def copy(image: str, form: str, target: str, begin: int, length: int) -> None:
    """Copy *length* MiB of a disk image, from *begin* on, as they are on the disk."""
    places = ["skip=%d" % begin, "count=%d" % (begin + length)]  # qemu-img counts what it skips
    run("qemu-img", "dd", "-f", form, "-O", "raw", "bs=1M", *places, "if=" + image, "of=" + target)


def judge_image(size: int) -> str:
    """What speaks against the user's disk image for machines with a disk of *size* GiB, "" when nothing does."""
    try:
        path, facts = source()
    except subprocess.CalledProcessError:
        return "qemu-img cannot read it as a disk image"
    needed = -(-facts["virtual-size"] // (1 << 30))
    if needed > size:
        return "it holds a disk of %d GiB, and lab_vm_disk is %d: set that to %d at least" % (needed, size, needed)
    os.makedirs(RUN, exist_ok=True)
    start = RUN + "/start"
    copy(path, facts["format"], start, 0, 4)
    with open(start, "r+b") as stream:
        stream.truncate(facts["virtual-size"])
    try:
        table = run("sfdisk", "--json", start)["partitiontable"]
    except subprocess.CalledProcessError:
        return "it has no partition table to boot from"
    for part in table.get("partitions", []):
        if part["type"].upper() in ("C12A7328-F81F-11D2-BA4B-00A0C93EC93B", "EF"):
            place = RUN + "/esp"
            # In MiB, one more on each side: partitions of old tools begin anywhere.
            begin, length = part["start"] // 2048, min(part["size"] // 2048 + 2, 64)
            copy(path, facts["format"], place, begin, length)
            with open(place, "rb") as stream:
                found = boot_loader(stream.read())
            if found and found != os.uname().machine:
                return f"its boot loader is for {found}, and this machine is {os.uname().machine}"
    with open(start, "rb") as stream:
        if not any(stream.read(440)):
            return "it has no boot loader for BIOS, with which these machines start"
    return ""


def probe() -> None:
    """Print the accelerator that works, what it took, and what speaks against the image."""
    answer: dict = {
        "accelerator": "",
        "seconds": 0.0,
        "kvm": "absent",
        "image": judge_image(json.loads(os.environ["LAB_MACHINE"])["disk"]) if os.path.exists(IMAGE) else "",
    }
    tried = ["tcg"]
    if os.path.exists("/sys/class/misc/kvm"):
        have_device("/dev/kvm", 10, 232)
        tried.insert(0, "kvm")
        answer["kvm"] = "hangs or fails"
    for accelerator in [] if answer["image"] else tried:
        answer["seconds"] = boot_seconds(accelerator)
        if answer["seconds"]:
            answer["accelerator"] = accelerator
            answer["kvm"] = "works" if accelerator == "kvm" else answer["kvm"]
            break
    print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    {"run": become_machine, "probe": probe}[sys.argv[1]]()
