# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Entrypoint of a container that runs a virtual machine.

``run`` passes the container's address on to the virtual machine and executes QEMU; the container's log is the serial
console. ``probe`` boots a kernel with each accelerator and prints the result as a line of JSON. The environment variable
LAB_MACHINE describes the machine: cpus, memory (MiB), disk (GiB), accelerator. The accelerator uml is user-mode Linux, a
kernel that runs as a process, instead of QEMU.
"""

from __future__ import annotations

import ipaddress
import json
import os
import subprocess
import sys
import time

DISK = "/machine"  # vmlinuz, initrd.img and root.img, shared by all machines
IMAGE = "/image"  # the user's disk image, if there is one
USER_MODE_LINUX = DISK + "/linux"  # if there is one
KEYS = "/lab"  # keys and resolv.conf of this host
STATE = "/var/lib/lab-machine"
AUTHORITY = "/usr/local/share/ca-certificates/lab.crt"
STORE = "/etc/ssl/certs"
RUN = "/run/lab-machine"
SEED = RUN + "/seed"
UNKNOWN = [name + "=off" for name in ("fxsr-opt", "misalignsse", "nrip-save", "osvw", "topoext", "xsavec")]
# The emulated processor is one that is fast to emulate: with erms, QEMU moves strings byte by byte; for Intel processors,
# kernels enable mitigations that emulation does not need; and "max" hangs at boot (QEMU 10.0). EPYC has all of x86-64-v3.
# The other disabled features cannot be emulated and would only cause warnings on the console.
HYPERVISOR = {
    "kvm": ["-accel", "kvm", "-cpu", "host"],
    "tcg": ["-accel", "tcg,thread=multi,tb-size=1024", "-cpu", "EPYC,erms=off," + ",".join(UNKNOWN)],
}
# Under emulation, mitigations of speculative execution only cost time, and the time stamp counter is reliable; reading any
# other clock stops the whole machine.
KERNEL = {"kvm": "", "tcg": " mitigations=off tsc=reliable"}
# Seconds to wait for the kernel panic without a disk, which takes a second on hardware; KVM that takes longer hangs.
TRIAL_TIMEOUT = {"kvm": 15, "tcg": 180, "uml": 60}


def mac_address(address: str) -> str:
    """Return a locally administered MAC address derived from an IPv4 address, so that a recreated machine keeps it."""
    return "52:54:" + ":".join(f"{byte:02x}" for byte in ipaddress.ip_address(address).packed)


def user_data(user: str, host_key: str, host_key_public: str, authorized_key: str) -> dict:
    """Return cloud-init's #cloud-config (JSON is YAML): the user, and keys that the control node already knows."""
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


def trust(authority: str, hosts: str, own_image: bool) -> dict:
    """Return the part of the #cloud-config with which the machine trusts the lab's authority and knows the lab's names.

    :param authority: certificate of the authority; empty for none.
    :param hosts: additional lines of /etc/hosts.
    :param own_image: whether the machine has the lab's image. There, the one certificate is added as update-ca-certificates would
        add it, which handles all 140 others as well and takes minutes under emulation.
    """
    part: dict = {}
    files = [{"path": "/etc/hosts", "append": True, "content": hosts}] if hosts else []
    if authority and own_image:
        files.append({"path": AUTHORITY, "content": authority})
        name = f"$(openssl x509 -noout -hash -in {AUTHORITY}).0"
        part["bootcmd"] = [
            f"cat {AUTHORITY} >>{STORE}/ca-certificates.crt && ln -s {AUTHORITY} {STORE}/lab.pem && ln -s lab.pem {STORE}/{name}"
        ]
    elif authority:
        part["ca_certs"] = {"trusted": [authority]}
    return {**part, "write_files": files} if files else part


def added_hosts(text: str, names: str) -> str:
    """Return the lines of /etc/hosts for *names* (separated by spaces), which the Docker Engine has added."""
    lines = [line for line in text.splitlines() if set(line.split()[1:]) & set(names.split())]
    return "".join(line + "\n" for line in lines)


