# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Backup of a cluster on a control plane: the core of the module backup, and the program that a systemd timer runs.

The timers of all control planes start at the same time; only the one whose etcd member leads takes a backup, or with an external etcd the one
whose controller manager leads. Older backups are removed after a new one is complete, never before. The role backup installs this file with those
that it imports.
"""

from __future__ import annotations

import calendar
import contextlib
import fcntl
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from typing import IO, Any, Callable, Iterable, Iterator, Mapping, cast

from .._kube.progress import tell
from .._kube.x509 import ca_cert_hash
from . import archive, offsite, rehearsal
from .etcd_tools import ENDPOINT, EtcdToolError, Tools, etcd_tools, pull, run, server_version

CONFIG = "/etc/slipway-backup.json"
KUBERNETES = "/etc/kubernetes"
ADMIN = KUBERNETES + "/admin.conf"
DAY = 86400
STATUS = "slipway-backup"
STATUS_SECONDS = 15
NO_SPACE = 1.5
"""The database fits this often into the free space: once as snapshot, which has no free pages, and once as archive."""


class BackupError(ValueError):
    """A backup cannot be taken: what is wrong, the evidence and the remedy."""


def read_config(path: str = CONFIG) -> dict[str, Any]:
    """Return the settings: ``cluster``, ``dir``, ``recipients`` (of age; none for an archive that is not encrypted), ``keep``, ``keep_days``,
    and ``remote`` (of rclone; "" for none).

    :raises BackupError: the role backup was not applied to this host.
    """
    try:
        with open(path, encoding="utf-8") as handle:
            return json.load(handle)
    except (OSError, ValueError) as error:
        raise BackupError(
            f"{path} cannot be read: {error}. Run the playbook slipway.kube.backup. [slipway:file_not_read]"
        ) from error


def argument_of(manifest: str, name: str) -> str:
    """Return the value of an argument in the manifest of a static pod, "" if it is not set."""
    match = re.search(rf"^\s*- [\"']?--{re.escape(name)}=([^\s\"']+)", manifest, re.M)
    return match.group(1) if match else ""


def image_of(manifest: str) -> str:
    """Return the image of a static pod, "" if its manifest has none."""
    match = re.search(r"^\s*image:\s*[\"']?([^\s\"']+)", manifest, re.M)
    return match.group(1) if match else ""


def expired(names: Iterable[str], cluster: str, keep: int, keep_days: int, now: float) -> list[str]:
    """Return which files of a backup folder are to be removed: beyond the *keep* newest, or older than *keep_days* days.

    The newest is always kept, and so is every file with a name that this program does not give.
    """
    own = {}
    for name in names:
        match = archive.NAME.match(name)
        if match and match.group("cluster") == cluster:
            own[name] = float(calendar.timegm(time.strptime(match.group("time"), "%Y%m%dT%H%M%SZ")))
    newest = sorted(own, key=lambda name: (own[name], name), reverse=True)
    return [name for place, name in enumerate(newest) if place and (place >= keep or now - own[name] > keep_days * DAY)]


def expired_names(names: Iterable[str], config: Mapping[str, Any], now: float) -> list[str]:
    """Return which files are to be removed according to the settings."""
    return expired(names, config["cluster"], config["keep"], config["keep_days"], now)


def _text(path: str) -> str:
    with open(path, encoding="utf-8") as handle:
        return handle.read()


def host_files(folder: str, apiserver: str) -> dict[str, str]:
    """Return the files of this host that a restore needs, by name in the archive: the PKI, and the configuration of encryption at rest.

    :param folder: /etc/kubernetes.
    :param apiserver: manifest of the API server.
    """
    found = [os.path.join(base, name) for base, _folders, names in os.walk(f"{folder}/pki") for name in names]
    encryption = argument_of(apiserver, "encryption-provider-config")
    found += [encryption] if encryption else []
    return {archive.FILES + path.lstrip("/"): path for path in sorted(set(found)) if os.path.isfile(path)}


@contextlib.contextmanager
def locked_folder(path: str) -> Iterator[None]:
    """Create the folder of backups with mode 0700, and let one process at a time work there. What a killed one left is removed."""
    os.makedirs(path, mode=0o700, exist_ok=True)
    with open(os.path.join(path, ".lock"), "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for name in os.listdir(path):
            if name.startswith(".work."):
                shutil.rmtree(os.path.join(path, name), ignore_errors=True)
        yield


def write_archive(
    path: str, about: Mapping[str, Any], files: Mapping[str, str], recipients: list[str]
) -> dict[str, Any]:
    """Write the archive with mode 0600, encrypted with age if there are recipients, and to disk; return its manifest.

    :raises BackupError: age fails.
    """
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as target:
        if not recipients:
            manifest = archive.write(target, about, files)
        else:
            command = ["age", "--encrypt", *(part for one in recipients for part in ("--recipient", one))]
            with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=target, stderr=subprocess.PIPE) as age:  # pylint: disable=ansible-bad-function
                archived, errors = cast(IO[bytes], age.stdin), cast(IO[bytes], age.stderr)
                manifest = {}
                with contextlib.suppress(BrokenPipeError):
                    manifest = archive.write(archived, about, files)
                with contextlib.suppress(BrokenPipeError):
                    archived.close()
                said = errors.read().decode("utf-8", "replace").strip()
            if age.returncode != 0 or not manifest:
                raise BackupError(
                    f"age could not encrypt the archive. Evidence: {said or age.returncode} [slipway:backup_failed]"
                )
        target.flush()
        os.fsync(target.fileno())
    return manifest


def check_space(folder: str, size: int, rehearse: bool = False) -> None:
    """Fail if the folder has no room for a snapshot, its archive and the rehearsal of its restore.

    :param size: of etcd's database, in bytes.
    :raises BackupError: there is too little.
    """
    free = shutil.disk_usage(folder).free
    needed = int(NO_SPACE * 2 * size) + (rehearsal.needed_bytes(size) if rehearse else 0)
    if free < needed:
        raise BackupError(
            f"{folder} has {free >> 20} MiB free; a backup of etcd's {max(size >> 20, 1)} MiB needs {needed >> 20} MiB."
            " Older backups were kept. Free some space, or set another backup_dir or a smaller backup_keep. [slipway:backup_space]"
        )


def collect(config: Mapping[str, Any], tools: Tools, work: str, now: float) -> tuple[dict[str, Any], dict[str, str]]:
    """Take the snapshot, verify it, and return the manifest's facts and the files of the archive.

    :param work: private folder for the snapshot.
    """
    apiserver = _text(f"{KUBERNETES}/manifests/kube-apiserver.yaml")
    snapshot = os.path.join(work, archive.SNAPSHOT)
    tell("saves a snapshot of etcd")
    tools.etcdctl("snapshot", "save", snapshot)
    status = tools.snapshot_status(snapshot)
    objects = rehearsal.rehearse(tools, snapshot, status["revision"], work) if config.get("rehearse") else 0
    files = {archive.SNAPSHOT: snapshot, **host_files(KUBERNETES, apiserver)}
    with contextlib.suppress(
        ValueError
    ):  # it is in the snapshot too; a backup is wanted most when the API server does not answer
        text = kubectl("get", "configmap", "kubeadm-config", "--namespace=kube-system", "--output=json")
        files[archive.KUBEADM_CONFIG] = os.path.join(work, archive.KUBEADM_CONFIG)
        with open(files[archive.KUBEADM_CONFIG], "w", encoding="utf-8") as handle:
            handle.write(text)
    manager = _text(f"{KUBERNETES}/manifests/kube-controller-manager.yaml")
    about = {
        "cluster": config["cluster"],
        "ca_hash": ca_cert_hash(_text(f"{KUBERNETES}/pki/ca.crt")),
        "kubernetes": image_of(apiserver).rpartition(":")[2].lstrip("v"),
        "etcd": tools.member_status()["version"],
        "node": socket.gethostname(),
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now)),
        "seconds": int(now),
        "hash": status["hash"],
        "revision": status["revision"],
        "keys": status["totalKey"],
        "rehearsed": objects,
        "service_subnet": argument_of(apiserver, "service-cluster-ip-range"),
        "pod_subnet": argument_of(manager, "cluster-cidr"),
        "external_etcd": tools.endpoint != ENDPOINT,
        "encryption": bool(argument_of(apiserver, "encryption-provider-config")),
    }
    return about, files


def find_etcd(apiserver: str) -> tuple[str, str]:
    """Return the URL of an external etcd and its image, the own member's without one.

    :param apiserver: manifest of the API server.
    :raises EtcdToolError: no member of an external etcd responds.
    """
    servers = argument_of(apiserver, "etcd-servers").split(",")
    if os.path.exists(f"{KUBERNETES}/manifests/etcd.yaml") or not any(servers):
        return ENDPOINT, image_of(_text(f"{KUBERNETES}/manifests/etcd.yaml"))
    problems = []
    for url in servers:
        try:
            version = server_version(url)
        except EtcdToolError as error:
            problems.append(str(error))
            continue
        image = f"{image_of(apiserver).rpartition('/')[0]}/etcd:{version}-0"
        pull(image)
        return url, image
    raise EtcdToolError(f"No member of etcd responds. {' '.join(problems)} [slipway:etcd_quorum_lost]")


def leads_controllers() -> bool:
    """Return whether the controller manager of this host leads, so that one of several control planes takes a backup of an external etcd.

    If the API server does not answer, each of them does: a backup is wanted most then.
    """
    lease = (
        "get",
        "lease",
        "kube-controller-manager",
        "--namespace=kube-system",
        "--output=jsonpath={.spec.holderIdentity}",
    )
    try:
        return kubectl(*lease).rpartition("_")[0] in ("", socket.gethostname())
    except ValueError:
        return True


def take(config: Mapping[str, Any], now: float | None = None) -> dict[str, Any]:
    """Take a backup if it is up to this host, and rotate older ones.

    :returns: ``taken``, and if so ``archive`` (its path), ``manifest`` and ``removed`` (paths).
    :raises ValueError: it cannot be taken. Older backups are kept.
    :raises OSError: likewise, for example because the disk is full.
    """
    now = time.time() if now is None else now
    endpoint, image = find_etcd(_text(f"{KUBERNETES}/manifests/kube-apiserver.yaml"))
    with etcd_tools(image, endpoint) as tools:
        member = tools.member_status()
        if not member["leads"]:
            raise BackupError(
                "etcd has no leader: less than half of its members run. Remedy: see 'journalctl -u kubelet' on the control planes. [slipway:etcd_quorum_lost]"
            )
        if not (member["leader"] if endpoint == ENDPOINT else leads_controllers()):
            return {"taken": False}
        with locked_folder(config["dir"]):
            check_space(config["dir"], member["size"], bool(config.get("rehearse")))
            work = tempfile.mkdtemp(prefix=".work.", dir=config["dir"])
            try:
                about, files = collect(config, tools, work, now)
                stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))
                path = os.path.join(
                    config["dir"], f"{config['cluster']}-{stamp}.tar{'.age' if config['recipients'] else ''}"
                )
                part = os.path.join(work, "archive")
                tell(f"writes {path}")
                manifest = write_archive(part, about, files, list(config["recipients"]))
                os.rename(part, path)
            finally:
                shutil.rmtree(work, ignore_errors=True)
            names = expired_names(os.listdir(config["dir"]), config, now)
            for name in names:
                os.unlink(os.path.join(config["dir"], name))
    return {
        "taken": True,
        "archive": path,
        "manifest": manifest,
        "removed": [os.path.join(config["dir"], name) for name in names],
    }


def kubectl(*arguments: str, text: str = "") -> str:
    """Run kubectl as administrator, and return its output.

    :raises ValueError: it failed.
    """
    return run("kubectl", f"--kubeconfig={ADMIN}", f"--request-timeout={STATUS_SECONDS}s", *arguments, text=text)


def publish(data: Mapping[str, str], manager: str, apply: Callable[..., str] = kubectl) -> None:
    """Record in the ConfigMap kube-system/slipway-backup how the last backup went, for slipway.kube.health.

    :param manager: owner of the fields, so that a failure keeps what the last success recorded.
    """
    content = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": STATUS, "namespace": "kube-system"},
        "data": dict(data),
    }
    arguments = ("apply", "--server-side", "--force-conflicts", f"--field-manager={manager}", "--filename=-")
    apply(*arguments, text=json.dumps(content))


def record_failure(reason: str) -> None:
    """Record a failure in the cluster, if its API server answers."""
    failure = {
        "failed": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "failed_on": socket.gethostname(),
        "error": reason[:1000],
    }
    with contextlib.suppress(ValueError):
        publish(failure, f"{STATUS}-failure")


def take_and_publish(config: Mapping[str, Any], say: Callable[[str], Any]) -> dict[str, Any]:
    """Take a backup, copy it off the host, and record in the cluster how it went; an API server that does not answer makes no backup fail.

    :returns: as :func:`take`, and ``offsite_error`` if the archives could not be copied.
    :raises ValueError: it cannot be taken.
    """
    try:
        result = take(config)
    except (ValueError, OSError) as error:
        record_failure(str(error))
        code = "" if "[slipway:" in str(error) else " [slipway:backup_failed]"
        raise BackupError(f"No backup was taken. {error}{code}") from error
    if result["taken"]:
        about = result["manifest"]
        data = {key: str(about[key]) for key in ("time", "node", "revision", "keys", "rehearsed")}
        data["archive"], data["schedule_hours"] = result["archive"], str(config.get("hours", 24))
        try:
            publish(data, STATUS)
        except ValueError as error:
            say(f"The backup could not be recorded in the cluster: {error}")
    if config.get("remote") and os.path.isdir(config["dir"]):
        tell("copies the backups off the host")
        before = os.umask(0o077)  # for what rclone writes into a folder
        try:
            result["removed_remotely"] = offsite.copy(config, lambda names: expired_names(names, config, time.time()))
        except offsite.OffsiteError as error:
            record_failure(str(error))
            result["offsite_error"] = str(error)
        finally:
            os.umask(before)
    return result


def main() -> None:
    """Run once."""
    os.umask(0o077)
    try:
        result = take_and_publish(read_config(), lambda line: sys.stdout.write(f"{line}\n"))
    except (ValueError, OSError) as error:
        raise SystemExit(str(error)) from error
    if "offsite_error" in result:
        raise SystemExit(result["offsite_error"])
    if not result["taken"]:
        sys.stdout.write("Another control plane takes the backup.\n")
        return
    manifest = result["manifest"]
    sys.stdout.write(f"{result['archive']}: revision {manifest['revision']}, {manifest['keys']} keys\n")
    if manifest["rehearsed"]:
        sys.stdout.write(f"restored into a scratch etcd: {manifest['rehearsed']} objects, as many as the cluster has\n")
    for path in result["removed"]:
        sys.stdout.write(f"{path} removed\n")
    if "removed_remotely" in result:
        sys.stdout.write(f"copied to {read_config()['remote']}\n")


if __name__ == "__main__":
    main()
