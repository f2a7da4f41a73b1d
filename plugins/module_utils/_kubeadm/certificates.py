# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates on the disk of a node, and their renewal with kubeadm: the core of the module certificates.

https://kubernetes.io/docs/tasks/administer-cluster/kubeadm/kubeadm-certs/. kubeadm renews what it issued for a control plane. Kubelets renew their own.
Whether a component must be restarted follows from the times of its files and of its process, so that an interrupted renewal resumes.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import os
import re
import signal
import time
from pathlib import Path
from typing import Any, Callable, Container, Iterator, Mapping

from .._host.facts.cluster import ROTATION, answers, etcd_answers, parse_secure_port
from .._host.system import HostError
from .._kube.progress import tell
from .._kube.timestamps import to_time
from .._kube.x509 import certificate_end
from . import kubelet_bootstrap
from .init import wait_for_api
from .run import run_kubeadm

DAY = 86400
FOLDER = "/etc/kubernetes"
KUBELET = "/var/lib/kubelet/pki"
# What `kubeadm certs renew` names, by the file below /etc/kubernetes.
RENEWABLE = {
    "pki/apiserver.crt": "apiserver",
    "pki/apiserver-kubelet-client.crt": "apiserver-kubelet-client",
    "pki/apiserver-etcd-client.crt": "apiserver-etcd-client",
    "pki/front-proxy-client.crt": "front-proxy-client",
    "pki/etcd/server.crt": "etcd-server",
    "pki/etcd/peer.crt": "etcd-peer",
    "pki/etcd/healthcheck-client.crt": "etcd-healthcheck-client",
    "admin.conf": "admin.conf",
    "super-admin.conf": "super-admin.conf",
    "controller-manager.conf": "controller-manager.conf",
    "scheduler.conf": "scheduler.conf",
}
AUTHORITIES = ("pki/ca.crt", "pki/front-proxy-ca.crt", "pki/etcd/ca.crt")
# Static pods in the order of their restart, with the files that their processes read when they start.
COMPONENTS = {
    "etcd": ("pki/etcd/server.crt", "pki/etcd/peer.crt", "pki/etcd/ca.crt"),
    "kube-apiserver": (
        "pki/apiserver.crt",
        "pki/apiserver-kubelet-client.crt",
        "pki/apiserver-etcd-client.crt",
        "pki/front-proxy-client.crt",
        "pki/ca.crt",
        "pki/etcd/ca.crt",
        "pki/front-proxy-ca.crt",
        "pki/sa.pub",
        "pki/sa.key",
    ),
    "kube-controller-manager": ("controller-manager.conf", "pki/ca.crt", "pki/front-proxy-ca.crt", "pki/sa.key"),
    "kube-scheduler": ("scheduler.conf",),
}
# Seconds after which the kubelet kills a container that does not end (terminationGracePeriodSeconds of the static pods). An API server has answered its
# requests by then, and waits a minute for connections that clients keep open.
GRACE = 30
ETCD_CLIENT = "apiserver-etcd-client"
ETCD_HERE = ("pki/etcd/ca.key", "manifests/etcd.yaml")  # neither is on a control plane of an external etcd
KUBELET_CLIENT = "kubelet-client"


def read_certificate(path: Path) -> str:
    """Return the text of a file that has a certificate in PEM, or the certificate of the user if it is a kubeconfig; "" if there is none."""
    try:
        text = path.read_text()
        embedded = re.search(r"client-certificate-data:\s*[\"']?([A-Za-z0-9+/=]+)", text)
        return base64.b64decode(embedded.group(1)).decode("ascii", "replace") if embedded else text
    except (OSError, ValueError, binascii.Error):
        return ""


