# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""etcdctl and etcdutl from the image of etcd, run on the host: they need not be installed, and have the version of the cluster's etcd.

The image that kubeadm uses has them in /usr/local/bin; containerd mounts it without a container.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import ssl
import subprocess
import tempfile
from pathlib import Path
from typing import Any, Iterator
from urllib.parse import urlsplit

PKI = "/etc/kubernetes/pki/etcd"
ENDPOINT = "https://127.0.0.1:2379"
NAMESPACE = "k8s.io"
SECONDS = 900


class EtcdToolError(ValueError):
    """A program of etcd, or the mount of its image, failed."""


def run(*command: str, text: str = "", seconds: float = SECONDS) -> str:
    """Run a command and return its output.

    :param text: its input.
    :param seconds: after which it is ended.
    :raises EtcdToolError: it failed; the message quotes the last line that it wrote.
    """
    environment = {**os.environ, "LC_ALL": "C.UTF-8"}
    environment["PATH"] = environment.get("PATH", "") + ":/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    name = os.path.basename(command[0])
    try:
        done = subprocess.run(  # pylint: disable=ansible-bad-function
            command, input=text.encode(), capture_output=True, env=environment, timeout=seconds, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise EtcdToolError(f"{name} did not finish within {seconds:.0f} seconds. [slipway:command_failed]") from error
    except OSError as error:
        raise EtcdToolError(f"{name} cannot be run. Evidence: {error} [slipway:program_missing]") from error
    if done.returncode != 0:
        lines = done.stderr.decode("utf-8", "replace").strip().splitlines() or ["no output"]
        raise EtcdToolError(
            f"{name} failed with exit code {done.returncode}. Evidence: {lines[-1]} [slipway:command_failed]"
        )
    return done.stdout.decode("utf-8", "replace")


def client_certificate(pki: str) -> tuple[Path, Path]:
    """Return the files of the client certificate and its key: that of a host with a member, or that of the API server."""
    folder = Path(pki)
    for base in (folder / "healthcheck-client", folder.parent / "apiserver-etcd-client"):
        certificate, key = base.with_suffix(".crt"), base.with_suffix(".key")
        if certificate.exists() and key.exists():
            return certificate, key
    return folder / "healthcheck-client.crt", folder / "healthcheck-client.key"


def server_version(endpoint: str) -> str:
    """Return the version of a member.

    :raises EtcdToolError: it does not respond.
    """
    parts = urlsplit(endpoint)
    try:
        context = ssl.create_default_context(cafile=f"{PKI}/ca.crt")
        context.load_cert_chain(*map(str, client_certificate(PKI)))
        connection = http.client.HTTPSConnection(parts.hostname or "", parts.port, timeout=15, context=context)
        with contextlib.closing(connection):
            connection.request("GET", "/version")
            return str(json.loads(connection.getresponse().read())["etcdserver"])
    except (OSError, ValueError, KeyError, http.client.HTTPException) as error:
        raise EtcdToolError(f"etcd at {endpoint} does not respond. Evidence: {error} [slipway:etcd_silent]") from error


def present_images() -> list[str]:
    """Return the names of the images that containerd has for the kubelet.

    :raises EtcdToolError: it does not respond.
    """
    return run("ctr", "--namespace", NAMESPACE, "images", "ls", "-q").splitlines()


def pull(image: str) -> None:
    """Let containerd have an image, through the mirrors of the host: a control plane without a member has none of etcd.

    :raises EtcdToolError: it cannot be pulled.
    """
    if image not in present_images():
        run("ctr", "--namespace", NAMESPACE, "images", "pull", "--hosts-dir", "/etc/containerd/certs.d", image)


class Tools:
    """The programs of a mounted image.

    :ivar folder: where etcdctl and etcdutl are.
    :ivar endpoint: URL of the member that is asked.
    """

    def __init__(self, folder: str, endpoint: str = ENDPOINT) -> None:
        self.folder = folder
        self.endpoint = endpoint

    def etcdctl(self, *arguments: str) -> str:
        """Run etcdctl with the client certificate of this control plane, against its own member or one of an external etcd."""
        certificate, key = client_certificate(PKI)
        credentials = [f"--cacert={PKI}/ca.crt", f"--cert={certificate}", f"--key={key}"]
        return run(f"{self.folder}/etcdctl", f"--endpoints={self.endpoint}", *credentials, *arguments)

    def etcdutl(self, *arguments: str) -> str:
        """Run etcdutl."""
        return run(f"{self.folder}/etcdutl", *arguments)

    def member_status(self) -> dict[str, Any]:
        """Return ``leader`` (whether the member that is asked leads), ``leads`` (the ID of the leader, 0 for none), ``version`` and ``size`` (bytes)."""
        status = json.loads(self.etcdctl("endpoint", "status", "--write-out=json"))[0]["Status"]
        leads = status.get("leader", 0)
        own = status["header"]["member_id"]
        return {"leader": leads == own, "leads": leads, "version": status["version"], "size": status["dbSize"]}

    def snapshot_status(self, path: str) -> dict[str, Any]:
        """Return ``hash``, ``revision`` and ``totalKey`` of a snapshot, whose content is verified."""
        return json.loads(self.etcdutl("snapshot", "status", path, "--write-out=json"))


@contextlib.contextmanager
def etcd_tools(image: str, endpoint: str = ENDPOINT) -> Iterator[Tools]:
    """Provide the programs of an image of etcd that containerd has.

    :param image: its name.
    :param endpoint: URL of the member that is asked.
    :raises EtcdToolError: it cannot be mounted.
    """
    folder = tempfile.mkdtemp(prefix="slipway-etcd.", dir="/run")
    try:
        run("ctr", "--namespace", NAMESPACE, "images", "mount", image, folder)
        try:
            yield Tools(f"{folder}/usr/local/bin", endpoint)
        finally:
            run("ctr", "--namespace", NAMESPACE, "images", "unmount", "--rm", folder)
    finally:
        with contextlib.suppress(OSError):
            os.rmdir(folder)
