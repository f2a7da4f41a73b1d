# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Running kubeadm on a host: its configuration files, its log, and the evidence if it fails."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any, Callable, Iterable, Iterator, Mapping, Sequence

from .._host.system import HostError, sync
from .._kube.progress import is_watched, tell
from .config import place_patches, render
from .failures import Evidence, explain_failure

LOG = "/var/log/slipway-kubeadm.log"
LOG_LIMIT = 4 << 20
POD_LOGS = "/var/log/pods"
CONTROL_PLANE_CONTAINERS = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler")
# Where kubeadm writes: trees, and directories without their subdirectories.
TREES = ("/etc/kubernetes", "/var/lib/kubelet/pki")
FOLDERS = ("/var/lib/kubelet",)
# kubeadm writes it for everyone to read, at init, join and upgrade.
KUBELET_CONFIG = "/var/lib/kubelet/config.yaml"


class KubeadmError(HostError):
    """kubeadm failed. The message explains the failure."""


def sync_kubeadm_files(
    trees: Iterable[str] = TREES, folders: Iterable[str] = FOLDERS, kubelet_config: str = KUBELET_CONFIG
) -> None:
    """Let only root read the kubelet's configuration, and sync the files that kubeadm wrote to disk.

    kubeadm does not, and the record of a finished operation must not survive without them.
    """
    with contextlib.suppress(FileNotFoundError):
        os.chmod(kubelet_config, 0o600)
    found = [folder for tree in trees for folder, _names, _files in os.walk(tree)] + list(folders)
    for folder in found:
        with contextlib.suppress(FileNotFoundError):
            sync([*filter(os.path.isfile, (entry.path for entry in os.scandir(folder))), folder])


@contextlib.contextmanager
def config_folder(documents: Sequence[Mapping[str, Any]], patches: Mapping[str, Any]) -> Iterator[str]:
    """Provide a private directory with kubeadm's configuration (``config.yaml``, mode 0600) and its patches, and delete it at the end.

    It is in /run, a memory file system, so that secrets are not written to disk and do not survive a power failure.

    :returns: its path.
    """
    base = "/run" if os.access("/run", os.W_OK) else None
    folder = Path(tempfile.mkdtemp(prefix="slipway-kubeadm.", dir=base))
    try:
        if patches:
            (folder / "patches").mkdir(mode=0o700)
            for name, body in patches.items():
                (folder / "patches" / name).write_text(json.dumps(body, indent=2))
            documents = [place_patches(document, str(folder / "patches")) for document in documents]
        path = folder / "config.yaml"
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as handle:
            handle.write(render(documents))
        yield str(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def open_log(path: str, title: str) -> Iterator[Any]:
    """Open the log (mode 0600) for appending. It is rotated when it exceeds 4 MiB."""
    log = Path(path)
    if log.exists() and log.stat().st_size > LOG_LIMIT:
        log.rename(log.with_suffix(".log.1"))
    with os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600), "a+b") as handle:
        handle.write(f"--- {time.strftime('%Y-%m-%dT%H:%M:%S%z')} {title}\n".encode())
        handle.flush()
        yield handle


def without_proxies(environment: Mapping[str, str]) -> dict[str, str]:
    """Return an environment without proxies: kubeadm talks to hosts of the cluster only, images are pulled by the container runtime.

    kubeadm also copies such variables into the manifests of the control plane, whose requests to kubelets and webhooks would then go to
    the proxy (https://kubernetes.io/docs/setup/production-environment/tools/kubeadm/install-kubeadm/).
    """
    return {name: value for name, value in environment.items() if not name.lower().endswith("_proxy")}