def find_certificates(now: float, folder: str = FOLDER, kubelet: str = KUBELET) -> list[dict[str, Any]]:
    """Return the certificates of this node, those that end first at the beginning.

    :param now: seconds since the epoch.
    :returns: ``name`` (kubeadm's name where it renews the certificate), ``path``, ``end`` (time), ``days`` (whole days left, negative if it has
        expired), and ``renewed_by`` (``kubeadm``, ``kubelet``, ``etcd`` for one whose authority is on other hosts, or "" for an authority).
    """
    external = not any(Path(folder, file).exists() for file in ETCD_HERE)
    wanted = [
        (name, Path(folder) / file, "etcd" if external and name == ETCD_CLIENT else "kubeadm")
        for file, name in RENEWABLE.items()
    ]
    wanted += [(Path(file).stem if "etcd" not in file else "etcd-ca", Path(folder) / file, "") for file in AUTHORITIES]
    wanted += [
        (f"kubelet-{kind}", Path(kubelet) / f"kubelet-{kind}-current.pem", "kubelet") for kind in ("client", "server")
    ]
    found = []
    for name, path, by in wanted:
        end = certificate_end(read_certificate(path))
        if end is not None:
            days = int((end - now) // DAY)
            found.append({"name": name, "path": str(path), "end": to_time(end), "days": days, "renewed_by": by})
    return sorted(found, key=lambda one: (one["end"], one["name"]))


def due(certificates: list[dict[str, Any]], days: int) -> list[str]:
    """Return the names of certificates that kubeadm renews and that end in at most so many days."""
    return [one["name"] for one in certificates if one["renewed_by"] == "kubeadm" and one["days"] <= days]


def expired(certificates: list[dict[str, Any]], name: str) -> bool:
    """Return whether there is a certificate of that name, and it has expired."""
    return any(one["name"] == name and one["days"] < 0 for one in certificates)


def processes(proc: str = "/proc", programs: Container[str] = tuple(COMPONENTS)) -> Iterator[tuple[str, int, float]]:
    """Yield program, PID and start (seconds since the epoch) of the processes of the control plane, or of other programs."""
    try:
        boot = float(re.search(r"^btime (\d+)", Path(proc, "stat").read_text(), re.M).group(1))  # type: ignore[union-attr]
    except (OSError, AttributeError):
        return
    for folder in Path(proc).glob("[0-9]*"):
        try:
            program = (folder / "cmdline").read_bytes().split(b"\0")[0].decode("utf-8", "replace").rpartition("/")[2]
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it has ended
        if program in programs and fields[0] != "Z":
            yield program, int(folder.name), boot + int(fields[19]) / os.sysconf("SC_CLK_TCK")


def outdated(running: list[tuple[str, int, float]], folder: str = FOLDER) -> dict[str, int]:
    """Return components whose process has started before one of its files was written, with their PIDs, in the order of their restart."""
    started = {program: (pid, start) for program, pid, start in running}
    found = {}
    for name, files in COMPONENTS.items():
        times = [path.stat().st_mtime for path in (Path(folder) / file for file in files) if path.exists()]
        if name in started and times and max(times) > started[name][1]:
            found[name] = started[name][0]
    return found


def restart(name: str, pid: int, seconds: int, server: str, kill: Callable[[int, int], None] = os.kill) -> None:
    """End the process of a static pod, which the kubelet starts again, and wait until the component works.

    :raises HostError: it does not in time.
    """
    tell(f"restarts {name}")
    with contextlib.suppress(ProcessLookupError):
        kill(pid, signal.SIGTERM)
    end, patience = time.monotonic() + seconds, time.monotonic() + GRACE
    while time.monotonic() < end:
        time.sleep(1)
        pids = [other for program, other, _start in processes() if program == name]
        if pid in pids and time.monotonic() > patience:
            with contextlib.suppress(ProcessLookupError):
                kill(pid, signal.SIGKILL)
        if pids and pid not in pids and works(name):
            if name == "kube-apiserver":
                wait_for_api(server, max(int(end - time.monotonic()), 1))
            return
    raise HostError(
        f"{name} did not start again within {seconds} seconds after its certificates were renewed. Other control planes were not changed."
        f" Remedy: see 'journalctl -u kubelet' and /var/log/pods/kube-system_{name}-*, then run again."
        " [slipway:component_timeout]"
    )


def works(name: str) -> bool:
    """Return whether a component answers its health check on this host."""
    if name == "etcd":
        return etcd_answers(Path(FOLDER, "manifests", "etcd.yaml").read_text())
    if name == "kube-apiserver":
        manifest = Path(FOLDER, "manifests", "kube-apiserver.yaml").read_text()
        return answers(parse_secure_port(manifest), "/livez", Path(FOLDER, "pki", "ca.crt").read_text())
    return True  # their certificates are self-signed, in memory; one of several is only standing by


def converge(params: Mapping[str, Any], check_mode: bool, lock: Any) -> dict[str, Any]:
    """Read the certificates of this host and renew those that are due; return the result of the module.

    :raises HostError: kubeadm or a component fails.
    """
    unfinished = (
        "The rotation of the authorities is not finished on this control plane. Finish it with slipway.kube.certificates"
        " -e certificates_rotate_authorities=all. [slipway:rotation]"
        if os.path.exists(ROTATION)
        else ""
    )
    if unfinished and params["renew"]:
        raise HostError(
            f"No certificate was renewed. {unfinished}"
        )  # kubeadm would write kubeconfigs with one authority only
    certificates = find_certificates(time.time())
    result: dict[str, Any] = {"changed": False, "changes": [], "certificates": certificates}
    names = due(certificates, params["days"]) if params["renew"] else []
    result["changes"] += [f"certificate {name} renewed" for name in names]
    if names and not check_mode:
        for name in names:
            run_kubeadm(["certs", "renew", name], params["timeout"], lock, params["log"])
        result["certificates"] = find_certificates(time.time())
    issues = bool(params["renew"] and params["node_name"]) and Path(FOLDER, "pki", "ca.key").exists()
    if (issues or params["bootstrap_token"]) and expired(certificates, KUBELET_CLIENT):
        result["changes"].append("the kubelet gets a new client certificate")
        if not check_mode:
            if issues:
                kubelet_bootstrap.issue(
                    params["node_name"],
                    lambda arguments: run_kubeadm(arguments, params["timeout"], lock, params["log"]),
                    time.time(),
                )
            else:
                kubelet_bootstrap.recover(params["bootstrap_token"], params["timeout"])
            result["certificates"] = find_certificates(time.time())
    late = outdated(list(processes())) if params["renew"] and params["restart"] else {}
    for name, files in COMPONENTS.items():
        if check_mode and params["restart"] and (name in late or {RENEWABLE.get(file) for file in files} & {*names}):
            result["changes"].append(f"{name} restarted")
        elif name in late:
            result["changes"].append(f"{name} restarted")
            # Read again: a component that lost its API server may have started anew in the meantime.
            pid = outdated(list(processes())).get(name)
            if pid:
                restart(name, pid, params["timeout"], params["server"])
    result["changed"] = bool(result["changes"])
    result["warnings"] = [unfinished] if unfinished else []
    return result
