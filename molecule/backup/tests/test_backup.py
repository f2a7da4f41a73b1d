# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Backups are complete, encrypted, rotated and told about; what cannot be restored is refused, and a lost control plane comes back from one."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tarfile
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from harness.backup import Administrator
from harness.hosts import any_host_of, hosts_of, unready
from harness.kube import Kube, workload
from harness.playbook import Run, addresses, inventory_of, output_of, run

SCENARIO = f"molecule-{os.environ['MOLECULE_SCENARIO_NAME']}"
INVENTORY = inventory_of(SCENARIO)
FOLDER = output_of(SCENARIO)
LAB = Path(__file__).resolve().parents[2] / "lab"
BACKUPS = "/var/backups/slipway"
SECRET = "secret-key-of-the-lab"
CONFIRMED = ("-e", "restore_confirm=kubernetes", "-e", "verify_mode=light")


@pytest.fixture(scope="module")
def kube() -> Kube:
    return Kube(SCENARIO)


@pytest.fixture(scope="module")
def admin(kube: Kube) -> Administrator:
    return Administrator(kube, FOLDER)


def archives(kube: Kube) -> list[str]:
    return sorted(kube.host.execute("find", BACKUPS, "-name", "*.tar*", "-perm", "600")[1].split())


def pods(kube: Kube) -> dict[str, tuple[str, int]]:
    """The application's pods by name: their UID, and how often their containers were started again."""
    found = kube.get("pods", namespace="kept")
    return {
        pod["metadata"]["name"]: (pod["metadata"]["uid"], pod["status"]["containerStatuses"][0]["restartCount"])
        for pod in found
    }


@dataclass
class Before:
    """What must be there after the restore."""

    archive: Path
    token: str
    pods: dict[str, tuple[str, int]]


@pytest.fixture(scope="module")
def before(kube: Kube, admin: Administrator) -> Before:
    kube.make_namespace("kept")
    kube.apply([workload(kube.agnhost, replicas=2)], "kept")
    kube.kubectl("-n", "kept", "create", "secret", "generic", "proof", "--from-literal=word=before")
    kube.kubectl("-n", "kept", "rollout", "status", "deployment/web", "--timeout=120s")
    token = kube.kubectl("-n", "kept", "create", "token", "default", "--duration=24h").strip()
    first = admin.back_up("backup").succeeded()
    (archive,) = admin.fetched.glob("kubernetes-*.tar.age")
    assert "slipway-backup.timer" in kube.host.execute("systemctl", "list-timers", "--no-pager")[1]
    assert any("Take a backup" in sentence for sentence in first.changed())
    kube.kubectl("-n", "kept", "create", "configmap", "after")
    return Before(archive, token, pods(kube))


def test_a_backup_without_a_key_is_refused() -> None:
    refused = run("slipway.kube.backup", INVENTORY, FOLDER / "no-key")
    assert refused.process.returncode != 0 and "backup_age_recipients is empty" in refused.output
    assert not refused.changed()


def test_the_archive_is_encrypted_and_only_the_administrator_reads_it(before: Before, admin: Administrator) -> None:
    assert before.archive.stat().st_mode & 0o777 == 0o600
    content = before.archive.read_bytes()
    assert content.startswith(b"age-encryption.org/v1") and b"PRIVATE KEY" not in content
    plain = subprocess.run(
        ["age", "-d", "-i", admin.keys.private, before.archive], check=True, capture_output=True
    ).stdout
    with tarfile.open(fileobj=io.BytesIO(plain)) as packed:
        names = packed.getnames()
    assert {"manifest.json", "snapshot.db", "kubeadm-config.json", "files/etc/kubernetes/pki/ca.key"} <= set(names)


def test_the_restore_of_the_backup_was_rehearsed(before: Before, kube: Kube) -> None:
    recorded = kube.get("configmap", "slipway-backup", "kube-system")["data"]
    assert int(recorded["rehearsed"]) > 200 and before.archive.name in recorded["archive"]


def test_a_second_run_takes_a_backup_and_changes_nothing_else(before: Before, admin: Administrator, kube: Kube) -> None:
    again = admin.back_up("backup-again", "-e", "backup_fetch_dir=").succeeded()
    assert [sentence.partition("(")[0] for sentence in again.changed()] == ["cp1: slipway.kube.backup : Take a backup "]
    assert len(archives(kube)) == 2


def test_rotation_keeps_as_many_as_are_wanted(before: Before, admin: Administrator, kube: Kube) -> None:
    admin.back_up("backup-rotated", "-e", "backup_keep=2", "-e", "backup_fetch_dir=").succeeded()
    assert len(archives(kube)) == 2 and f"{BACKUPS}/{before.archive.name}" not in archives(kube)


