# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Running kubeadm on a host: its files, its log, its evidence."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any, Iterable, Iterator, Mapping

from .._host.system import HostError, sync
from .config import render
from .failures import Evidence, explain

LOG = "/var/log/slipway-kubeadm.log"
LOG_LIMIT = 4 << 20
POD_LOGS = "/var/log/pods"
# Where kubeadm and the kubelet of a new node write: with all that is below, and what lies there itself (below are pods' volumes).
WRITTEN = ("/etc/kubernetes", "/var/lib/kubelet/pki")
WRITTEN_FLAT = ("/var/lib/kubelet",)


class KubeadmError(HostError):
    """kubeadm failed; the message explains it."""


def make_lasting(deep: Iterable[str] = WRITTEN, flat: Iterable[str] = WRITTEN_FLAT) -> None:
    """Have on the disk what kubeadm wrote, which leaves that to the file system: a record that says "finished" must not outlive it."""
    folders = [folder for top in deep for folder, _names, _leaves in os.walk(top)] + list(flat)
    for folder in folders:
        with contextlib.suppress(FileNotFoundError):
            sync([*filter(os.path.isfile, (entry.path for entry in os.scandir(folder))), folder])


@contextlib.contextmanager
def config_folder(documents: list[Mapping[str, Any]], patches: Mapping[str, Any]) -> Iterator[str]:
    """A private folder with kubeadm's configuration (config.yaml, 0600) and its patches, removed at the end; its path.

    It is on /run: a memory file system, so that secrets neither reach a disk nor outlive a power cut.
    """
    base = "/run" if os.access("/run", os.W_OK) else None
    folder = Path(tempfile.mkdtemp(prefix="slipway-kubeadm.", dir=base))
    try:
        if patches:
            (folder / "patches").mkdir(mode=0o700)
            for name, body in patches.items():
                (folder / "patches" / name).write_text(json.dumps(body, indent=2))
            place = {"patches": {"directory": str(folder / "patches")}}
            documents = [
                {**document, **place} if document["kind"] in ("InitConfiguration", "JoinConfiguration") else document
                for document in documents
            ]
        path = folder / "config.yaml"
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as handle:
            handle.write(render(documents))
        yield str(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def open_log(path: str, title: str) -> Iterator[Any]:
    """The log (0600), at its end, begun anew where it has grown beyond 4 MiB."""
    log = Path(path)
    if log.exists() and log.stat().st_size > LOG_LIMIT:
        log.rename(log.with_suffix(".log.1"))
    with os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600), "a+b") as handle:
        handle.write(f"--- {time.strftime('%Y-%m-%dT%H:%M:%S%z')} {title}\n".encode())
        handle.flush()
        yield handle


def run_kubeadm(arguments: list[str], timeout: int, lock: Any, log: str = LOG) -> None:
    """Run kubeadm to its end, its output going straight into the log.

    It holds the host's lock itself: if this process is killed, the next run still waits until kubeadm has ended.

    :param timeout: seconds after which it is ended.
    :param lock: what host_lock() gave.

    Raises KubeadmError, with the cause explained.
    """
    operation = " ".join(["kubeadm", *arguments[:1]])
    started = time.time()
    timed_out = 0
    with open_log(log, operation) as handle:
        begin = handle.tell()
        try:
            process = subprocess.Popen(
                ["kubeadm", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=handle,
                stderr=subprocess.STDOUT,
                pass_fds=[lock.fileno()] if lock is not None else [],
                start_new_session=True,
                env={
                    **os.environ,
                    "LC_ALL": "C.UTF-8",
                    "PATH": os.environ.get("PATH", "") + ":/usr/sbin:/usr/bin:/sbin:/bin",
                },
            )
        except FileNotFoundError:
            raise KubeadmError(
                "kubeadm is not installed on this host. Run the role slipway.kube.kubernetes on it first."
            ) from None
        try:
            code = process.wait(timeout=timeout)
        except subprocess.TimeoutExpired:
            timed_out = timeout
            os.killpg(process.pid, signal.SIGTERM)
            try:
                code = process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                code = process.wait()
        handle.seek(begin)
        output = handle.read().decode("utf-8", "replace")
    if code != 0 or timed_out:
        raise KubeadmError(explain(operation, gather(output, started), log, timed_out))


def gather(output: str, since: float) -> Evidence:
    """What else the host can tell: the kubelet's last complaints and those of the static pods.

    :param since: seconds since the epoch; older lines are of another run.
    """
    return Evidence(output, kubelet_lines(since), static_pod_lines(since))


def kubelet_lines(since: float, count: int = 8) -> str:
    """The kubelet's last errors from the journal, else its last lines."""
    command = [
        "journalctl",
        "--unit",
        "kubelet",
        "--no-pager",
        "--output",
        "cat",
        "--since",
        f"@{int(since)}",
        "--lines",
        "400",
    ]
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    lines = done.stdout.decode("utf-8", "replace").splitlines()
    errors = [line for line in lines if line.startswith(("E", "F")) and line[1:2].isdigit() or "rror" in line[:80]]
    return "\n".join((errors or lines)[-count:])


def static_pod_lines(since: float, count: int = 4, folder: str = POD_LOGS) -> str:
    """The last lines of each static pod's newest log, each with its container's name."""
    lines = []
    for container in sorted(Path(folder).glob("kube-system_*/*")):
        if container.name not in ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler"):
            continue
        logs = [log for log in container.glob("*.log") if log.stat().st_mtime >= since]
        if not logs:
            continue
        newest = max(logs, key=lambda log: log.stat().st_mtime)
        with newest.open("rb") as handle:
            handle.seek(max(newest.stat().st_size - 8192, 0))
            text = handle.read().decode("utf-8", "replace")
        # containerd writes each line as "TIME STREAM TAG TEXT" (CRI logging format)
        lines += [f"{container.name}: {line.split(' ', 3)[-1]}" for line in text.splitlines()[-count:]]
    return "\n".join(lines)