def run_kubeadm(arguments: list[str], timeout: int, lock: Any, log: str = LOG) -> None:
    """Run kubeadm and append its output to the log.

    kubeadm inherits the lock of the host: if this process is killed, the next run still waits until kubeadm has exited.

    :param timeout: seconds after which kubeadm is terminated.
    :param lock: the result of ``host_lock()``.
    :raises KubeadmError: kubeadm is not installed, or it fails.
    """
    operation = f"kubeadm {arguments[0]}"
    started = time.time()
    with open_log(log, operation) as handle:
        begin = handle.tell()
        try:
            process = subprocess.Popen(  # pylint: disable=ansible-bad-function
                ["kubeadm", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=handle,
                stderr=subprocess.STDOUT,
                pass_fds=[lock.fileno()] if lock is not None else [],
                start_new_session=True,
                env={
                    **without_proxies(os.environ),
                    "LC_ALL": "C.UTF-8",
                    "PATH": os.environ.get("PATH", "") + ":/usr/sbin:/usr/bin:/sbin:/bin",
                },
            )
        except FileNotFoundError:
            raise KubeadmError(
                "kubeadm is not installed on this host. Apply the role slipway.kube.kubernetes to it first."
                " [slipway:program_missing]"
            ) from None
        code = _wait(process, timeout, partial(tell_last_line, handle, begin))
        handle.seek(begin)
        output = handle.read().decode("utf-8", "replace")
    if code != 0:
        evidence = Evidence(output, kubelet_lines(started), static_pod_lines(started))
        raise KubeadmError(explain_failure(operation, evidence, log, timeout if code is None else 0))


def tell_last_line(log: Any, begin: int) -> None:
    """Tell those who watch the run in which phase kubeadm is, which it says in lines such as "[etcd] Creating static Pod manifest"."""
    text = os.pread(log.fileno(), LOG_LIMIT, begin).decode("utf-8", "replace")
    phases = [line for line in text.splitlines() if line.startswith("[")]
    if not phases:
        return
    restarted = re.findall(r'^\[upgrade/staticpods\] Preparing for "([^"]+)" upgrade', text, re.MULTILINE)
    if restarted and "This can take up to" in phases[-1]:
        # The longest part of an upgrade, in which kubeadm does not say of which component it speaks.
        tell(f"waits for the kubelet to restart {restarted[-1]}", phases[-1])
    else:
        tell(phases[-1])


def _wait(process: subprocess.Popen[bytes], timeout: int, say: Callable[[], None]) -> int | None:
    """Return the exit status of a process, None if it was terminated after the timeout with all processes that it started.

    :param say: called each second while somebody watches the run.
    """
    end = time.monotonic() + timeout
    while True:
        left = end - time.monotonic()
        try:
            return process.wait(timeout=max(min(left, 1), 0) if is_watched() else max(left, 0))
        except subprocess.TimeoutExpired:
            if time.monotonic() >= end:
                break
            say()
    os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(timeout=10)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    return None


def kubelet_lines(since: float, count: int = 8) -> str:
    """Return the last error lines of the kubelet from the journal, or its last lines if there are no errors.

    :param since: start of the run, in seconds since the epoch; earlier lines are not relevant.
    """
    command = f"journalctl --unit kubelet --no-pager --output cat --since @{int(since)} --lines 400".split()
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=20, check=False)  # pylint: disable=ansible-bad-function
    except (OSError, subprocess.TimeoutExpired):
        return ""
    lines = done.stdout.decode("utf-8", "replace").splitlines()
    errors = [line for line in lines if line.startswith(("E", "F")) and line[1:2].isdigit() or "rror" in line[:80]]
    return "\n".join((errors or lines)[-count:])


def static_pod_lines(since: float, count: int = 4, folder: str = POD_LOGS) -> str:
    """Return the last lines of the newest log of each static pod, prefixed with the name of the container."""
    lines = []
    for container in sorted(Path(folder).glob("kube-system_*/*")):
        logs = [(log.stat().st_mtime, log) for log in container.glob("*.log")]
        if container.name not in CONTROL_PLANE_CONTAINERS or not logs or max(logs)[0] < since:
            continue
        with max(logs)[1].open("rb") as handle:
            handle.seek(0, os.SEEK_END)
            handle.seek(max(handle.tell() - 8192, 0))
            text = handle.read().decode("utf-8", "replace")
        # containerd writes each line as "TIME STREAM TAG TEXT" (CRI logging format).
        lines += [f"{container.name}: {line.split(' ', 3)[-1]}" for line in text.splitlines()[-count:]]
    return "\n".join(lines)