def network_config(mac: str, address: str, gateway: str, name_servers: list[str], mtu: int) -> dict:
    """Return cloud-init's network configuration, version 2.

    :param address: address with its prefix length.
    """
    card = {
        "match": {"macaddress": mac},
        "addresses": [address],
        "nameservers": {"addresses": name_servers},
        "mtu": mtu,
    }
    if gateway:
        card["routes"] = [{"to": "0.0.0.0/0", "via": gateway}]
    return {"version": 2, "ethernets": {"lan": card}}


def hypervisor(machine: dict, mac: str, disk: str, direct_boot: bool) -> list[str]:
    """Return the QEMU command line.

    :param direct_boot: whether to boot the kernel of the lab's Debian disk without a boot loader.
    """
    command = ["qemu-system-x86_64", *HYPERVISOR[machine["accelerator"]]]
    command += ["-nodefaults", "-nographic", "-serial", "stdio"]
    command += ["-smp", str(machine["cpus"]), "-m", str(machine["memory"])]
    if direct_boot:
        command += ["-kernel", DISK + "/vmlinuz", "-initrd", DISK + "/initrd.img"]
        security = " security=selinux" if machine["selinux"] else ""
        command += ["-append", "root=LABEL=root ro console=ttyS0" + KERNEL[machine["accelerator"]] + security]
    command += ["-drive", f"if=virtio,file={disk},discard=unmap"]
    # Last, so that the firmware finds the boot loader on the first drive.
    command += ["-drive", f"if=virtio,driver=vvfat,dir={SEED},label=cidata,read-only=on"]
    command += ["-netdev", "tap,id=lan,ifname=tap0,script=no,downscript=no"]
    return command + ["-device", "virtio-net-pci,netdev=lan,mac=" + mac, "-device", "virtio-rng-pci"]


def user_mode_linux(machine: dict, mac: str, disk: str, seed_disk: str) -> list[str]:
    """Return the command line of user-mode Linux; with seccomp, it enters its processes several times as fast as with ptrace."""
    command = [USER_MODE_LINUX, f"mem={machine['memory']}M", f"ncpus={machine['cpus']}", "seccomp=on"]
    command += ["ubd0=" + disk, "ubd1r=" + seed_disk, "root=/dev/ubda", "ro"]
    command += ["vec0:transport=raw,ifname=eth0,depth=64,gro=1,mac=" + mac, "con0=null,fd:1", "con=none", "ssl=none"]
    return command + (["security=selinux"] if machine["selinux"] else [])


def boot_loader(sectors: bytes) -> str:
    """Return the architecture of the boot loader in an EFI system partition, from its short file names; empty for none."""
    for name, architecture in ((b"BOOTX64 EFI", "x86_64"), (b"BOOTAA64EFI", "aarch64")):
        if name in sectors:
            return architecture
    return ""


def run(*command: str):
    """Run a command and return its output, parsed if it is JSON."""
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout.decode()
    return json.loads(output) if output.startswith(("{", "[")) else output


def read(path: str) -> str:
    """Return the text of a file."""
    with open(path, encoding="utf-8") as stream:
        return stream.read()


def write(path: str, text: str) -> None:
    """Write a text to a file that other users cannot access."""
    os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
    with open(path, "w", encoding="utf-8") as stream:
        stream.write(text)


def ensure_device(path: str, major: int, minor: int) -> None:
    """Create a device node, which does not exist without --privileged."""
    if not os.path.exists(path):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        os.mknod(path, 0o20600, os.makedev(major, minor))


TAP = (
    "link add name lan type bridge",
    "address flush dev eth0",
    "link set dev eth0 master lan",
    "tuntap add dev tap0 mode tap",
    "link set dev tap0 master lan",
    "link set dev tap0 mtu {mtu} up",
    "link set dev lan up",
)
# User-mode Linux reads and writes the packets of the interface itself.
PACKETS = ("address flush dev eth0", "link set dev eth0 promisc on")


def pass_on_network(lines: tuple[str, ...]) -> tuple[str, str, int]:
    """Pass the container's network on to the machine, with lines for ip(8).

    :returns: the address with its prefix length, the gateway (empty for none), and the MTU.
    """
    (card,) = run("ip", "-json", "-family", "inet", "address", "show", "dev", "eth0")
    (address,) = [f"{entry['local']}/{entry['prefixlen']}" for entry in card["addr_info"]]
    routes = run("ip", "-json", "route", "show", "default") or []
    for line in lines:
        run("ip", *line.format(mtu=card["mtu"]).split())
    return address, routes[0]["gateway"] if routes else "", card["mtu"]