def test_a_full_disk_is_told_and_older_backups_are_kept(before: Before, kube: Kube) -> None:
    kept = archives(kube)
    # A small file system in place of the disk, with one older backup on it.
    assert kube.host.execute("cp", kept[0], "/root/older.age")[0] == 0
    assert kube.host.execute("mount", "-t", "tmpfs", "-o", "size=6m", "full", BACKUPS)[0] == 0
    try:
        assert kube.host.execute("install", "-m", "600", "/root/older.age", kept[0])[0] == 0
        code, _output = kube.host.execute("systemctl", "start", "slipway-backup.service")
        said = kube.host.execute("journalctl", "-u", "slipway-backup", "-n", "20", "-o", "cat", "--no-pager")[1]
        left = archives(kube)
    finally:
        kube.host.execute("umount", BACKUPS)
    assert code != 0 and "Older backups were kept" in said, said
    assert left == kept[:1], "the older backup on the full disk is gone"
    assert archives(kube) == kept
    told = run("slipway.kube.health", INVENTORY, FOLDER / "health", "-e", "health_fail=warning")
    assert told.process.returncode != 0 and "the last backup failed" in told.output
    kube.host.execute("systemctl", "start", "slipway-backup.service")
    well = run("slipway.kube.health", INVENTORY, FOLDER / "healthy", "-e", "health_fail=warning").succeeded()
    assert "last backup" not in well.output


STORE = "/srv/s3/backups/lab"
SERVE = ("rclone", "serve", "s3", "/srv/s3", "--addr=:9000", f"--auth-key=lab,{SECRET}")


def at_remote() -> list[str]:
    code, listed = any_host_of(SCENARIO, "services").execute("ls", STORE)
    return listed.split() if code == 0 else []


@pytest.fixture(scope="module")
def remote(before: Before) -> dict[str, object]:
    """An S3 server on another host, and the settings with which archives are copied there."""
    services = any_host_of(SCENARIO, "services")
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        archive.add(Path(sys.executable).parent / "rclone", "rclone")
    services.container.put_archive("/usr/local/bin", packed.getvalue())
    assert services.execute("mkdir", "-p", "/srv/s3/backups")[0] == 0
    services.container.exec_run(list(SERVE), detach=True)
    address = addresses(INVENTORY)["cp1"].rpartition(".")[0] + ".2"
    settings = {"type": "s3", "provider": "Other", "endpoint": f"http://{address}:9000"}
    keys = {"access_key_id": "lab", "secret_access_key": SECRET}
    return {"backup_remote": "offsite:backups/lab", "backup_rclone_config": {"offsite": {**settings, **keys}}}


def test_a_remote_without_settings_is_refused(before: Before, admin: Administrator) -> None:
    refused = admin.back_up("no-remote", "-e", "backup_remote=absent:backups")
    assert refused.process.returncode != 0 and not refused.changed()
    assert 'backup_remote is "absent:backups"' in refused.output


def test_archives_are_copied_off_the_host(
    before: Before, remote: dict[str, object], admin: Administrator, kube: Kube
) -> None:
    given = ("-e", json.dumps(remote), "-e", "backup_fetch_dir=")
    done = admin.back_up("offsite", *given, "--diff").succeeded()
    assert at_remote() == [Path(path).name for path in archives(kube)]
    assert SECRET not in done.output
    assert kube.host.execute("stat", "--format=%a", "/etc/slipway-rclone.conf")[1].strip() == "600"
    again = admin.back_up("offsite-again", *given).succeeded()
    assert [sentence.partition("(")[0] for sentence in again.changed()] == ["cp1: slipway.kube.backup : Take a backup "]


def test_a_server_that_is_away_is_told_and_made_up_for(before: Before, remote: dict[str, object], kube: Kube) -> None:
    services = any_host_of(SCENARIO, "services")
    assert services.end("rclone")
    kept, there = archives(kube), at_remote()
    code, _output = kube.host.execute("systemctl", "start", "slipway-backup.service")
    said = kube.host.execute("journalctl", "-u", "slipway-backup", "-n", "20", "-o", "cat", "--no-pager")[1]
    assert code != 0 and "could not be copied to offsite:backups/lab" in said, said
    assert SECRET not in said and len(archives(kube)) > len(kept) and at_remote() == there
    told = run("slipway.kube.health", INVENTORY, FOLDER / "health-offsite", "-e", "health_fail=warning")
    assert told.process.returncode != 0 and "could not be copied" in told.output
    services.container.exec_run(list(SERVE), detach=True)
    assert kube.host.execute("systemctl", "start", "slipway-backup.service")[0] == 0
    assert set(map(os.path.basename, archives(kube))) <= set(at_remote())
    run("slipway.kube.health", INVENTORY, FOLDER / "healthy-offsite", "-e", "health_fail=warning").succeeded()


