# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a container runs a virtual machine: the input of cloud-init, and the QEMU command line."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[3] / "roles" / "lab" / "files" / "carrier" / "lab_machine.py"
MACHINE = {"cpus": 2, "memory": 2048, "disk": 20, "selinux": False, "accelerator": "tcg"}


@pytest.fixture(scope="module")
def program():
    spec = importlib.util.spec_from_file_location("lab_machine", SOURCE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def lab(program, tmp_path, monkeypatch):
    keys = tmp_path / "lab"
    keys.mkdir()
    (keys / "resolv.conf").write_text("nameserver 192.0.2.53\nnameserver 192.0.2.54\n")
    (keys / "ssh_host_ed25519_key").write_text("PRIVATE\n")
    (keys / "ssh_host_ed25519_key.pub").write_text("ssh-ed25519 PUBLIC cp1\n")
    (keys / "authorized_keys").write_text("ssh-ed25519 USER\n")
    monkeypatch.setattr(program, "KEYS", str(keys))
    monkeypatch.setattr(program, "SEED", str(tmp_path / "seed"))
    monkeypatch.setenv("LAB_USER", "ops")
    return tmp_path


def test_a_machine_keeps_its_mac_address_when_it_is_made_anew(program):
    assert program.mac_address("10.123.7.11") == "52:54:0a:7b:07:0b"


def test_the_seed_brings_name_keys_user_and_address(program, lab):
    mac = program.seed("cp1", "10.123.7.11/24", "10.123.7.1", 1400)
    assert json.loads((lab / "seed/meta-data").read_text())["local-hostname"] == "cp1"
    header, user = (lab / "seed/user-data").read_text().split("\n", 1)
    assert header == "#cloud-config"
    user = json.loads(user)
    assert user["users"][0]["name"] == "ops"
    assert user["users"][0]["ssh_authorized_keys"] == ["ssh-ed25519 USER"]
    assert user["ssh_keys"]["ed25519_private"] == "PRIVATE\n"
    card = json.loads((lab / "seed/network-config").read_text())["ethernets"]["lan"]
    assert card["match"] == {"macaddress": mac}
    assert card["addresses"] == ["10.123.7.11/24"]
    assert card["nameservers"] == {"addresses": ["192.0.2.53", "192.0.2.54"]}
    assert card["routes"] == [{"to": "0.0.0.0/0", "via": "10.123.7.1"}]
    assert card["mtu"] == 1400


def user_data(lab):
    """Return the user data of cp1, whose lab has an authority and stands in for two names."""
    return json.loads((lab / "seed/user-data").read_text().split("\n", 1)[1])


@pytest.fixture
def authority(program, lab, monkeypatch):
    """The certificate of an authority, which the lab's machines are to trust, and names of the lab's stand-in."""
    path = lab / "lab" / "ca.crt"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    subprocess.run([*command, "-keyout", "/dev/null", "-out", str(path), "-subj", "/CN=lab"], check=True)
    known = "127.0.0.1 localhost\n10.123.7.2 pkgs.k8s.io\n10.123.7.11 cp1\n"
    monkeypatch.setenv("LAB_NAMES", "pkgs.k8s.io registry.k8s.io")
    monkeypatch.setattr(program, "read", lambda path: known if path == "/etc/hosts" else Path(path).read_text())
    return path


def test_a_machine_knows_the_names_of_its_lab(program, lab, authority):
    program.seed("cp1", "10.123.7.11/24", "", 1500)
    added = {"path": "/etc/hosts", "append": True, "content": "10.123.7.2 pkgs.k8s.io\n"}
    assert added in user_data(lab)["write_files"]


def test_a_machine_of_the_labs_image_trusts_the_authority_without_updating_its_whole_store(
    program, lab, authority, tmp_path
):
    program.seed("cp1", "10.123.7.11/24", "", 1500)
    user = user_data(lab)
    assert "ca_certs" not in user
    store, source = tmp_path / "certs", tmp_path / "lab.crt"
    store.mkdir()
    (store / "ca-certificates.crt").write_text("OTHERS\n")
    (written,) = [entry for entry in user["write_files"] if entry["path"] == "/usr/local/share/ca-certificates/lab.crt"]
    source.write_text(written["content"])
    for command in user["bootcmd"]:
        script = command.replace("/etc/ssl/certs", str(store)).replace(written["path"], str(source))
        subprocess.run(["sh", "-c", script], check=True)
    assert (store / "ca-certificates.crt").read_text() == "OTHERS\n" + authority.read_text()
    verify = ["openssl", "verify", "-no-CAfile", "-no-CAstore", "-CApath", str(store), str(authority)]
    subprocess.run(verify, check=True)
    # As update-ca-certificates would have created it, which therefore has nothing to repair later.
    assert (store / "lab.pem").readlink() == source


def test_a_machine_of_any_other_image_leaves_its_store_to_cloud_init(program, lab, authority, monkeypatch, tmp_path):
    (tmp_path / "image").touch()
    monkeypatch.setattr(program, "IMAGE", str(tmp_path / "image"))
    program.seed("cp1", "10.123.7.11/24", "", 1500)
    user = user_data(lab)
    assert user["ca_certs"] == {"trusted": [authority.read_text()]}
    assert "bootcmd" not in user


def test_a_machine_without_an_origin_trusts_nobody_else(program, lab):
    program.seed("cp1", "10.123.7.11/24", "", 1500)
    user = json.loads((lab / "seed/user-data").read_text().split("\n", 1)[1])
    assert not set(user) & {"bootcmd", "ca_certs", "write_files"}


def test_nobody_else_reads_the_seed(program, lab):
    program.seed("cp1", "10.123.7.11/24", "", 1500)
    assert (lab / "seed").stat().st_mode & 0o077 == 0


def test_a_network_without_a_gateway_has_no_route(program):
    assert "routes" not in program.network_config("52:54:00:00:00:01", "192.0.2.1/24", "", [], 1500)["ethernets"]["lan"]


@pytest.mark.parametrize(
    ("accelerator", "words"), [("kvm", ["-cpu", "host"]), ("tcg", ["-cpu", "EPYC,erms=off,fxsr-opt=off"])]
)
def test_the_accelerator_decides_on_the_processor(program, accelerator, words):
    command = " ".join(program.hypervisor(dict(MACHINE, accelerator=accelerator), "52:54:00:00:00:01", "disk", True))
    assert " ".join(words) in command
    assert "-smp 2 -m 2048" in command


def test_only_an_emulated_processor_goes_without_guards(program):
    for accelerator, off in (("kvm", False), ("tcg", True)):
        command = program.hypervisor(dict(MACHINE, accelerator=accelerator), "52:54:00:00:00:01", "disk", True)
        assert any("mitigations=off tsc=reliable" in word for word in command) is off


def test_selinux_is_a_matter_of_the_machine(program):
    for wanted in (False, True):
        command = program.hypervisor(dict(MACHINE, selinux=wanted), "52:54:00:00:00:01", "disk", True)
        assert any(word.endswith(" security=selinux") for word in command) is wanted


def test_user_mode_linux_has_the_sizes_and_the_security_of_the_machine(program):
    for wanted in (False, True):
        command = program.user_mode_linux(dict(MACHINE, selinux=wanted), "52:54:00:00:00:01", "/disk.img", "/seed.img")
        assert {"mem=2048M", "ncpus=2", "ubd0=/disk.img", "ubd1r=/seed.img"} <= set(command)
        assert ("security=selinux" in command) is wanted


def test_the_disk_of_user_mode_linux_is_a_copy_that_is_made_once(program, base):
    disk, _made = base
    program.run = lambda *command: Path(command[-1]).write_bytes(disk.read_bytes())
    made = Path(program.ensure_raw_disk(1))
    assert made.stat().st_size == 1 << 30
    made.write_bytes(b"used")
    assert Path(program.ensure_raw_disk(1)).read_bytes() == b"used"


def test_only_the_labs_own_disk_is_started_without_a_boot_loader(program):
    assert "-kernel" in program.hypervisor(MACHINE, "52:54:00:00:00:01", "disk", True)
    assert "-kernel" not in program.hypervisor(MACHINE, "52:54:00:00:00:01", "disk", False)


@pytest.mark.parametrize(
    ("sectors", "architecture"),
    [(b"\0BOOTX64 EFI \0", "x86_64"), (b"\0BOOTAA64EFI \0", "aarch64"), (b"\0GRUB    CFG", "")],
)
def test_a_boot_loader_tells_its_architecture(program, sectors, architecture):
    assert program.boot_loader(sectors) == architecture


def test_a_network_card_without_an_address_is_an_error(program, monkeypatch):
    monkeypatch.setattr(program, "run", lambda *command: [{"addr_info": [], "mtu": 1500}])
    with pytest.raises(ValueError):
        program.pass_on_network(program.TAP)


@pytest.fixture
def base(program, tmp_path, monkeypatch):
    """A machine's folder and the disk that it is to be a copy of."""
    monkeypatch.setattr(program, "STATE", str(tmp_path / "state"))
    monkeypatch.setattr(program, "DISK", str(tmp_path))
    monkeypatch.setattr(program, "IMAGE", str(tmp_path / "image"))
    monkeypatch.setenv("LAB_DISK", "/cache/disk")
    made = []

    def run(*command):
        if command[1] == "create":
            made.append(command)
            Path(command[-2]).write_text("")
        return {"format": "raw", "virtual-size": 5 << 30}

    monkeypatch.setattr(program, "run", run)
    disk = tmp_path / "root.img"
    disk.write_bytes(bytes(1024))
    return disk, made


def test_a_disk_that_is_there_is_not_made_again(program, base):
    _disk, made = base
    assert program.ensure_disk(20) == program.ensure_disk(20) == f"{program.STATE}/disk.qcow2"
    ((*_words, size),) = made
    assert size == "20G"


def test_a_copy_of_a_disk_that_was_replaced_is_not_started(program, base):
    disk, _made = base
    program.ensure_disk(20)
    os.utime(disk, ns=(1, 1))
    with pytest.raises(
        SystemExit, match=r"base disk of this machine \(/cache/disk\) has been replaced.*`lab_state: reset`"
    ):
        program.ensure_disk(20)


@pytest.mark.parametrize(
    ("size", "start", "said"),
    [
        (4, b"\xfa", "it contains a disk of 5 GiB, but lab_vm_disk is 4: set lab_vm_disk to at least 5"),
        (5, b"", "it has no boot loader for BIOS"),
        (5, b"\xfa", ""),
    ],
)
def test_an_image_must_fit_and_start(program, base, monkeypatch, tmp_path, size, start, said):
    monkeypatch.setattr(program, "RUN", str(tmp_path))
    monkeypatch.setattr(program, "copy", lambda *what: (tmp_path / "start").write_bytes(start.ljust(512, b"\0")))
    monkeypatch.setattr(program, "source", lambda: ("/image", {"format": "qcow2", "virtual-size": (5 << 30) - 1}))
    monkeypatch.setattr(program, "run", lambda *command: {"partitiontable": {}})
    found = program.image_problem(size)
    assert said in found
    assert bool(found) == bool(said)