def source() -> tuple[str, dict]:
    """Return the base disk of the machines, and its properties as reported by qemu-img."""
    path = IMAGE if os.path.exists(IMAGE) else DISK + "/root.img"
    return path, run("qemu-img", "info", "--output=json", path)


def identity(path: str) -> str:
    """Return what distinguishes a disk from another one at the same path."""
    state = os.stat(path)
    return f"{state.st_size} bytes of {state.st_mtime_ns}"


def ensure_disk(size: int) -> str:
    """Create the disk of the machine: an overlay of the base disk, and unusable with any other base disk."""
    path = STATE + "/disk.qcow2"
    base, facts = source()
    if os.path.exists(path):
        if read(STATE + "/copy-of") != identity(base):
            sys.exit(
                f"The base disk of this machine ({os.environ['LAB_DISK']}) has been replaced since the machine was created, so the disk of the "
                "machine can no longer be used. Recreate the hosts of the lab with `lab_state: reset`."
            )
    else:
        write(STATE + "/copy-of", identity(base))
        run("qemu-img", "create", "-q", "-f", "qcow2", "-b", base, "-F", facts["format"], path + ".part", f"{size}G")
        os.replace(path + ".part", path)
    return path


def ensure_raw_disk(size: int) -> str:
    """Create the disk of a machine without QEMU: a sparse copy of the lab's disk."""
    path = STATE + "/disk.img"
    if not os.path.exists(path):
        os.makedirs(STATE, exist_ok=True)
        run("cp", "--sparse=always", DISK + "/root.img", path + ".part")
        os.truncate(path + ".part", size << 30)
        os.replace(path + ".part", path)
    return path


def seed_image() -> str:
    """Return a disk with the files of the seed, such as QEMU makes of a folder."""
    path = RUN + "/seed.img"
    folder = json.dumps({"driver": "vvfat", "dir": SEED, "label": "cidata"})
    run("qemu-img", "convert", "-O", "raw", "json:" + folder, path)
    return path


def seed(name: str, address: str, gateway: str, mtu: int) -> str:
    """Write what cloud-init reads on first boot (data source NoCloud), and return the MAC address."""
    servers = [line.split()[1] for line in read(KEYS + "/resolv.conf").splitlines() if line.startswith("nameserver ")]
    key = KEYS + "/ssh_host_ed25519_key"
    authorized = read(KEYS + "/authorized_keys").strip()
    user = user_data(os.environ["LAB_USER"], read(key), read(key + ".pub").strip(), authorized)
    authority = read(KEYS + "/ca.crt") if os.path.exists(KEYS + "/ca.crt") else ""
    hosts = added_hosts(read("/etc/hosts"), os.environ.get("LAB_NAMES", ""))
    user.update(trust(authority, hosts, not os.path.exists(IMAGE)))
    mac = mac_address(address.split("/")[0])
    write(SEED + "/meta-data", json.dumps({"instance-id": f"{name}-{address}", "local-hostname": name}))
    write(SEED + "/user-data", "#cloud-config\n" + json.dumps(user))
    write(SEED + "/network-config", json.dumps(network_config(mac, address, gateway, servers, mtu)))
    return mac


def run_machine() -> None:
    """Replace this process with the machine's, so that signals from the Docker Engine switch it off."""
    machine = json.loads(os.environ["LAB_MACHINE"])
    if machine["accelerator"] == "kvm":
        ensure_device("/dev/kvm", 10, 232)
    user_mode = machine["accelerator"] == "uml"
    if not user_mode:
        ensure_device("/dev/net/tun", 10, 200)
    disk = ensure_raw_disk(machine["disk"]) if user_mode else ensure_disk(machine["disk"])
    address, gateway, mtu = pass_on_network(PACKETS if user_mode else TAP)
    mac = seed(os.uname().nodename, address, gateway, mtu)
    if user_mode:
        command = user_mode_linux(machine, mac, disk, seed_image())
    else:
        command = hypervisor(machine, mac, disk, not os.path.exists(IMAGE))
    os.execvp(command[0], command)