def test_a_running_cluster_is_not_replaced_without_the_word(before: Before, admin: Administrator) -> None:
    refused = admin.restore("unconfirmed", before.archive, admin.keys.private)
    assert refused.process.returncode != 0 and "replace the cluster that exists on cp1" in refused.output
    assert not refused.changed()


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("wrong key", "no identity matched"),
        ("no key", "is encrypted"),
        ("damaged", "cannot be decrypted"),
        ("name", "is of cluster"),
        ("version", "then upgrade"),
    ],
)
def test_what_cannot_be_restored_is_refused(before: Before, admin: Administrator, what: str, message: str) -> None:
    archive, key, more = before.archive, str(admin.keys.private), CONFIRMED
    if what == "wrong key":
        key = str(admin.make_keys("wrong").private)
    elif what == "no key":
        key = ""
    elif what == "damaged":
        content = bytearray(archive.read_bytes())
        content[len(content) // 2] ^= 1
        archive = FOLDER / "damaged.tar.age"
        archive.write_bytes(content)
    elif what == "name":
        more = (*more, "-e", "kube_cluster_name=other")
    else:
        more = (*more, "-e", "kube_version=1.36.3")
    refused = admin.restore(f"refused-{what.replace(' ', '-')}", archive, key, *more)
    assert refused.process.returncode != 0 and message in refused.output, refused.output[-2000:]
    assert not refused.changed()


@pytest.fixture(scope="module")
def restored(before: Before, admin: Administrator) -> Kube:
    """The cluster after the host of its control plane was lost and made anew."""
    lost = any_host_of(SCENARIO, "cp1")
    lost.container.remove(force=True, v=True)
    run(str(LAB / "create.yml"), INVENTORY, FOLDER / "lab", "-e", f"@{LAB / 'vars.yml'}").succeeded()
    done = admin.restore("restore", before.archive, admin.keys.private, *CONFIRMED).succeeded()
    print(f"restored in {done.seconds:.0f} s")
    others = [sentence for sentence in done.changed() if not sentence.startswith("cp1:")]
    assert not others, others
    return Kube(SCENARIO)


def test_the_cluster_is_whole(restored: Kube) -> None:
    assert not unready(hosts_of(SCENARIO))


def test_objects_are_those_of_the_backup(restored: Kube) -> None:
    assert restored.get("secret", "proof", "kept")["data"]["word"] == "YmVmb3Jl"
    assert restored.get("configmap", "after", "kept") is None


def test_tokens_of_service_accounts_are_still_valid(restored: Kube, before: Before) -> None:
    server = (
        f"--server=https://{addresses(INVENTORY)['cp1']}:6443",
        "--certificate-authority=/etc/kubernetes/pki/ca.crt",
        "--kubeconfig=/dev/null",  # root's has a certificate, which would be preferred to the token
    )
    code, said = restored.host.execute("kubectl", *server, f"--token={before.token}", "auth", "whoami")
    assert code == 0 and "system:serviceaccount:kept:default" in said, said


def test_the_application_ran_on_as_if_nothing_had_happened(restored: Kube, before: Before) -> None:
    assert pods(restored) == before.pods


def test_the_cluster_does_new_work(restored: Kube) -> None:
    restored.kubectl("-n", "kept", "scale", "deployment/web", "--replicas=3")
    restored.kubectl("-n", "kept", "rollout", "status", "deployment/web", "--timeout=120s")


def test_no_decrypted_archive_is_left(restored: Kube) -> None:
    assert (
        restored.host.execute("find", "/var/lib/slipway", "/root", "/home", "/tmp", "-name", "*.tar")[1].strip() == ""
    )


def test_the_same_archive_is_not_restored_twice(restored: Kube, before: Before, admin: Administrator) -> None:
    again = admin.restore("restore-again", before.archive, admin.keys.private, *CONFIRMED).succeeded()
    assert not again.changed(), "\n".join(again.changed())
    assert int(restored.kubectl("-n", "kept", "get", "deployment/web", "-o", "jsonpath={.spec.replicas}")) == 3


@pytest.fixture(scope="module")
def renewed(restored: Kube) -> Run:
    renew = ("-e", "certificates_renew=true", "-e", "certificates_days=400")
    return run("slipway.kube.certificates", INVENTORY, FOLDER / "renew", *renew).succeeded()


def test_certificates_are_renewed_and_what_uses_them_is_started_again(renewed: Run, restored: Kube) -> None:
    code, served = restored.host.execute(
        "sh",
        "-c",
        "openssl s_client -connect 127.0.0.1:6443 </dev/null 2>/dev/null | openssl x509 -noout -fingerprint; "
        "openssl x509 -noout -fingerprint -in /etc/kubernetes/pki/apiserver.crt",
    )
    fingerprints = served.split()
    assert code == 0 and len(set(fingerprints)) * 2 == len(fingerprints), served
    assert any("Renew the certificates" in sentence for sentence in renewed.changed())
    assert "kubelet-client" in renewed.output and "front-proxy-client" in renewed.output
    end = time.time() + 60  # the kubelet tells the readiness of the pods that were started again with some delay
    while (left := unready(hosts_of(SCENARIO))) and time.time() < end:
        time.sleep(2)
    assert not left


def test_nothing_is_renewed_while_nothing_ends_soon(renewed: Run) -> None:
    again = run(
        "slipway.kube.certificates", INVENTORY, FOLDER / "renew-again", "-e", "certificates_renew=true"
    ).succeeded()
    assert not again.changed(), "\n".join(again.changed())
