# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""System of a host, from files of Debian 12, Ubuntu 24.04 and Rocky 9."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from ansible_collections.slipway.kube.plugins.module_utils._host.facts import system
from ansible_collections.slipway.kube.plugins.module_utils._host.facts.files import Files

DEBIAN = """PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"
NAME="Debian GNU/Linux"
VERSION_ID="12"
VERSION="12 (bookworm)"
VERSION_CODENAME=bookworm
ID=debian
HOME_URL="https://www.debian.org/"
"""
UBUNTU = """PRETTY_NAME="Ubuntu 24.04.2 LTS"
NAME="Ubuntu"
VERSION_ID="24.04"
VERSION="24.04.2 LTS (Noble Numbat)"
VERSION_CODENAME=noble
ID=ubuntu
ID_LIKE=debian
UBUNTU_CODENAME=noble
"""
ROCKY = """NAME="Rocky Linux"
VERSION="9.5 (Blue Onyx)"
ID="rocky"
ID_LIKE="rhel centos fedora"
VERSION_ID="9.5"
PLATFORM_ID="platform:el9"
PRETTY_NAME="Rocky Linux 9.5 (Blue Onyx)"
"""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (DEBIAN, ("debian", [], "12", "bookworm", "debian", "Debian GNU/Linux 12 (bookworm)")),
        (UBUNTU, ("ubuntu", ["debian"], "24.04", "noble", "debian", "Ubuntu 24.04.2 LTS")),
        (ROCKY, ("rocky", ["rhel", "centos", "fedora"], "9.5", "", "rhel", "Rocky Linux 9.5 (Blue Onyx)")),
        ("ID=alpine\nNAME='Alpine'\n", ("alpine", [], "", "", "other", "Alpine")),
        ("", ("", [], "", "", "other", "")),
    ],
)
def test_operating_systems(text, expected):
    described = system.describe_os(system.parse_os_release(text))
    assert tuple(described[key] for key in ("id", "id_like", "version_id", "codename", "family", "name")) == expected


def test_os_release_escapes():
    assert system.parse_os_release('NAME="A \\"B\\" \\$C"')["NAME"] == 'A "B" $C'


def test_meminfo():
    text = "MemTotal:       16318480 kB\nMemFree:         1000000 kB\nHugePages_Total:       0\nSwapTotal:       2097148 kB\n"
    assert system.parse_meminfo(text) == {"MemTotal": 15936, "MemFree": 976, "SwapTotal": 2047}


def test_swaps():
    text = (
        "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n"
        "/dev/zram0                              partition\t8388604\t\t0\t\t100\n"
        "/swap\\040file                           file\t\t2097148\t\t0\t\t-2\n"
    )
    assert system.parse_swaps(text) == [
        {"device": "/dev/zram0", "type": "partition", "size_mb": 8191},
        {"device": "/swap file", "type": "file", "size_mb": 2047},
    ]
    assert system.parse_swaps("Filename Type Size Used Priority\n") == []


def test_fstab():
    swap = "UUID=5c3e none            swap    sw              0       0"
    rocky = "/dev/mapper/rl-swap     none                    swap    defaults        0 0"
    text = f"# swap was on /dev/sda5\n#{swap}\nUUID=ab / ext4 errors=remount-ro 0 1\n{swap}\n{rocky}\n/x /swap ext4 defaults 0 0\n"
    assert system.parse_fstab_swap(text) == [swap, rocky]


def test_capabilities():
    every = "CapBnd:\t000001ffffffffff\n"
    assert system.parse_capabilities(every, 40) == []
    assert system.parse_capabilities("CapBnd:\t000001fffeffffff\n", 40) == ["sys_resource"]
    # What the kernel does not know, no process can miss.
    assert system.parse_capabilities("CapBnd:\t0000003fffffffff\n", 37) == []
    assert system.parse_capabilities("CapBnd:\t0000003fffffffff\n", 40) == ["perfmon", "bpf", "checkpoint_restore"]
    assert system.parse_capabilities("", 40) == []


V2 = "cgroup2 /sys/fs/cgroup cgroup2 rw,nosuid,nodev,noexec,relatime,nsdelegate,memory_recursiveprot 0 0\n"
V1 = """tmpfs /sys/fs/cgroup tmpfs ro,nosuid,nodev,noexec,mode=755 0 0
cgroup2 /sys/fs/cgroup/unified cgroup2 rw,nosuid,nodev,noexec,relatime 0 0
cgroup /sys/fs/cgroup/cpu,cpuacct cgroup rw,cpu,cpuacct 0 0
cgroup /sys/fs/cgroup/memory cgroup rw,memory 0 0
cgroup /sys/fs/cgroup/systemd cgroup rw,name=systemd 0 0
"""
CGROUPS = """#subsys_name	hierarchy	num_cgroups	enabled
cpuset	3	1	1
cpu	1	1	1
cpuacct	2	1	1
memory	4	28	1
pids	8	1	0
"""