def boot_seconds(accelerator: str) -> float:
    """Return the seconds until a kernel without a disk panics; 0.0 if it does not get that far."""
    if accelerator == "uml":
        command = [USER_MODE_LINUX, "mem=256M", "seccomp=on", "con0=null,fd:1", "con=none", "ssl=none", "panic=-1"]
    else:
        command = ["qemu-system-x86_64", *HYPERVISOR[accelerator], "-m", "256"]
        command += ["-nodefaults", "-nographic", "-no-reboot"]
        command += ["-serial", "stdio", "-kernel", DISK + "/vmlinuz", "-append", "console=ttyS0 panic=-1"]
    began = time.time()
    try:
        output = subprocess.run(
            command, check=False, timeout=TRIAL_TIMEOUT[accelerator], stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        ).stdout
    except subprocess.TimeoutExpired:
        return 0.0
    return round(time.time() - began, 1) if b"Kernel panic" in output else 0.0


def copy(image: str, form: str, target: str, begin: int, length: int) -> None:
    """Copy *length* MiB of the content of a disk image, starting at *begin*."""
    region = [f"skip={begin}", f"count={begin + length}"]  # qemu-img includes skipped blocks in the count
    run("qemu-img", "dd", "-f", form, "-O", "raw", "bs=1M", *region, "if=" + image, "of=" + target)


def image_problem(size: int) -> str:
    """Return what is wrong with the user's disk image for machines with a disk of *size* GiB; empty if nothing is."""
    try:
        path, facts = source()
    except subprocess.CalledProcessError:
        return "qemu-img cannot read it as a disk image"
    needed = -(-facts["virtual-size"] // (1 << 30))
    if needed > size:
        return f"it contains a disk of {needed} GiB, but lab_vm_disk is {size}: set lab_vm_disk to at least {needed}"
    os.makedirs(RUN, exist_ok=True)
    start = RUN + "/start"
    copy(path, facts["format"], start, 0, 4)
    with open(start, "r+b") as stream:
        stream.truncate(facts["virtual-size"])
    try:
        table = run("sfdisk", "--json", start)["partitiontable"]
    except subprocess.CalledProcessError:
        return "it has no partition table"
    for part in table.get("partitions", []):
        if part["type"].upper() in ("C12A7328-F81F-11D2-BA4B-00A0C93EC93B", "EF"):
            esp = RUN + "/esp"
            # In MiB, and one more on each side, because partitions may be unaligned.
            begin, length = part["start"] // 2048, min(part["size"] // 2048 + 2, 64)
            copy(path, facts["format"], esp, begin, length)
            with open(esp, "rb") as stream:
                found = boot_loader(stream.read())
            if found and found != os.uname().machine:
                return f"its boot loader is for {found}, but this machine is {os.uname().machine}"
    with open(start, "rb") as stream:
        if not any(stream.read(440)):
            return "it has no boot loader for BIOS, which these machines require"
    return ""


def probe() -> None:
    """Print which accelerator works, how long the boot took, and what is wrong with the image."""
    result: dict = {
        "accelerator": "",
        "seconds": 0.0,
        "kvm": "absent",
        "image": image_problem(json.loads(os.environ["LAB_MACHINE"])["disk"]) if os.path.exists(IMAGE) else "",
    }
    tried = ["uml" if os.path.exists(USER_MODE_LINUX) else "tcg"]
    if os.path.exists("/sys/class/misc/kvm"):
        ensure_device("/dev/kvm", 10, 232)
        tried.insert(0, "kvm")
        result["kvm"] = "hangs or fails"
    for accelerator in [] if result["image"] else tried:
        result["seconds"] = boot_seconds(accelerator)
        if result["seconds"]:
            result["accelerator"] = accelerator
            result["kvm"] = "works" if accelerator == "kvm" else result["kvm"]
            break
    print(json.dumps(result), flush=True)


if __name__ == "__main__":
    os.environ["TMPDIR"] = "/tmp"  # for user-mode Linux, whose memory is a file there
    {"run": run_machine, "probe": probe}[sys.argv[1]]()
