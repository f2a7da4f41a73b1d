# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A lab's keys and known hosts, made with the real ssh-keygen in a folder of the test's own."""

from __future__ import annotations

import json
import shutil
import subprocess

import pytest

from ansible_collections.slipway.kube.plugins.modules import lab_keys
from harness.core import patch_module_args

CP1 = {"name": "cp1", "address": "10.123.0.11"}
W1 = {"name": "w1", "address": "10.123.0.21"}

pytestmark = pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="ssh-keygen is not installed")


@pytest.fixture
def keys(tmp_path, capsys):
    def run(*hosts, check=False, names=()):
        arguments = {
            "folder": str(tmp_path / "lab"),
            "hosts": list(hosts),
            "name_servers": ["192.0.2.53"],
            "server_names": list(names),
            "_ansible_check_mode": check,
        }
        with patch_module_args(arguments), pytest.raises(SystemExit):
            lab_keys.main()
        return json.loads(capsys.readouterr().out)

    run.folder = tmp_path / "lab"
    return run


def test_every_host_has_a_key_that_is_known(keys):
    assert keys(CP1, W1)["changed"]
    known = (keys.folder / "ssh/known_hosts").read_text().splitlines()
    for host, line in zip([CP1, W1], known):
        public = (keys.folder / "hosts" / host["name"] / "ssh_host_ed25519_key.pub").read_text().split()
        assert line == f"{host['address']},{host['name']} {public[0]} {public[1]}"
    assert known[0].split()[2] != known[1].split()[2]
    user = (keys.folder / "ssh/id_ed25519.pub").read_text()
    assert (keys.folder / "hosts/w1/authorized_keys").read_text() == user
    assert (keys.folder / "ssh/id_ed25519").stat().st_mode & 0o077 == 0
    assert (keys.folder / "hosts/w1/resolv.conf").read_text() == "nameserver 192.0.2.53\n"


def test_a_second_run_changes_nothing(keys):
    keys(CP1, W1)
    before = {path: path.read_bytes() for path in keys.folder.rglob("*") if path.is_file()}
    assert keys(CP1, W1)["changed"] is False
    assert before == {path: path.read_bytes() for path in keys.folder.rglob("*") if path.is_file()}


def test_a_host_more_or_less_leaves_the_others_keys_alone(keys):
    keys(CP1)
    first = (keys.folder / "ssh/known_hosts").read_text()
    keys(CP1, W1)
    assert (keys.folder / "ssh/known_hosts").read_text().startswith(first)
    assert "hosts/w1 (removed)" in keys(CP1)["changes"]
    assert (keys.folder / "ssh/known_hosts").read_text() == first
    assert not (keys.folder / "hosts/w1").exists()


def test_a_key_without_its_public_half_was_never_finished(keys):
    keys(CP1)
    place = keys.folder / "hosts/cp1"
    (place / "ssh_host_ed25519_key.pub").unlink()
    (place / "ssh_host_ed25519_key.part").write_text("half")
    assert keys(CP1)["changes"] == ["hosts/cp1/ssh_host_ed25519_key", "ssh/known_hosts"]
    assert not (place / "ssh_host_ed25519_key.part").exists()
    assert keys(CP1)["changed"] is False


def test_a_dry_run_names_what_would_be_made_and_makes_nothing(keys):
    made = keys(CP1, check=True)["changes"]
    assert not keys.folder.exists()
    assert made == keys(CP1)["changes"]


def test_the_ssh_configuration_checks_host_keys(keys):
    keys(CP1)
    text = (keys.folder / "ssh/config").read_text()
    assert "Host cp1\n    HostName 10.123.0.11\n" in text
    assert "StrictHostKeyChecking yes" in text


SERVICES = {"name": "services", "address": "10.123.0.2"}
NAMES = ["pkgs.k8s.io", "registry.k8s.io"]


def test_hosts_are_known_by_all_their_addresses(keys):
    services = dict(SERVICES, addresses=["10.123.0.2", "fd00::2"])
    keys(services, dict(CP1, addresses=["10.123.0.11", "fd00::b"]), names=NAMES)
    assert (keys.folder / "ssh/known_hosts").read_text().splitlines()[1].startswith("10.123.0.11,fd00::b,cp1 ssh-")
    assert all(verify(keys.folder, name) for name in ("10.123.0.2", "fd00::2"))


def verify(folder, name):
    """Return whether OpenSSL, as strict as Python 3.13, accepts the server's certificate for *name* with what hosts trust."""
    hosts = folder / "hosts"
    kind = "-verify_ip" if name[0].isdigit() or ":" in name else "-verify_hostname"
    command = ["openssl", "verify", "-x509_strict", "-purpose", "sslserver", kind, name]
    command += ["-CAfile", str(hosts / "cp1/ca.crt"), str(hosts / "services/server.crt")]
    return subprocess.run(command, check=False, capture_output=True).returncode == 0


def test_the_hosts_trust_the_server_that_stands_in_for_upstream(keys):
    keys(SERVICES, CP1, names=NAMES)
    assert all(verify(keys.folder, name) for name in [*NAMES, "10.123.0.2"])
    assert not verify(keys.folder, "example.com")
    assert not (keys.folder / "hosts/cp1/server.key").exists()
    assert keys(SERVICES, CP1, names=NAMES)["changed"] is False


def test_another_name_takes_another_certificate_of_the_same_authority(keys):
    keys(SERVICES, CP1, names=NAMES)
    authority = (keys.folder / "hosts/cp1/ca.crt").read_text()
    assert "hosts/services/server.crt" in keys(SERVICES, CP1, names=[*NAMES, "quay.io"])["changes"]
    assert (keys.folder / "hosts/cp1/ca.crt").read_text() == authority
    assert verify(keys.folder, "quay.io")


def test_without_names_nothing_is_left_of_the_authority(keys):
    keys(SERVICES, CP1, names=NAMES)
    keys(SERVICES, CP1)
    assert not list(keys.folder.glob("hosts/*/*.crt"))
    assert keys(SERVICES, CP1)["changed"] is False