def test_cgroups():
    assert system.parse_cgroups(V2, "cpuset cpu io memory pids\n", CGROUPS) == {
        "version": 2,
        "controllers": ["cpu", "cpuset", "io", "memory", "pids"],
    }
    # Enabled in the kernel and mounted, both: a controller that is not mounted cannot be used.
    assert system.parse_cgroups(V1, "", CGROUPS) == {"version": 1, "controllers": ["cpu", "cpuacct", "memory"]}


@pytest.mark.parametrize(
    ("systemd", "environ", "marker", "expected"),
    [
        ("", "PATH=/bin\0HOME=/\0", False, ""),
        ("docker\n", "", True, "docker"),
        ("", "PATH=/bin\0container=lxc\0", False, "lxc"),
        ("", "mycontainer=x\0", False, ""),
        ("", "", True, "docker"),
    ],
)
def test_containers(systemd, environ, marker, expected):
    assert system.parse_container(systemd, environ, marker) == expected


def test_disk_counts_as_the_kubelet_does():
    statvfs = SimpleNamespace(f_blocks=1000, f_frsize=1 << 20, f_bavail=140, f_bfree=200, f_files=200, f_favail=50)
    assert system.describe_disk("/var/lib/kubelet", "ext4", statvfs) == {
        "path": "/var/lib/kubelet",
        "filesystem": "ext4",
        "total_mb": 1000,
        "available_mb": 140,
        "available_percent": 14.0,
        "inodes_free_percent": 25.0,
    }
    statvfs.f_files = 0  # btrfs counts no inodes
    assert system.describe_disk("/", "btrfs", statvfs)["inodes_free_percent"] == 100.0


def test_file_system_of_a_path():
    mounts = system.parse_mounts(
        "overlay / overlay rw 0 0\n/dev/a /var ext4 rw 0 0\n/dev/b /var/lib\\040x xfs rw 0 0\n"
    )
    assert system.filesystem_of("/var/lib/kubelet", mounts) == "ext4"
    assert system.filesystem_of("/var/lib x/y", mounts) == "xfs"
    assert system.filesystem_of("/variable", mounts) == "overlay"


def tree(root, files):
    for path, text in files.items():
        target = root / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
    return Files(str(root))


def test_swap_of_a_host(tmp_path):
    files = tree(
        tmp_path,
        {
            "/proc/swaps": "Filename Type Size Used Priority\n/dev/zram0 partition 1024000 0 100\n",
            "/etc/fstab": "/dev/sda2 none swap sw 0 0\n",
            "/etc/systemd/system/data.swap": "",
            "/run/systemd/generator/dev-sda2.swap": "",
            "/etc/systemd/system/data.mount": "",
        },
    )
    assert system.gather_swap(files) == {
        "active": [{"device": "/dev/zram0", "type": "partition", "size_mb": 1000}],
        "fstab": ["/dev/sda2 none swap sw 0 0"],
        "units": ["data.swap", "dev-sda2.swap"],
        "zram": True,
    }
    assert system.gather_swap(Files(str(tmp_path / "empty"))) == {
        "active": [],
        "fstab": [],
        "units": [],
        "zram": False,
    }


@pytest.mark.parametrize(
    ("path", "text", "zram"),
    [
        ("/usr/lib/systemd/zram-generator.conf", "[zram0]\n", True),
        ("/run/systemd/zram-generator.conf.d/swap.conf", "[zram0]\n", True),
        ("/etc/systemd/zram-generator.conf", "", False),
        ("/etc/default/zramswap", "", True),
    ],
)
def test_zram_that_is_configured(tmp_path, path, text, zram):
    assert system.gather_swap(tree(tmp_path, {path: text}))["zram"] is zram


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"/sys/fs/selinux/enforce": "1"}, "enforcing"),
        ({"/sys/fs/selinux/enforce": "0"}, "permissive"),
        ({"/etc/selinux/config": "SELINUX=disabled"}, "disabled"),
        ({}, "absent"),
    ],
)
def test_selinux(tmp_path, files, expected):
    assert system.gather_selinux(tree(tmp_path, files)) == expected


def test_disks_of_folders_that_are_not_there_yet(tmp_path):
    (tmp_path / "var/lib").mkdir(parents=True)
    disks = system.gather_disks(Files(str(tmp_path)))
    assert [disk["path"] for disk in disks] == list(system.DATA_DIRECTORIES)
    assert all(disk["total_mb"] > 0 for disk in disks)


def test_files_that_cannot_be_read_are_empty(tmp_path):
    files = Files(str(tmp_path))
    assert files.read("/no/such/file") == ""
    assert files.read("/") == ""
    assert files.names("/no/such/folder") == []
